"""Consensus regions: merge the peaks of all samples into one region set, and tell which samples support each region.

Intervals that overlap or touch become one region (as `bedtools merge` makes them), so each lies in exactly one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from divvy_coverage.arrays import Integers
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import LARGEST_COORDINATE
from divvy_coverage.intervals.merging import merge_intervals
from divvy_coverage.intervals.overlaps import count_overlapping
from divvy_coverage.intervals.regions import Regions, join_regions
from divvy_coverage.intervals.selection import compile_contigs
from divvy_coverage.peaks.peak_files import check_source, read_peaks
from divvy_coverage.problems import Problem

COLUMNS = ("chrom", "start", "end")

Part = tuple[int, Integers, Integers]  # the number of a sample, starts and ends of its intervals on one contig
Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Consensus:
    """Regions, and the samples that support them.

    Attributes
    ----------
    regions
        In the order of contig names and starts, as of `sort -k1,1 -k2,2n`.
    support
        Regions × samples (uint8): 1 where a sample has an interval in a region, else 0.
    samples
        The names of the columns of `support`.
    problems
        Warnings of what may be a mistake.
    """

    regions: Regions
    support: NDArray[np.uint8]
    samples: list[str]
    problems: list[Problem] = field(default_factory=list)


def build_consensus(
    peaks: Mapping[str, pd.DataFrame | str | Path],
    min_samples: int = 1,
    groups: Mapping[str, str] | None = None,
    blacklist: Regions | None = None,
    contigs: str = ".*",
    lengths: Mapping[str, int] | None = None,
    *,
    source: str = "summits",
    extension: int = 250,
) -> Consensus:
    """Merge the peaks of all samples into regions.

    Parameters
    ----------
    peaks
        By sample, a file of peaks or the intervals themselves: `chrom`, `start` and `end` (bp, 0-based half-open).
    min_samples
        A region is kept if at least this many samples have an interval in it.
    groups
        The group of each sample; then `min_samples` have to be of one group, any one.
    blacklist
        Regions that share at least 1 bp with one of these are removed.
    contigs
        Regular expression of the contigs to keep; it has to match the whole name.
    lengths
        Contig lengths (bp); intervals end there at the latest. One that starts beyond stays as it is: it is of another
        genome build, which `check_contigs` finds.
    source, extension
        What of the peaks in a file becomes an interval, see `read_peaks`; without effect on intervals that are given.

    Raises
    ------
    UserError
        For files and intervals that cannot be used, for `min_samples` that no region can have, and if no region is
        left.

    Examples
    --------
    >>> build_consensus({"a": "a_summits.bed", "b": "b.narrowPeak"}, min_samples=2).regions.names()  # doctest: +SKIP
    ['chr1:1050-1601', 'chr2:3350-3900']
    """
    check_source(source, extension)
    samples = list(peaks)
    members = _get_members(samples, min_samples, groups)
    intervals = [_get_intervals(name, given, source, extension) for name, given in peaks.items()]
    parts = _split_by_contig(intervals, contigs)
    problems = _check_blacklist(blacklist, parts)
    found: list[tuple[Regions, Bits]] = []  # support as bits, or it would be in memory twice
    merged = 0
    for contig in sorted(parts):
        length = (lengths or {}).get(contig, LARGEST_COORDINATE)
        regions, support = _merge_samples(contig, parts.pop(contig), len(samples), length)
        enough = np.any([support[:, group].sum(axis=1) >= min_samples for group in members], axis=0)
        kept = enough & (count_overlapping(regions, blacklist) == 0) if blacklist else enough
        found.append((regions.take(kept), np.packbits(support[kept], axis=1)))
        merged += len(regions)
    if not any(len(regions) for regions, _ in found):
        advice = (
            " and are outside the blacklist; change min_samples or blacklist" if blacklist else "; lower min_samples"
        )
        raise UserError(
            f"expected at least one consensus region, found none: of {merged} merged regions none have peaks "
            f"of at least {min_samples} samples{advice}"
        )
    return _join(found, samples, problems)


def _get_members(samples: Sequence[str], min_samples: int, groups: Mapping[str, str] | None) -> list[list[int]]:
    """Return the numbers of the samples of each group."""
    if groups and (missing := [name for name in samples if name not in groups]):
        raise UserError(f"groups: expected the group of each sample, found none of {', '.join(missing[:10])}")
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(samples):
        numbers[groups[name] if groups else "all"].append(number)
    largest = max(map(len, numbers.values()), default=0)
    if not 1 <= min_samples <= largest:
        whose = "of the largest group" if groups else "with peaks"
        raise UserError(f"min_samples: expected 1 to {largest}, the number of samples {whose}, found {min_samples}")
    return list(numbers.values())


def _get_intervals(name: str, given: pd.DataFrame | str | Path, source: str, extension: int) -> pd.DataFrame:
    """Return the intervals of a sample, which are read or given."""
    if not isinstance(given, pd.DataFrame):
        return read_peaks(given, source, extension)
    if missing := [column for column in COLUMNS if column not in given]:
        raise UserError(f"{name}: expected the columns {', '.join(COLUMNS)}, found no {', '.join(missing)}")
    whole = all(given[column].dtype.kind in "iu" for column in COLUMNS[1:]) and given.chrom.notna().all()
    if len(given) and not (
        whole and ((given.start >= 0) & (given.start < given.end) & (given.end <= LARGEST_COORDINATE)).all()
    ):
        raise UserError(
            f"{name}: expected intervals of whole numbers, 0 <= start < end < 2^31, found others; mend or remove them"
        )
    if isinstance(given.chrom.dtype, pd.CategoricalDtype):
        return given
    return given.assign(chrom=given.chrom.astype(str))  # names may be numbers


def _split_by_contig(intervals: Sequence[pd.DataFrame], contigs: str) -> dict[str, list[Part]]:
    """Return the intervals on each contig that is kept."""
    kept = compile_contigs(contigs)
    parts: dict[str, list[Part]] = defaultdict(list)
    for number, frame in enumerate(intervals):
        starts, ends = frame["start"].to_numpy(np.int64), frame["end"].to_numpy(np.int64)
        for contig, rows in frame.groupby("chrom", observed=True).indices.items():
            if kept.fullmatch(contig):
                parts[contig].append((number, starts[rows], ends[rows]))
    if not parts:
        names = sorted({contig for frame in intervals for contig in frame["chrom"].unique()})
        raise UserError(
            f"contigs: expected an expression for contigs of the peaks, which have {', '.join(names[:10])} …; "
            f"found {contigs!r}"
        )
    return parts


def _check_blacklist(blacklist: Regions | None, parts: Mapping[str, list[Part]]) -> list[Problem]:
    """Warn of a blacklist that can remove nothing."""
    if not blacklist or parts.keys() & set(blacklist.contigs):
        return []
    contigs = f"{blacklist.contigs[0]} … and {min(parts)} …"
    text = f"blacklist and peaks have no contig in common ({contigs}): it removes nothing; are both of one genome?"
    return [Problem("", None, "blacklist", "warning", text)]


def _merge_samples(contig: str, parts: Sequence[Part], samples: int, length: int) -> tuple[Regions, NDArray[np.uint8]]:
    """Return the merged regions of one contig, and their support (regions × samples)."""
    numbers, part_starts, part_ends = zip(*parts, strict=True)
    starts, ends = np.concatenate(part_starts), np.concatenate(part_ends)
    region, starts, ends = merge_intervals(starts, np.where(starts < length, np.minimum(ends, length), ends))
    support = np.zeros((len(starts), samples), np.uint8)
    support[region, np.repeat(numbers, [len(part) for part in part_starts])] = 1
    return Regions.from_names([contig] * len(starts), starts, ends), support


def _join(found: Sequence[tuple[Regions, Bits]], samples: list[str], problems: list[Problem]) -> Consensus:
    """Join the regions of contigs, and their support, which is packed as bits."""
    support = np.unpackbits(np.concatenate([bits for _, bits in found]), axis=1, count=len(samples))
    return Consensus(join_regions([regions for regions, _ in found]), support, samples, problems)
