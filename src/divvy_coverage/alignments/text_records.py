"""Records of BAM (SAM specification, 4.2) of what text files hold, many at once.

Every record is as long as any other: it has no sequence, a CIGAR of one operation (M), and the same name. The two mates
of a pair follow each other, so that the first is found at once, and no other has to be told from it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.alignments.text_files import Spans
from divvy_coverage.arrays import Booleans, Integers

# the int32 of a record
SIZE, CONTIG, POSITION, NAME_AND_MAPQ, OPERATIONS_AND_FLAG = range(5)
NEXT_CONTIG, NEXT_POSITION, _, NAME, CIGAR, FIELDS = range(6, 12)
NAME_LENGTH, MAPQ = 4, 255  # 255: not known
PAIRED, PROPER_PAIR, UNMAPPED_MATE, REVERSE, REVERSE_MATE, FIRST, SECOND = 0x1, 0x2, 0x8, 0x10, 0x20, 0x40, 0x80

_EMPTY = np.zeros(FIELDS, np.int32)
_EMPTY[[SIZE, NAME_AND_MAPQ, NEXT_POSITION]] = 4 * (FIELDS - 1), NAME_LENGTH | MAPQ << 8, -1

Records = NDArray[np.int32]


def make_records(spans: Sequence[Spans], are_fragments: bool) -> tuple[Records, Integers]:
    """Return records (n × FIELDS), and the numbers of their contigs, which the records do not have yet.

    Parameters
    ----------
    spans
        As `read_spans` yields them.
    are_fragments
        Whether they are fragments, of which only the ends are known: each mate is the last base there.
    """
    if are_fragments:
        spans = _split_fragments(spans[0])
    if len(spans) == 1:
        (reads,) = spans
        return _make_mate(reads, reads.reverse * REVERSE), reads.contigs
    first, second = spans
    numbers = np.stack([first.contigs, second.contigs], axis=1)
    proper = (numbers[:, 0] == numbers[:, 1]) & (numbers[:, 0] >= 0) & (first.reverse != second.reverse)
    records = np.empty((len(proper), 2, FIELDS), np.int32)
    records[:, 0] = _make_mate(first, _find_flags(first, second, proper) | FIRST)
    records[:, 1] = _make_mate(second, _find_flags(second, first, proper) | SECOND)
    records[:, :, NEXT_POSITION] = records[:, ::-1, POSITION]
    placed = numbers.ravel() >= 0
    flat = records.reshape(-1, FIELDS)
    return (flat, numbers.ravel()) if placed.all() else (flat[placed], numbers.ravel()[placed])


def place_records(records: Records, contigs: Integers) -> NDArray[np.uint8]:
    """Give records their contigs, and return their bytes.

    The other mate is said to be on the same contig, which only matters in a proper pair, where it is.
    """
    records[:, CONTIG] = records[:, NEXT_CONTIG] = contigs
    content: NDArray[np.uint8] = records.view(np.uint8).ravel()
    return content


def _split_fragments(fragments: Spans) -> tuple[Spans, Spans]:
    contigs, starts, ends, forward = fragments
    return Spans(contigs, starts, starts + 1, forward), Spans(contigs, ends - 1, ends, ~forward)


def _find_flags(mate: Spans, other: Spans, proper: Booleans) -> Integers:
    flags: Integers = PAIRED + PROPER_PAIR * proper + REVERSE * mate.reverse + REVERSE_MATE * other.reverse
    flags |= UNMAPPED_MATE * (other.contigs < 0)
    return flags


def _make_mate(spans: Spans, flags: Integers) -> Records:
    records = np.empty((len(flags), FIELDS), np.int32)
    records[:] = _EMPTY
    records[:, POSITION] = spans.starts
    records[:, OPERATIONS_AND_FLAG] = 1 | flags << 16
    records[:, CIGAR] = (spans.ends - spans.starts) << 4
    return records
