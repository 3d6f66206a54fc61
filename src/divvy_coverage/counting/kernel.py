"""The loop over the records of a BAM file, compiled by numba: bounds checks, selection, overlaps and statistics.

It is one file, top to bottom, as numba recompiles a function only if its own file changes. A record is laid out as in
the SAM specification, 4.2; every length in it is checked against the record's size before it is used.
"""

# mypy: ignore-errors
# numba infers the types of these functions itself

from typing import NamedTuple

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.definition import (
    DUPLICATE,
    FIRST,
    LOW_MAPQ,
    MISSING_FLAGS,
    MODES,
    PROPER_PAIR,
    REVERSE,
    SECONDARY,
    SUPPLEMENTARY,
    UNMAPPED,
    UNPLACED,
)
from divvy_coverage.counting.jit import compiled, intrinsic, ir, njit, types
from divvy_coverage.counting.statistics import LARGEST_FRAGMENT, TSS_FLANK

READS, FRAGMENTS, INSERTIONS = (MODES.index(mode) for mode in ("reads", "fragments", "insertions"))

# offsets of the fields of a record, from its start
CONTIG, POSITION, NAME_LENGTH, MAPQ, OPERATIONS, FLAG = 4, 8, 12, 13, 16, 18
SEQUENCE_LENGTH, NEXT_CONTIG, NEXT_POSITION, TEMPLATE_LENGTH, FIXED = 20, 24, 28, 32, 36
LARGEST_RECORD = 1 << 29  # bytes; no record of a sound file comes near

ON_REFERENCE = 0b110001101  # bits of the CIGAR operations M, D, N, = and X


# what went wrong, as a result of `walk` below zero
BAD_SIZE, BAD_LENGTHS, BAD_CONTIG, BAD_POSITION = -1, -2, -3, -4
PROBLEMS = {
    BAD_SIZE: "a record claims an impossible size",
    BAD_LENGTHS: "the lengths of a record's name, CIGAR or sequence do not fit its size",
    BAD_CONTIG: "a record is on a contig that the header does not have",
    BAD_POSITION: "a record has an impossible position",
}


class Selection(NamedTuple):
    """What is counted, and which alignments are kept."""

    mode: int
    exclude_flags: int
    require_flags: int
    min_mapq: int
    shift_forward: int
    shift_reverse: int


class Index(NamedTuple):
    """Regions by contig number: those of contig c are `first[c]` to `first[c + 1]` of both sorted lists.

    Transcription start sites likewise, with their strands (1 or -1).
    """

    first: Integers
    sorted_starts: Integers
    sorted_ends: Integers
    tss_first: Integers
    tss_positions: Integers
    tss_strands: Integers


class Tallies(NamedTuple):
    """What `walk` adds to; all int64.

    `start_ranks`, `end_ranks`: counted spans by rank, with one slot more than regions for each contig. `place`: the
    contig and the two ranks of the last span, where the search for the next starts.
    """

    start_ranks: Integers
    end_ranks: Integers
    place: Integers
    totals: Integers
    excluded: Integers
    mapq: Integers
    fragment_lengths: Integers
    tss_profile: Integers
    contigs: Integers


@intrinsic
def read_int32(typing, address, offset):
    """Read a little-endian int32, aligned or not; what is there has to have been checked before."""

    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(builder.add(*arguments), ir.IntType(32).as_pointer())
        value = builder.load(pointer)
        value.align = 1
        return builder.sext(value, ir.IntType(64))

    return types.int64(types.int64, types.int64), generate


@njit
def read_byte(record, offset):
    """Read a byte of the record at the address `record`."""
    return read_int32(record, offset) & 0xFF


@njit
def read_uint16(record, offset):
    """Read a little-endian uint16."""
    return read_int32(record, offset) & 0xFFFF


@njit
def find_problem(record, size, n_contigs):
    """Return 0 if the record of `size` bytes is sound, or what is wrong with it."""
    operations, bases = read_uint16(record, OPERATIONS), read_int32(record, SEQUENCE_LENGTH)
    if bases < 0 or FIXED + read_byte(record, NAME_LENGTH) + 4 * operations + (bases + 1) // 2 + bases > size:
        return BAD_LENGTHS
    if not -1 <= read_int32(record, CONTIG) < n_contigs:
        return BAD_CONTIG
    if read_int32(record, POSITION) < -1:
        return BAD_POSITION
    return 0


@njit
def find_reason(flag, mapq, contig, position, selection):
    """Return why an alignment is not kept: the lowest flag that excludes it, or another reason; -1 if it is kept."""
    unwanted = flag & selection.exclude_flags
    if unwanted:
        bit = 0
        while not unwanted >> bit & 1:
            bit += 1
        return min(bit, MISSING_FLAGS - 1)
    if flag & selection.require_flags != selection.require_flags:
        return MISSING_FLAGS
    if mapq < selection.min_mapq:
        return LOW_MAPQ
    if contig < 0 or position < 0:
        return UNPLACED
    return -1


@njit
def count_reference_bases(record):
    """Return how many reference bases the CIGAR of a record covers.

    The placeholder of a CIGAR with more than 65,535 operations (4.2.2) covers as many as the CIGAR itself.
    """
    bases = 0
    offset = FIXED + read_byte(record, NAME_LENGTH)
    for _ in range(read_uint16(record, OPERATIONS)):
        operation = read_int32(record, offset) & 0xFFFFFFFF
        if ON_REFERENCE >> (operation & 15) & 1:
            bases += operation >> 4
        offset += 4
    return bases


@njit
def is_counted_here(record, flag, contig, position):
    """Return 1 at the mate where a proper pair is counted, 0 at any other alignment.

    That is the leftmost mate, the first of the pair if both start together: the sign of TLEN is not to be trusted.
    Every second mate is the one, which no processor can guess: hence & and | instead of branches.
    """
    mate = read_int32(record, NEXT_POSITION)
    leftmost = (position < mate) | ((position == mate) & (flag & FIRST != 0))
    return np.int64((flag & PROPER_PAIR != 0) & (read_int32(record, NEXT_CONTIG) == contig) & leftmost)


@njit
def find_insertion(flag, position, end, selection):
    """Return the insertion of an alignment with the span [position, end): its 5' end, shifted; -1 if there is none."""
    if end == position:
        return -1  # without bases on the reference there is no 5' end
    return end - 1 + selection.shift_reverse if flag & REVERSE else position + selection.shift_forward


@njit
def bisect(values, first, last, limit):
    """Return the place of `limit` among the sorted values[first:last]: after all that are below it."""
    while first < last:
        middle = (first + last) // 2
        if values[middle] < limit:
            first = middle + 1
        else:
            last = middle
    return first


@njit
def find_rank(values, first, last, near, limit):
    """Bisect, but look first around `near`, the rank of the span before: in a sorted file it is there or next to it."""
    if near < last and values[near] < limit:
        near += 1
        return near if near == last or values[near] >= limit else bisect(values, near, last, limit)
    if near > first and values[near - 1] >= limit:
        near -= 1
        return near if near == first or values[near - 1] < limit else bisect(values, first, near, limit)
    return near


@njit
def profile_tss(site, first, last, positions, strands, profile):
    """Add an insertion to the profile, at its distance from each start site nearby in the direction of its strand."""
    at = bisect(positions, first, last, site - TSS_FLANK)
    while at < last and positions[at] <= site + TSS_FLANK:
        profile[TSS_FLANK + strands[at] * (site - positions[at])] += 1
        at += 1


@njit
def find_span(record, flag, position, is_fragment, length, selection):
    """Return start and end of what is counted at a kept alignment; start -1 if it is nothing."""
    if selection.mode == FRAGMENTS:
        return (position, position + length) if is_fragment else (-1, -1)
    end = position + count_reference_bases(record)
    if selection.mode == READS:
        return position, end
    site = find_insertion(flag, position, end, selection)
    return (site, site + 1) if site >= 0 else (-1, -1)


@compiled
def walk(data, selection, index, tallies):
    """Count the whole records in `data`; return how many bytes they take, or the problem of a record (below 0)."""
    alignments = unmapped = duplicates = proper_pairs = kept = fragments = counted = in_regions = 0
    last_contig, ended, begun = tallies.place[0], tallies.place[1], tallies.place[2]
    n_contigs = index.first.size - 1
    first, last = (index.first[last_contig], index.first[last_contig + 1]) if last_contig >= 0 else (0, 0)
    address, at = data.ctypes.data, 0
    while at + 4 <= data.size:
        record = address + at
        size = 4 + read_int32(record, 0)
        if not FIXED <= size <= LARGEST_RECORD:
            return BAD_SIZE
        if at + size > data.size:
            break
        problem = find_problem(record, size, n_contigs)
        if problem:
            return problem
        at += size
        flag, mapq = read_uint16(record, FLAG), read_byte(record, MAPQ)
        contig, position = read_int32(record, CONTIG), read_int32(record, POSITION)
        alignments += 1
        unmapped += flag & UNMAPPED != 0
        duplicates += flag & DUPLICATE != 0
        proper_pairs += flag & PROPER_PAIR != 0
        if not flag & (UNMAPPED | SECONDARY | SUPPLEMENTARY) and contig >= 0:
            tallies.mapq[mapq] += 1
            tallies.contigs[contig] += 1
        reason = find_reason(flag, mapq, contig, position, selection)
        if reason >= 0:
            tallies.excluded[reason] += 1
            continue
        kept += 1
        is_fragment = is_counted_here(record, flag, contig, position)
        length = abs(read_int32(record, TEMPLATE_LENGTH))
        fragments += is_fragment
        tallies.fragment_lengths[min(length, LARGEST_FRAGMENT)] += is_fragment
        if index.tss_first[contig] < index.tss_first[contig + 1]:
            site = find_insertion(flag, position, position + count_reference_bases(record), selection)
            if site >= 0:
                around = index.tss_first[contig], index.tss_first[contig + 1]
                profile_tss(site, *around, index.tss_positions, index.tss_strands, tallies.tss_profile)
        start, end = find_span(record, flag, position, is_fragment, length, selection)
        if start < 0:
            continue
        counted += 1
        if contig != last_contig:
            last_contig, first, last = contig, index.first[contig], index.first[contig + 1]
            ended = begun = first
        if start < end and first < last:
            ended = find_rank(index.sorted_ends, first, last, ended, start + 1)
            begun = find_rank(index.sorted_starts, first, last, begun, end)
            tallies.start_ranks[ended + contig] += 1
            tallies.end_ranks[begun + contig] += 1
            in_regions += begun > ended
    tallies.place[0], tallies.place[1], tallies.place[2] = last_contig, ended, begun
    # in the order of TOTALS
    tallies.totals[:] += np.array(
        (alignments, unmapped, duplicates, proper_pairs, kept, fragments, counted, in_regions)
    )
    return at


def compile_ahead() -> None:
    """Compile `walk`, or load what was compiled before, so that no job has to."""
    none = np.zeros(1, np.int64)
    selection, index = Selection(*[0] * len(Selection._fields)), Index(*[none] * len(Index._fields))
    tallies = Tallies(*(np.zeros(3, np.int64) for _ in Tallies._fields))
    walk(np.frombuffer(bytearray(), np.uint8), selection, index, tallies)
