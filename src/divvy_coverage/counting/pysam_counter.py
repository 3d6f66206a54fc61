"""Count through pysam and numpy: the reference for the engine, and the way for SAM and CRAM.

It reads a file from front to back and only the fields that it needs; no index and no sort order is needed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pysam

from divvy_coverage.alignments.htslib import check_whole, get_contigs, open_alignments
from divvy_coverage.arrays import Booleans, Integers
from divvy_coverage.counting.definition import (
    DUPLICATE,
    FIRST,
    LOW_MAPQ,
    MISSING_FLAGS,
    PROPER_PAIR,
    REASONS,
    REVERSE,
    SECONDARY,
    SUPPLEMENTARY,
    UNMAPPED,
    UNPLACED,
    Counting,
)
from divvy_coverage.counting.statistics import LARGEST_FRAGMENT, TOTALS, TSS_FLANK, Tally
from divvy_coverage.intervals.contigs import check_contigs
from divvy_coverage.intervals.overlaps import Overlaps
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.intervals.start_sites import StartSites

REFERENCE_BASES = (pysam.CMATCH, pysam.CDEL, pysam.CREF_SKIP, pysam.CEQUAL, pysam.CDIFF)
BATCH = 1 << 17  # alignments


def count_with_pysam(
    path: Path,
    regions: Regions,
    counting: Counting,
    sites: StartSites,
    reference: Path | None,
    warn: Callable[[str], None],
) -> tuple[Integers, Tally]:
    """Count one file; parameters, result and errors are those of `count_alignments`."""
    check_whole(path)
    with open_alignments(path, reference) as file:
        contigs = get_contigs(file)
        if warning := check_contigs(regions, contigs, path, counting.absent_contigs):
            warn(warning)
        overlaps, tally = Overlaps(regions, file.references), Tally()
        per_contig = np.zeros(len(contigs), np.int64)
        tss = sites.index_by_contig(file.references)
        for batch in _read_batches(file):
            _count_batch(batch, overlaps, counting, tally, per_contig)
            _profile_tss(batch, tss, counting, tally)
    tally.contigs = dict(zip(contigs, per_contig.tolist(), strict=True))
    return overlaps.counts(), tally


def _count_batch(batch: Integers, overlaps: Overlaps, counting: Counting, tally: Tally, per_contig: Integers) -> None:
    flag, mapq, contig, start, end, mate_contig, mate_start, template = batch
    primary = (flag & (UNMAPPED | SECONDARY | SUPPLEMENTARY) == 0) & (contig >= 0)
    tally.mapping_quality += np.bincount(mapq[primary], minlength=256)
    per_contig += np.bincount(contig[primary], minlength=len(per_contig))
    reason = _find_reasons(flag, mapq, contig, start, counting)
    tally.excluded += np.bincount(reason[reason >= 0], minlength=len(REASONS))
    kept = reason < 0
    leftmost = (start < mate_start) | ((start == mate_start) & (flag & FIRST != 0))
    fragment = kept & (flag & PROPER_PAIR != 0) & (mate_contig == contig) & leftmost
    length = np.abs(template)
    tally.fragment_lengths += np.bincount(
        np.minimum(length[fragment], LARGEST_FRAGMENT), minlength=LARGEST_FRAGMENT + 1
    )
    counted, start, end = _find_spans(counting, kept, fragment, flag, start, end, length)
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
    """Add the insertions of a batch to the profile, at their distance from each start site around them."""
    first, positions, strands = tss
    if not len(positions):
        return
    flag, mapq, contig, start, end = batch[:5]
    kept = _find_reasons(flag, mapq, contig, start, counting) < 0
    inserted, site, _ = _find_spans(replace(counting, mode="insertions"), kept, kept, flag, start, end, start)
    for number in np.unique(contig[inserted]).tolist():
        sites = np.sort(site[inserted & (contig == number)])
        here = slice(*first[number : number + 2].tolist())
        for position, strand in zip(positions[here].tolist(), strands[here].tolist(), strict=True):
            low, high = np.searchsorted(sites, [position - TSS_FLANK, position + TSS_FLANK + 1])
            distances = TSS_FLANK + strand * (sites[low:high] - position)
            tally.tss_profile += np.bincount(distances, minlength=2 * TSS_FLANK + 1)


def _find_reasons(flag: Integers, mapq: Integers, contig: Integers, start: Integers, counting: Counting) -> Integers:
    """Return the number of the reason why each alignment is not kept, -1 if it is."""
    reason = np.full(len(flag), -1)
    reason[(contig < 0) | (start < 0)] = UNPLACED
    reason[mapq < counting.min_mapq] = LOW_MAPQ
    reason[flag & counting.require_flags != counting.require_flags] = MISSING_FLAGS
    unwanted = flag & counting.exclude_flags
    for bit in reversed(range(MISSING_FLAGS)):
        reason[unwanted >> bit & 1 != 0] = bit
    return reason


def _find_spans(
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


def _read_batches(file: pysam.AlignmentFile) -> Iterator[Integers]:
    """Yield arrays (8, n): flag, mapping quality, contig number, start and end, contig and start of the mate, TLEN."""
    rows: list[tuple[int, ...]] = []
    for read in file.fetch(until_eof=True):
        start = read.reference_start
        mate = (read.next_reference_id, read.next_reference_start, read.template_length)
        rows.append((read.flag, read.mapping_quality, read.reference_id, start, _find_end(read, start), *mate))
        if len(rows) == BATCH:
            yield np.array(rows, np.int64).T
            rows = []
    if rows:
        yield np.array(rows, np.int64).T


def _find_end(read: pysam.AlignedSegment, start: int) -> int:
    """Return the end of the reference span.

    htslib gives an alignment without reference bases one all the same, and pysam gives none to one that is flagged as
    unmapped: these are summed up here.
    """
    end: int | None = read.reference_end
    if end is None or end == start + 1:
        end = start + sum(length for operation, length in read.cigartuples or () if operation in REFERENCE_BASES)
    return end
