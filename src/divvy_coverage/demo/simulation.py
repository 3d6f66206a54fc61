"""Simulated ATAC-seq: a small genome with regions, fragments of a sample, and their alignments."""

from dataclasses import dataclass

import numpy as np
import pysam

from divvy_coverage.arrays import Floats, Integers

GROUPS = ("control", "treated")
READ_LENGTH = 50
SPACING = 4000  # bp of genome per region
BACKGROUND = 0.4  # fraction of fragments outside regions
DIFFERENTIAL = 0.1  # fraction of regions that differ between the groups
CONTIG_FRACTIONS = {"chr1": 0.5, "chr2": 0.3, "chr3": 0.2}


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
    shares = np.cumsum(list(CONTIG_FRACTIONS.values()))
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
    contigs = dict(zip(CONTIG_FRACTIONS, lengths, strict=True))
    return Genome(contigs, region_contigs, starts, starts + width, strength, fold_change)


def simulate_fragments(genome: Genome, group: int, n_fragments: int, rng: np.random.Generator) -> Fragments:
    """Draw fragments: most near region centers, the rest anywhere; some are repeated as duplicates."""
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


def to_alignments(
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
