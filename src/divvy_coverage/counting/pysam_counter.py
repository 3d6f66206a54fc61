"""Count through pysam and numpy: the reference for the engine, and the way for SAM and CRAM.

It reads a file from front to back and only the fields that it needs; no index and no sort order is needed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pysam
from numpy.typing import NDArray

from divvy_coverage.alignments import bgzf
from divvy_coverage.counting.definition import (
    DUPLICATE,
    FIRST,
    LARGEST_FRAGMENT,
    LOW_MAPQ,
    MISSING_FLAGS,
    PROPER_PAIR,
    REASONS,
    REVERSE,
    SECONDARY,
    SUPPLEMENTARY,
    TOTALS,
    TSS_FLANK,
    UNMAPPED,
    UNPLACED,
    Counting,
    Integers,
    Tally,
)
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.overlaps import Overlaps
from divvy_coverage.intervals.regions import Regions, check_contigs
from divvy_coverage.intervals.start_sites import NO_START_SITES, StartSites

REFERENCE_BASES = (pysam.CMATCH, pysam.CDEL, pysam.CREF_SKIP, pysam.CEQUAL, pysam.CDIFF)
BATCH = 1 << 17

CRAM_END, CRAM_END_SIZE = b"\xff\xff\xff\xff\x0f\xe0EOF", 38  # in the container that ends a file (CRAM, 9)
# what is read of a CRAM file: FLAG to TLEN, but no sequences, which alone need the reference genome
CRAM_FIELDS = [b"required_fields=0x1fe"]

Booleans = NDArray[np.bool_]

pysam.set_verbosity(0)  # htslib's lines on stderr repeat what the errors below say


def count(
    path: Path,
    regions: Regions,
    counting: Counting,
    sites: StartSites = NO_START_SITES,
    reference: Path | None = None,
) -> tuple[Integers, Tally]:
    """Count one file; returns the counts (int64, region order) and the statistics. Raises UserError."""
    _check_end(path)
    with _opened(path, reference) as file:
        contigs = dict(zip(file.references, file.lengths, strict=True))
        check_contigs(regions, contigs, path, counting.absent_contigs)
        overlaps, tally = Overlaps(regions, file.references), Tally()
        per_contig = np.zeros(len(contigs), np.int64)
        tss = sites.index(file.references)
        for batch in _batches(file):
            _count_batch(batch, overlaps, counting, tally, per_contig)
            _profile_tss(batch, tss, counting, tally)
    tally.contigs = dict(zip(contigs, per_contig.tolist(), strict=True))
    return overlaps.counts(), tally


def read_contigs(path: Path) -> dict[str, int]:
    """Return the contigs of a SAM or CRAM file with their lengths (bp), in header order. Raises UserError."""
    with _opened(path) as file:
        return dict(zip(file.references, file.lengths, strict=True))


def check_cram_end(file: BinaryIO, path: Path) -> None:
    """Raise UserError if a CRAM file lacks the container that ends it."""
    file.seek(-min(CRAM_END_SIZE, file.seek(0, os.SEEK_END)), os.SEEK_END)
    if CRAM_END not in file.read():
        raise UserError(f"{path}: the end-of-file container is missing; the file was truncated: copy or make it again")


@contextmanager
def _opened(path: Path, reference: Path | None = None) -> Iterator[pysam.AlignmentFile]:
    """Open a file, and make UserErrors of what pysam raises of it."""
    options = {"reference_filename": reference and str(reference), "format_options": CRAM_FIELDS}
    try:
        with pysam.AlignmentFile(str(path), check_sq=False, **options) as file:
            yield file
    except (OSError, ValueError) as error:  # pysam's ways to say that a file is truncated or damaged
        found = "a damaged header" if "valid header" in str(error) else error
        raise UserError(f"{path}: expected BAM, CRAM or SAM, found: {found}; copy or make it again") from error


def _check_end(path: Path) -> None:
    """Raise UserError if a file lacks the mark at its end: htslib only warns of it."""
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == b"CRAM":
            check_cram_end(file, path)
        if start == bgzf.MAGIC:
            for _ in bgzf.read_blocks(file, path):
                pass


def _count_batch(batch: Integers, overlaps: Overlaps, counting: Counting, tally: Tally, per_contig: Integers) -> None:
    flag, mapq, contig, start, end, mate_contig, mate_start, template = batch
    primary = (flag & (UNMAPPED | SECONDARY | SUPPLEMENTARY) == 0) & (contig >= 0)
    tally.mapping_quality += np.bincount(mapq[primary], minlength=256)
    per_contig += np.bincount(contig[primary], minlength=len(per_contig))
    reason = _reasons(flag, mapq, contig, start, counting)
    tally.excluded += np.bincount(reason[reason >= 0], minlength=len(REASONS))
    kept = reason < 0
    leftmost = (start < mate_start) | ((start == mate_start) & (flag & FIRST != 0))
    fragment = kept & (flag & PROPER_PAIR != 0) & (mate_contig == contig) & leftmost
    length = np.abs(template)
    tally.fragment_lengths += np.bincount(
        np.minimum(length[fragment], LARGEST_FRAGMENT), minlength=LARGEST_FRAGMENT + 1
    )
    counted, start, end = _spans(counting, kept, fragment, flag, start, end, length)
    in_regions = 0
    for number in np.unique(contig[counted]).tolist():
        here = counted & (contig == number)
        in_regions += overlaps.add(number, start[here], end[here])
    numbers = {
        "alignments": len(flag),
        "unmapped": np.count_nonzero(flag & UNMAPPED),
        "duplicates": np.count_nonzero(flag & DUPLICATE),
        "proper_pairs": np.count_nonzero(flag & PROPER_PAIR),
        "kept": np.count_nonzero(kept),
        "fragments": np.count_nonzero(fragment),
        "counted": np.count_nonzero(counted),
        "in_regions": in_regions,
    }
    tally.totals += np.array([numbers[name] for name in TOTALS])


def _profile_tss(batch: Integers, tss: tuple[Integers, Integers, Integers], counting: Counting, tally: Tally) -> None:
    """Add the cut sites of a batch to the profile, at their distance from each start site around them."""
    first, positions, strands = tss
    if not len(positions):
        return
    flag, mapq, contig, start, end = batch[:5]
    kept = _reasons(flag, mapq, contig, start, counting) < 0
    cut, site, _ = _spans(replace(counting, mode="cuts"), kept, kept, flag, start, end, start)
    for number in np.unique(contig[cut]).tolist():
        sites = np.sort(site[cut & (contig == number)])
        here = slice(*first[number : number + 2].tolist())
        for position, strand in zip(positions[here].tolist(), strands[here].tolist(), strict=True):
            low, high = np.searchsorted(sites, [position - TSS_FLANK, position + TSS_FLANK + 1])
            distances = TSS_FLANK + strand * (sites[low:high] - position)
            tally.tss_profile += np.bincount(distances, minlength=2 * TSS_FLANK + 1)


def _reasons(flag: Integers, mapq: Integers, contig: Integers, start: Integers, counting: Counting) -> Integers:
    """Return the number of the reason why each alignment is not kept, -1 if it is."""
    reason = np.full(len(flag), -1)
    reason[(contig < 0) | (start < 0)] = UNPLACED
    reason[mapq < counting.min_mapq] = LOW_MAPQ
    reason[flag & counting.require_flags != counting.require_flags] = MISSING_FLAGS
    unwanted = flag & counting.exclude_flags
    for bit in reversed(range(MISSING_FLAGS)):
        reason[unwanted >> bit & 1 != 0] = bit
    return reason


def _spans(
    counting: Counting,
    kept: Booleans,
    fragment: Booleans,
    flag: Integers,
    start: Integers,
    end: Integers,
    length: Integers,
) -> tuple[Booleans, Integers, Integers]:
    """Return at which alignments something is counted, and its spans [start, end)."""
    if counting.mode == "reads":
        return kept, start, end
    if counting.mode == "fragments":
        return fragment, start, start + length
    forward, reverse = counting.shift
    site = np.where(flag & REVERSE != 0, end - 1 + reverse, start + forward)
    return kept & (start < end) & (site >= 0), site, site + 1


def _batches(file: pysam.AlignmentFile) -> Iterator[Integers]:
    """Yield arrays (8, n): flag, mapping quality, contig number, start and end, contig and start of the mate, TLEN."""
    rows: list[tuple[int, ...]] = []
    for read in file.fetch(until_eof=True):
        start = read.reference_start
        mate = (read.next_reference_id, read.next_reference_start, read.template_length)
        rows.append((read.flag, read.mapping_quality, read.reference_id, start, _end(read, start), *mate))
        if len(rows) == BATCH:
            yield np.array(rows, np.int64).T
            rows = []
    if rows:
        yield np.array(rows, np.int64).T


def _end(read: pysam.AlignedSegment, start: int) -> int:
    """Return the end of the reference span.

    htslib gives an alignment without reference bases one all the same, and pysam gives none to one that is flagged as
    unmapped: these are summed up here.
    """
    end: int | None = read.reference_end
    if end is None or end == start + 1:
        end = start + sum(length for operation, length in read.cigartuples or () if operation in REFERENCE_BASES)
    return end
