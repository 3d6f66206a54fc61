"""Make a small project of simulated ATAC-seq samples: a PEP, BAM files, peaks, and regions.

Two groups of samples share the regions; in a tenth of the regions the groups differ (truth.tsv says where and how
much). Alignments are paired-end, coordinate-sorted and indexed, with duplicates, low mapping qualities and unmapped
pairs among them. The same options give the same files.
"""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pysam
from numpy.typing import NDArray

from divvy_coverage.command_line import run
from divvy_coverage.errors import UserError
from divvy_coverage.files import replacing

GROUPS = ("control", "treated")
READ_LENGTH = 50
SPACING = 4000  # bp of genome a region
BACKGROUND = 0.4  # share of fragments outside regions
DIFFERENTIAL = 0.1  # share of regions that differ between the groups
CONTIG_SHARES = {"chr1": 0.5, "chr2": 0.3, "chr3": 0.2}

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Genome:
    """Contigs with lengths (bp), and regions on them (contig numbers, starts, ends; 0-based half-open)."""

    contigs: dict[str, int]
    region_contigs: Integers
    starts: Integers
    ends: Integers
    strength: Floats  # (groups, regions): relative number of fragments
    log2_fold_change: Floats


@dataclass(frozen=True)
class Fragments:
    """Fragments of one sample, sorted by position: contig numbers, starts, lengths."""

    contigs: Integers
    starts: Integers
    lengths: Integers


def simulate_genome(n_regions: int, rng: np.random.Generator) -> Genome:
    """Lay regions of 200 to 900 bp over three contigs, and choose their strength in each group."""
    shares = np.cumsum(list(CONTIG_SHARES.values()))
    region_contigs = np.searchsorted(shares, (np.arange(n_regions) + 0.5) / n_regions)
    place = np.concatenate([np.arange(np.count_nonzero(region_contigs == c)) for c in range(len(shares))])
    width = rng.integers(200, 900, n_regions)
    starts = SPACING * place + SPACING // 2 + rng.integers(0, SPACING // 2, n_regions)
    lengths = [SPACING * (int(np.count_nonzero(region_contigs == c)) + 1) for c in range(len(shares))]
    fold_change = np.zeros(n_regions)
    differs = rng.random(n_regions) < DIFFERENTIAL
    fold_change[differs] = rng.choice([-2.0, 2.0], np.count_nonzero(differs))
    base = rng.lognormal(0, 0.7, n_regions)
    strength = np.stack([base * 2 ** (-fold_change / 2), base * 2 ** (fold_change / 2)])
    contigs = dict(zip(CONTIG_SHARES, lengths, strict=True))
    return Genome(contigs, region_contigs, starts, starts + width, strength, fold_change)


def simulate_fragments(genome: Genome, group: int, n_fragments: int, rng: np.random.Generator) -> Fragments:
    """Draw fragments: most around the middle of regions, the rest anywhere; some are repeated as duplicates."""
    lengths = np.clip(rng.gamma(4, 45, n_fragments).astype(np.int64), READ_LENGTH, 800)
    contig_lengths = np.array(list(genome.contigs.values()))
    weight = genome.strength[group] / genome.strength[group].sum()
    region = rng.choice(len(weight), n_fragments, p=weight)
    contigs = genome.region_contigs[region]
    middle = (genome.starts + genome.ends)[region] // 2 + rng.normal(0, 80, n_fragments).astype(np.int64)
    anywhere = rng.random(n_fragments) < BACKGROUND
    contigs[anywhere] = rng.choice(
        len(contig_lengths), np.count_nonzero(anywhere), p=contig_lengths / contig_lengths.sum()
    )
    middle[anywhere] = rng.integers(0, contig_lengths[contigs[anywhere]])
    copies = rng.random(n_fragments) < 0.05
    source = rng.integers(0, n_fragments, n_fragments)
    contigs, middle, lengths = (np.where(copies, values[source], values) for values in (contigs, middle, lengths))
    starts = np.clip(middle - lengths // 2, 0, contig_lengths[contigs] - lengths)
    order = np.lexsort((lengths, starts, contigs))
    return Fragments(contigs[order], starts[order], lengths[order])


def alignments(
    fragments: Fragments, header: pysam.AlignmentHeader, rng: np.random.Generator
) -> list[pysam.AlignedSegment]:
    """Return both mates of each fragment in coordinate order, then some unmapped pairs."""
    number = len(fragments.starts)
    mapq = rng.choice([60, 40, 20, 5], number, p=[0.8, 0.1, 0.05, 0.05])
    same = np.zeros(number, bool)
    same[1:] = (np.diff(fragments.contigs) == 0) & (np.diff(fragments.starts) == 0) & (np.diff(fragments.lengths) == 0)
    first_is_left = rng.random(number) < 0.5
    segments = []
    for i in range(number):
        left, right = _pair(header, f"f{i}", int(mapq[i]), 0x400 if same[i] else 0, bool(first_is_left[i]))
        start, length, contig = int(fragments.starts[i]), int(fragments.lengths[i]), int(fragments.contigs[i])
        mate = start + length - READ_LENGTH
        for read, here, there, template in ((left, start, mate, length), (right, mate, start, -length)):
            read.reference_id = read.next_reference_id = contig
            read.reference_start, read.next_reference_start, read.template_length = here, there, template
            segments.append(read)
    segments.sort(key=lambda read: (read.reference_id, read.reference_start))
    for i in range(number // 100):
        segments.extend(_unmapped_pair(header, f"u{i}"))
    return segments


def _pair(
    header: pysam.AlignmentHeader, name: str, mapq: int, flag: int, first_is_left: bool
) -> tuple[pysam.AlignedSegment, pysam.AlignedSegment]:
    flags = (0x63, 0x93) if first_is_left else (0xA3, 0x53)  # paired, proper, strands, first or second of the pair
    left, right = (_read(header, name, flag | strand) for strand in flags)
    for read in (left, right):
        read.mapping_quality = mapq
        read.cigartuples = [(pysam.CMATCH, READ_LENGTH)]
    return left, right


def _unmapped_pair(header: pysam.AlignmentHeader, name: str) -> list[pysam.AlignedSegment]:
    return [_read(header, name, flag) for flag in (0x4D, 0x8D)]


def _read(header: pysam.AlignmentHeader, name: str, flag: int) -> pysam.AlignedSegment:
    read = pysam.AlignedSegment(header)
    read.query_name = name
    read.query_sequence = "N" * READ_LENGTH
    read.flag = flag
    return read


def write_sample(number: int, name: str, group: int, genome: Genome, n_fragments: int, seed: int, folder: Path) -> None:
    """Write bam/<name>.bam with its index, and peaks/<name>.narrowPeak."""
    rng = np.random.default_rng([seed, number])
    fragments = simulate_fragments(genome, group, n_fragments, rng)
    header = pysam.AlignmentHeader.from_references(list(genome.contigs), list(genome.contigs.values()))
    bam = folder / "bam" / f"{name}.bam"
    with replacing(bam) as temporary:
        with pysam.AlignmentFile(str(temporary), "wb", header=header) as file:
            for read in alignments(fragments, header, rng):
                file.write(read)
        pysam.index(str(temporary), str(bam) + ".bai")
    with replacing(folder / "peaks" / f"{name}.narrowPeak") as temporary:
        temporary.write_text("".join(_peaks(genome, fragments, name)))


def _peaks(genome: Genome, fragments: Fragments, name: str) -> list[str]:
    """Return narrowPeak lines: the regions with clearly more fragments than the background, with jittered ends."""
    lines = []
    contigs = list(genome.contigs)
    for i, contig in enumerate(genome.region_contigs.tolist()):
        here = fragments.starts[fragments.contigs == contig]
        start, end = int(genome.starts[i]), int(genome.ends[i])
        inside = here[slice(*np.searchsorted(here, [start, end]))]
        if len(inside) >= 5:
            summit = int(np.median(inside)) - start
            lines.append(
                f"{contigs[contig]}\t{start}\t{end}\t{name}_{i}\t{len(inside)}\t.\t{len(inside)}\t-1\t-1\t{summit}\n"
            )
    return lines


def write_project(folder: Path, n_samples: int, n_regions: int, n_fragments: int, seed: int) -> None:
    """Write the whole project into `folder`."""
    genome = simulate_genome(n_regions, np.random.default_rng(seed))
    groups = sorted(i % len(GROUPS) for i in range(n_samples))
    names = [f"{GROUPS[group]}_{i - groups.index(group) + 1}" for i, group in enumerate(groups)]
    write = partial(write_sample, genome=genome, n_fragments=n_fragments, seed=seed, folder=folder)
    with ProcessPoolExecutor() as pool:
        list(pool.map(write, range(n_samples), names, groups))
    contigs = list(genome.contigs)
    rows = list(zip(genome.region_contigs.tolist(), genome.starts.tolist(), genome.ends.tolist(), strict=True))
    regions = "".join(f"{contigs[c]}\t{start}\t{end}\n" for c, start, end in rows)
    truth = "".join(
        f"{contigs[c]}:{start}-{end}\t{change:g}\n"
        for (c, start, end), change in zip(rows, genome.log2_fold_change.tolist(), strict=True)
    )
    sheet = "".join(f"{name},{GROUPS[group]},bam,peaks\n" for name, group in zip(names, groups, strict=True))
    for name, text in {
        "regions.bed": regions,
        "truth.tsv": "region\tlog2_fold_change\n" + truth,
        "samples.csv": "sample_name,group,bam,peaks\n" + sheet,
        "project_config.yaml": PROJECT_CONFIG,  # last: with it the project is complete
    }.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text)


PROJECT_CONFIG = """\
pep_version: 2.1.0
sample_table: samples.csv
sample_modifiers:
  derive:
    attributes: [bam, peaks]
    sources:
      bam: bam/{sample_name}.bam
      peaks: peaks/{sample_name}.narrowPeak
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: make a project."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the project (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=12, help="samples, in two groups (default: %(default)s)")
    parser.add_argument("--regions", type=int, default=1000, help="regions (default: %(default)s)")
    parser.add_argument("--reads", type=int, default=50_000, help="aligned reads a sample (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulation (default: %(default)s)")
    args = parser.parse_args(argv)
    if args.samples < 1 or args.regions < 10 or args.reads < 2 or args.seed < 0:
        raise UserError("expected at least 1 sample, 10 regions and 2 reads, and a seed that is not negative")
    write_project(args.out, args.samples, args.regions, args.reads // 2, args.seed)


if __name__ == "__main__":
    sys.exit(run(main))
