"""Consensus regions: merge the peaks of all samples into one region set, and tell which samples support each region.

Intervals that overlap or touch become one region (as `bedtools merge` makes them), so each lies in exactly one. The
table of support has the regions as rows and a column a sample: 1 if the sample has an interval in the region, else 0.
Its last column, `support`, is the share of samples that have one.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from divvy_coverage.arrays import Integers
from divvy_coverage.command_line import run, warn
from divvy_coverage.errors import UserError, listing
from divvy_coverage.files import replacing, write_if_changed
from divvy_coverage.intervals.bed import LARGEST_COORDINATE, read_content, split_lines
from divvy_coverage.intervals.overlaps import Overlaps
from divvy_coverage.intervals.regions import SUPPORT, Regions, read_regions
from divvy_coverage.peaks.peak_files import SOURCES, read_intervals
from divvy_coverage.preflight.sheet import ROW_NAMES, Problem, Sample, by_kind, read_table

CELLS = 1 << 26  # of the table of support that are in memory twice while it is written

Part = tuple[int, Integers, Integers]  # the number of a sample, starts and ends of its intervals on one contig


@dataclass(frozen=True)
class Consensus:
    """Regions, and the samples that support them.

    `regions` are in the order of contig names and starts (as of `sort -k1,1 -k2,2n`); `support` (uint8, regions ×
    samples) is 1 where a sample has an interval in a region; `samples` names its columns.
    """

    regions: Regions
    support: NDArray[np.uint8]
    samples: list[str]


def build(
    intervals: Mapping[str, pd.DataFrame],
    min_samples: int = 1,
    groups: Mapping[str, str] | None = None,
    blacklist: Regions | None = None,
    chromosomes: str = ".*",
    lengths: Mapping[str, int] | None = None,
) -> Consensus:
    """Merge the intervals of all samples into regions.

    Parameters
    ----------
    intervals : `contig`, `start` and `end` (0-based half-open) of each sample
    min_samples : a region is kept if at least so many samples have an interval in it
    groups : the group of each sample; then `min_samples` have to be of one group, any one
    blacklist : regions that share at least 1 bp with one of these are removed
    chromosomes : regular expression of the contigs to keep, for the whole name
    lengths : contig lengths (bp); intervals end there at the latest. One that starts beyond stays as it is: it is of
        another genome build, which `check_contigs` finds

    Raises UserError for `min_samples` that no region can have, and if no region is left.
    """
    samples = list(intervals)
    members = _members(samples, min_samples, groups)
    parts = _by_contig(intervals, chromosomes)
    if blacklist and not parts.keys() & set(blacklist.contigs):
        contigs = f"{blacklist.contigs[0]} … and {min(parts)} …"
        warn(f"blacklist and peaks have no contig in common ({contigs}): it removes nothing; are both of one genome?")
    found: list[tuple[Regions, NDArray[np.uint8]]] = []  # support as bits, or it would be in memory twice
    merged = 0
    for contig in sorted(parts):
        length = (lengths or {}).get(contig, LARGEST_COORDINATE)
        regions, support = _merge_samples(contig, parts.pop(contig), len(samples), length)
        enough = np.any([support[:, group].sum(axis=1) >= min_samples for group in members], axis=0)
        rows = np.flatnonzero(enough & ~_blacklisted(regions, blacklist))
        kept = Regions([contig] * len(rows), regions.starts[rows], regions.ends[rows])
        found.append((kept, np.packbits(support[rows], axis=1)))
        merged += len(regions)
    if not any(len(regions) for regions, _ in found):
        outside = (
            " and are outside the blacklist; change min_samples or blacklist" if blacklist else "; lower min_samples"
        )
        raise UserError(
            f"expected at least one consensus region, found none: of {merged} merged regions none have peaks "
            f"of at least {min_samples} samples{outside}"
        )
    return _joined(found, samples)


def merge(starts: Integers, ends: Integers) -> tuple[Integers, Integers, Integers]:
    """Merge intervals on one contig that overlap or touch.

    Returns for each interval the number of the merged one that it lies in, and the starts and ends of the merged ones,
    which are sorted.
    """
    order = np.argsort(starts)
    begins, reach = starts[order], np.maximum.accumulate(ends[order])
    first = np.append(True, begins[1:] > reach[:-1])
    numbers = np.empty(len(starts), np.int64)
    numbers[order] = np.cumsum(first) - 1
    return numbers, begins[first], reach[np.append(first[1:], True)]


def _members(samples: Sequence[str], min_samples: int, groups: Mapping[str, str] | None) -> list[list[int]]:
    """Return the numbers of the samples of each group."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(samples):
        numbers[groups[name] if groups else "all"].append(number)
    largest = max(map(len, numbers.values()), default=0)
    if not 1 <= min_samples <= largest:
        whose = "of the largest group" if groups else "with peaks"
        raise UserError(f"min_samples: expected 1 to {largest}, the number of samples {whose}, found {min_samples}")
    return list(numbers.values())


def _by_contig(intervals: Mapping[str, pd.DataFrame], chromosomes: str) -> dict[str, list[Part]]:
    """Return the intervals on each contig that is kept."""
    try:
        kept = re.compile(chromosomes)
    except re.error as error:
        raise UserError(f"chromosomes: expected a regular expression, found {chromosomes!r}: {error}") from error
    parts: dict[str, list[Part]] = defaultdict(list)
    for number, frame in enumerate(intervals.values()):
        starts, ends = frame["start"].to_numpy(np.int64), frame["end"].to_numpy(np.int64)
        for contig, rows in frame.groupby("contig", observed=True).indices.items():
            if kept.fullmatch(contig):
                parts[contig].append((number, starts[rows], ends[rows]))
    if not parts:
        names = sorted({contig for frame in intervals.values() for contig in frame["contig"].unique()})
        raise UserError(
            f"chromosomes: expected an expression for contigs of the peaks, which have {', '.join(names[:10])} …; "
            f"found {chromosomes!r}"
        )
    return parts


def _merge_samples(contig: str, parts: Sequence[Part], samples: int, length: int) -> tuple[Regions, NDArray[np.uint8]]:
    """Return the merged regions of one contig, and their support (regions × samples)."""
    numbers, part_starts, part_ends = zip(*parts, strict=True)
    starts, ends = np.concatenate(part_starts), np.concatenate(part_ends)
    region, starts, ends = merge(starts, np.where(starts < length, np.minimum(ends, length), ends))
    support = np.zeros((len(starts), samples), np.uint8)
    support[region, np.repeat(numbers, [len(part) for part in part_starts])] = 1
    return Regions([contig] * len(starts), starts, ends), support


def _joined(found: Sequence[tuple[Regions, NDArray[np.uint8]]], samples: list[str]) -> Consensus:
    """Join the regions of contigs, and their support, which is packed as bits."""
    contigs = [contig for regions, _ in found for contig in regions.contigs]
    starts = np.concatenate([regions.starts for regions, _ in found])
    ends = np.concatenate([regions.ends for regions, _ in found])
    support = np.unpackbits(np.concatenate([bits for _, bits in found]), axis=1, count=len(samples))
    return Consensus(Regions(contigs, starts, ends), support, samples)


def _blacklisted(regions: Regions, blacklist: Regions | None) -> NDArray[np.bool_]:
    """Tell which regions, all of one contig, overlap the blacklist."""
    if not blacklist:
        return np.zeros(len(regions), np.bool_)
    contig = regions.contigs[0]
    here = np.array(blacklist.contigs) == contig
    overlaps = Overlaps(regions, [contig])
    overlaps.add(0, blacklist.starts[here], blacklist.ends[here])
    return overlaps.counts() > 0


def read_samples(
    table: Sequence[Sample], source: str, extension: int, group_attribute: str = ""
) -> tuple[dict[str, pd.DataFrame], dict[str, str] | None, list[Problem]]:
    """Read the peaks of all samples that have some, and their groups.

    Returns for each sample the intervals that `peaks.read_intervals` reads from its files, its value of the attribute
    `group_attribute` (None without one), and the problems of the samples that cannot be used.
    """
    intervals: dict[str, pd.DataFrame] = {}
    groups: dict[str, str] = {}
    problems: list[Problem] = []
    for sample in table:
        (name,) = sample["sample_name"]
        if not sample.get("peaks"):
            continue
        try:
            intervals[name] = _read_files([Path(path) for path in sample["peaks"]], source, extension)
            groups[name] = _group(sample, group_attribute) if group_attribute else ""
            if name == SUPPORT:
                raise UserError("the table of support has a column of this name; call the sample another name")
        except UserError as error:
            problems.append(Problem("peaks", name, str(error)))
    if intervals and not problems and len(intervals) < len(table):
        without = [sample["sample_name"][0] for sample in table if sample["sample_name"][0] not in intervals]
        warn(f"{len(without)} of {len(table)} samples have no peaks, so they have no part in it:{listing(without)}")
    return intervals, groups if group_attribute else None, problems


def _read_files(paths: Sequence[Path], source: str, extension: int) -> pd.DataFrame:
    frames = [read_intervals(path, source, extension) for path in paths]
    return pd.concat(frames, ignore_index=True).astype({"contig": "category"})


def _group(sample: Sample, attribute: str) -> str:
    values = sample.get(attribute, [])
    if len(values) != 1:
        raise UserError(f"expected one value of its attribute {attribute!r}, found {len(values)}")
    return values[0]


def read_lengths(path: Path) -> dict[str, int]:
    """Read contig lengths (bp): contig and length in the first two columns, as in chrom.sizes or a FASTA index."""
    lengths: dict[str, int] = {}
    for number, line in enumerate(split_lines(read_content(path), path), start=1):
        fields = line.split()
        if len(fields) == 1 or (fields and not (fields[1].isascii() and fields[1].isdigit())):
            raise UserError(f"{path}: line {number}: expected a contig and its length in bp, found {line[:60]!r}")
        if fields:
            lengths[fields[0]] = int(fields[1])
    return lengths


def write_support(consensus: Consensus, path: Path) -> None:
    """Write the table of support as Parquet, some rows at a time; pandas reads `region` as the index."""
    regions, samples = consensus.regions.names(), consensus.samples
    empty = pd.DataFrame({name: np.zeros(0, np.uint8) for name in samples} | {SUPPORT: np.zeros(0)})
    metadata = pa.Schema.from_pandas(empty.set_index(pd.Index([], str, name=ROW_NAMES))).metadata
    columns = [(ROW_NAMES, pa.string()), *((name, pa.uint8()) for name in samples), (SUPPORT, pa.float64())]
    schema = pa.schema(columns, metadata=metadata)
    rows = max(1, CELLS // len(samples))
    with replacing(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for first in range(0, len(regions), rows):
            block = np.ascontiguousarray(consensus.support[first : first + rows].T)
            share = block.sum(axis=0) / len(samples)
            arrays = [regions[first : first + rows], *block, share]
            writer.write_batch(pa.record_batch([pa.array(array) for array in arrays], schema=schema))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: build the consensus regions of the samples of a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--samples", type=Path, required=True, help="table with the columns sample_name and peaks")
    add("--source", choices=SOURCES, default="summits", help="windows around summits, or whole peaks (%(default)s)")
    add("--extension", type=int, default=250, help="bp to both sides of a summit (%(default)s)")
    add("--min-samples", type=int, default=1, help="least number of samples with a peak in a region (%(default)s)")
    add(
        "--group-attribute", default="", help="attribute with groups of samples; --min-samples is then of any one group"
    )
    add("--blacklist", type=Path, help="BED: regions that overlap these are removed")
    add("--chromosomes", default=".*", help="regular expression of the contigs to keep (%(default)s)")
    add("--lengths", type=Path, help="contig lengths, where regions end: chrom.sizes or FASTA index (.fai)")
    add("--out", type=Path, required=True, help="regions to write (BED), rewritten only if they changed")
    add("--support", type=Path, required=True, help="table of support to write (.parquet)")
    args = parser.parse_args(argv)
    if args.extension < 0:
        raise UserError(f"extension: expected 0 bp or more, found {args.extension}")
    blacklist = read_regions(args.blacklist) if args.blacklist else None
    lengths = read_lengths(args.lengths) if args.lengths else None
    table = read_table(args.samples)
    intervals, groups, problems = read_samples(table, args.source, args.extension, args.group_attribute)
    if problems:
        raise UserError(f"{args.samples}: {len(problems)} of {len(table)} samples cannot be used:{by_kind(problems)}")
    if not intervals:
        raise UserError(f"{args.samples}: no sample has peaks; give the paths of peak files in the column peaks")
    consensus = build(intervals, args.min_samples, groups, blacklist, args.chromosomes, lengths)
    write_support(consensus, args.support)
    write_if_changed(args.out, consensus.regions.bed())


if __name__ == "__main__":
    sys.exit(run(main))
