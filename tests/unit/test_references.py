"""Counts against recipes of samtools and bedtools and those of SnapATAC2, and against what is known of libraries."""

import itertools
import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pysam
import pytest

import random_files
from divvy_coverage.counting.count import count_alignments, count_sample
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.quality.statistics import compute_statistics
from helpers import bgzf
from libraries import ATAQV, CHIP, LENGTHS, QUICK, SCATE, Span, list_spans, make_library, run, write_bed, write_library

FRAGMENTS = Counting(min_mapq=30)


def count_overlaps(bedtools: str, regions: Path, spans: Path) -> list[int]:
    return [int(fields[-1]) for fields in run(bedtools, "intersect", "-c", "-a", regions, "-b", spans)]


def count_sites(bedtools: str, regions: Path, spans: list[Span], sites: Path) -> list[int]:
    """Return how many fragments have an insertion in each region, each counted once there."""
    rows = [
        (contig, site, site + 1, number)
        for number, (contig, start, end) in enumerate(spans)
        for site in (start + 4, end - 1 - 5)
        if site >= 0
    ]
    found = run(bedtools, "intersect", "-wa", "-wb", "-a", regions, "-b", write_bed(sites, rows))
    pairs = {(*fields[:3], fields[-1]) for fields in found}
    here = ["\t".join(pair[:3]) for pair in pairs]
    return [here.count(line) for line in regions.read_text().splitlines()]


def compare_fragments(
    bedtools: str, bam: Path, regions: Regions, folder: Path, blacklist: Path | None = None
) -> Counted:
    """Check that counts, fragments, usable and in_regions of a file are those of the recipe; return what was counted."""
    bed, spans = folder / "regions.bed", list_spans(bam, folder)
    bed.write_bytes(regions.bed())
    found = write_bed(folder / "spans.bed", spans)
    if blacklist:
        outside = run(bedtools, "intersect", "-v", "-a", found, "-b", blacklist)
        write_bed(found, [tuple(fields) for fields in outside])
    exclude = read_regions(blacklist) if blacklist else None
    wanted = Wanted([regions], FRAGMENTS, exclude, absent_contigs="zero")
    counted = count_sample([bam], wanted, warn=lambda text: None)
    assert counted.counts[0].tolist() == count_overlaps(bedtools, bed, found)
    assert counted.tally["fragments"] == len(spans)
    assert counted.tally["usable"] == len(found.read_text().splitlines())
    assert counted.in_regions.tolist() == [len(run(bedtools, "intersect", "-u", "-a", found, "-b", bed))]
    return counted


@pytest.mark.parametrize(
    "sample", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SCATE]
)
def test_fragments_of_single_cells(data: Path, tmp_path: Path, bedtools: str, sample: str) -> None:
    cohort = data / "atac-scate8-hg19"
    bam = cohort / "bam" / f"{sample}.bam"
    for name in ("consensus.merge.bed", "regions.REMC_blood.hg19.bed.gz"):
        counted = compare_fragments(bedtools, bam, read_regions(cohort / name), tmp_path)
        assert counted.in_regions[0] > 10
    blacklist = cohort / "blacklist.hg19.ENCFF001TDO.bed.gz"
    outside = compare_fragments(bedtools, bam, read_regions(cohort / "consensus.merge.bed"), tmp_path, blacklist)
    assert outside.tally["blacklisted"] > 5


@pytest.mark.parametrize("sample", ATAQV)
def test_fragments_of_bulk_with_mitochondria_and_duplicates(
    data: Path, tmp_path: Path, bedtools: str, sample: str
) -> None:
    cohort = data / "atac-ataqv-hg19"
    regions = read_regions(cohort / f"{sample}.peaks.gz")
    counted = compare_fragments(bedtools, cohort / f"{sample}.bam", regions, tmp_path)
    assert counted.tally["fragments"] > 50
    compare_fragments(bedtools, cohort / f"{sample}.bam", regions, tmp_path, cohort / "exclude.dac.bed.gz")


@pytest.mark.parametrize("seed", range(3))
def test_fragments_of_a_simulated_library(tmp_path: Path, bedtools: str, seed: int) -> None:
    bam, starts = tmp_path / "x.bam", np.random.default_rng(seed).integers(0, 90_000, 400)
    write_library(bam, make_library(3000, seed), LENGTHS)
    contigs = [f"chr{1 + i % 2}" for i in range(400)]
    regions = Regions.from_names(contigs, starts, starts + np.random.default_rng(seed).integers(1, 900, 400))
    blacklist = write_bed(tmp_path / "blacklist.bed", [("chr1", 5000 * i, 5000 * i + 300) for i in range(20)])
    counted = compare_fragments(bedtools, bam, regions, tmp_path)
    assert 300 < counted.tally["fragments"] < 900  # a quarter of the pairs pass the filter of MAPQ
    assert compare_fragments(bedtools, bam, regions, tmp_path, blacklist).tally["blacklisted"] > 10

    counting = Counting("paired_insertions", min_mapq=30)
    spans, sites = list_spans(bam, tmp_path), tmp_path / "sites.bed"
    expected = count_sites(bedtools, tmp_path / "regions.bed", spans, sites)
    assert count_alignments(bam, regions, counting)[0].tolist() == expected


def extend_with_bedtools(bedtools: str, bam: Path, length: int, folder: Path) -> Path:
    """Return the alignments that pass the filters as BED, lengthened from their 5' end by bedtools slop."""
    kept, genome, one, out = (folder / name for name in ("kept.bam", "genome.txt", "one.bed", "extended.bed"))
    pysam.view("-b", "-F", "3844", "-q", "30", "-o", str(kept), str(bam), catch_stdout=False)
    with pysam.AlignmentFile(str(bam)) as file:
        write_bed(genome, list(zip(file.references, file.lengths, strict=True)))
    lines = sorted(run(bedtools, "bamtobed", "-i", kept), key=measure)
    extended = []
    for size, group in itertools.groupby(lines, measure):
        assert size <= length
        write_bed(one, [tuple(fields) for fields in group])
        extended += run(bedtools, "slop", "-s", "-l", "0", "-r", str(length - size), "-g", genome, "-i", one)
    return write_bed(out, [tuple(fields) for fields in extended])


def measure(fields: list[str]) -> int:
    return int(fields[2]) - int(fields[1])


def cut(regions: Regions) -> Regions:
    """Return pieces of 40 bp, 200 bp from each other, for which it matters how long a read is."""
    pieces = [(contig, start) for contig, first, end in regions.rows() for start in range(first, end, 200)]
    starts = np.array([start for _, start in pieces])
    return Regions.from_names([contig for contig, _ in pieces], starts, starts + 40)


@pytest.mark.parametrize("sample", CHIP)
def test_extended_reads(data: Path, tmp_path: Path, bedtools: str, sample: str) -> None:
    bam = data / "chip-metagene-mm" / "bam" / f"{sample}.bam"
    for name in ("list1.bed", "list2.bed"):
        regions = cut(read_regions(data / "chip-metagene-mm" / name))
        (tmp_path / "regions.bed").write_bytes(regions.bed())
        found = []
        for length in (100, 250):
            counting = Counting("reads", min_mapq=30, extend=length)
            counts, tally = count_alignments(bam, regions, counting, warn=lambda text: None)
            spans = extend_with_bedtools(bedtools, bam, length, tmp_path)
            assert counts.tolist() == count_overlaps(bedtools, tmp_path / "regions.bed", spans)
            assert tally["usable"] == len(spans.read_text().splitlines())
            found.append(int(counts.sum()))
        assert found[0] < found[1]


RECORD = np.dtype(
    [
        *(("size", "<i4"), ("contig", "<i4"), ("position", "<i4"), ("name_length", "u1"), ("mapq", "u1")),
        *(("bin", "<u2"), ("operations", "<u2"), ("flag", "<u2"), ("bases", "<i4"), ("next_contig", "<i4")),
        *(("next_position", "<i4"), ("template", "<i4"), ("name", "S9"), ("cigar", "<u4")),
    ]
)


def write_uniform_pairs(path: Path, number: int, size: int) -> None:
    """Write fragments of 100 to 200 bp at random places of a contig of `size` bp, with mates of 50 bp."""
    random = np.random.default_rng(7)
    starts, lengths = random.integers(0, size - 200, number), random.integers(100, 201, number)
    records = np.zeros(2 * number, RECORD)
    records["size"], records["name_length"], records["mapq"] = RECORD.itemsize - 4, 9, 60
    records["operations"], records["cigar"] = 1, 50 << 4
    records["name"] = np.tile(np.char.mod("%08d", np.arange(number)).astype("S9"), 2)
    ends = starts + lengths - 50
    records["position"], records["next_position"] = np.concatenate([starts, ends]), np.concatenate([ends, starts])
    records["flag"], records["template"] = np.repeat([99, 147], number), np.concatenate([lengths, -lengths])
    random_files.write(path, [], {"chr1": size})
    with pysam.AlignmentFile(str(path)) as file:
        text = str(file.header).encode()
    header = b"BAM\1" + len(text).to_bytes(4, "little") + text + (1).to_bytes(4, "little")
    header += (5).to_bytes(4, "little") + b"chr1\0" + size.to_bytes(4, "little")
    path.write_bytes(bgzf(header + records[np.argsort(records["position"], kind="stable")].tobytes()))


def test_counts_of_random_fragments_are_poisson_and_those_of_reads_are_not(tmp_path: Path) -> None:
    """Of 8,000 regions, the variance over the mean of Poisson counts is 1 ± 0.016 (standard error)."""
    write_uniform_pairs(tmp_path / "x.bam", 400_000, 20_000_000)
    starts = 2500 * np.arange(8000)
    regions = Regions.from_names(["chr1"] * 8000, starts, starts + 2000)  # too far from each other to share a fragment
    fragments, tally = count_alignments(tmp_path / "x.bam", regions)
    assert tally["usable"] == tally["fragments"] == 400_000
    assert abs(fragments.mean() - 400_000 * 2149 / 20_000_000) < 0.5
    assert 0.95 < fragments.var() / fragments.mean() < 1.05
    reads, _ = count_alignments(tmp_path / "x.bam", regions, Counting("reads"))
    assert 1.8 < reads.var() / reads.mean() < 2.1


@pytest.mark.parametrize("unit", ["fragments", "paired_insertions", "insertions", "reads"])
def test_mitochondria_change_neither_library_size_nor_what_is_in_regions(tmp_path: Path, unit: str) -> None:
    nuclear = [each for each in make_library(2000, 1) if each["contig"] != "chrM"]
    mitochondrial = [each | {"name": f"m{each['name']}", "contig": "chrM"} for each in nuclear]
    write_library(tmp_path / "with.bam", [*nuclear, *mitochondrial], LENGTHS)
    write_library(tmp_path / "without.bam", nuclear, LENGTHS)
    starts = np.arange(0, 90_000, 1000)
    regions = Regions.from_names([c for c in LENGTHS for _ in starts], np.tile(starts, 3), np.tile(starts + 400, 3))
    excluding = Wanted([regions], Counting(unit, exclude_contigs=("chrM",)))
    ours, without = (count_sample([tmp_path / name], excluding) for name in ("with.bam", "without.bam"))
    assert ours.tally["usable"] == without.tally["usable"] > 500
    assert ours.in_regions.tolist() == without.in_regions.tolist()
    assert ours.counts[0].tolist() == without.counts[0].tolist()
    assert not ours.counts[0][-len(starts) :].any()
    assert ours.in_regions[0] > 100
    statistics = compute_statistics(ours.tally, int(ours.in_regions[0]))
    assert statistics["mitochondrial_fraction"] == 0.5
    assert statistics["frip"] == int(without.in_regions[0]) / without.tally["usable"]
    including = count_sample([tmp_path / "with.bam"], Wanted([regions], Counting(unit)))
    assert including.tally["usable"] == 2 * ours.tally["usable"]


SNAPATAC = """
import json, sys
import numpy as np
import snapatac2
fragments, lengths, regions = json.loads(sys.stdin.read())
data = snapatac2.pp.import_fragments(fragments, lengths, sorted_by_barcode=False, min_num_fragments=0)
found = {}
for strategy in ("fragment", "insertion", "paired-insertion"):
    matrix = snapatac2.pp.make_peak_matrix(data, use_rep=regions, counting_strategy=strategy)
    counts = dict(zip(matrix.var_names, np.asarray(matrix.X.todense()).ravel().tolist()))
    found[strategy] = [int(counts.get(region, 0)) for region in regions]
print(json.dumps(found))
"""


def count_with_snapatac(python: Path, spans: list[Span], lengths: Mapping[str, int], regions: Regions) -> dict:
    """Return what SnapATAC2 counts of fragments, by its counting strategies; it drops contigs without a length."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_bed(Path(folder) / "fragments.tsv", [(*span, "cell", 1) for span in spans])
        text = json.dumps([str(path), dict(lengths), regions.names()])
        done = subprocess.run(
            [python, "-c", SNAPATAC], input=text, capture_output=True, text=True, check=True, cwd=folder
        )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["simulated", *ATAQV])
def test_the_units_are_those_of_snapatac(data: Path, tmp_path: Path, readers: Path, sample: str) -> None:
    """Of fragments that it reads from a file, whose ends it takes for insertions; here they are made of a BAM file."""
    bam = data / "atac-ataqv-hg19" / f"{sample}.bam"
    if sample == "simulated":
        bam, starts = tmp_path / "x.bam", np.random.default_rng(1).integers(0, 90_000, 400)
        write_library(bam, make_library(3000, 4), LENGTHS)
        regions = Regions.from_names(["chr1", "chr2"] * 200, starts, starts + 300)
    else:
        regions = read_regions(data / "atac-ataqv-hg19" / f"{sample}.peaks.gz")
    with pysam.AlignmentFile(str(bam)) as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
    spans = list_spans(bam, tmp_path)
    expected = count_with_snapatac(readers / "python", spans, lengths, regions)
    path = write_bed(tmp_path / "x.tsv", [(*span, "cell", 1) for span in spans])
    for unit, strategy in (("fragments", "fragment"), ("paired_insertions", "paired-insertion")):
        counting = Counting(unit, min_mapq=30, **({} if unit == "fragments" else {"shift": (0, 0)}))
        found = count_alignments(bam, regions, counting, absent_contigs="zero", warn=print)[0]
        assert found.tolist() == expected[strategy]
    counting = Counting("insertions", min_mapq=30)  # of text, in which no alignment lacks its mate
    assert count_alignments(path, regions, counting, warn=print)[0].tolist() == expected["insertion"]
    assert sum(expected["insertion"]) > 10
