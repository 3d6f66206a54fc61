"""The engine against brute force, on random files and real ones, and what it makes of blocks and impossible records."""

import gzip
import struct
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pysam
import pytest

import oracle
import random_files
from divvy_coverage.alignments.bam import read_bam_header
from divvy_coverage.counting.compiled import layout
from divvy_coverage.counting.compiled.constants import REASONS, TOTALS, UNITS
from divvy_coverage.counting.count import count_alignments, count_sample
from divvy_coverage.counting.definition import PAIRED_UNITS, Counting
from divvy_coverage.counting.passes import Wanted
from divvy_coverage.counting.tally import Tally
from divvy_coverage.errors import UserError
from divvy_coverage.quality.statistics import compute_statistics
from helpers import bgzf, write_bam

CONTIGS = random_files.CONTIGS
READS_AS_THEY_ARE = Counting("reads")
SMALL = 4  # slots of a table of mates
SEEDS = 250  # a part


def count(
    path: Path, rows: list[oracle.Row], counting: Counting = READS_AS_THEY_ARE, threads: int = 1
) -> tuple[list[int], Tally]:
    regions = random_files.to_regions(rows)
    counts, tally = count_alignments(path, regions, counting, threads=threads, warn=lambda text: None)
    return counts.tolist(), tally


@pytest.mark.parametrize("part", range(6))
def test_random_files_count_as_defined(tmp_path: Path, part: int) -> None:
    for seed in range(SEEDS * part, SEEDS * (part + 1)):
        assert random_files.find_difference(seed, tmp_path) == "", seed


def is_proper(read: pysam.AlignedSegment) -> bool:
    return read.is_proper_pair and read.next_reference_id == read.reference_id


OTHER_DEFINITIONS: dict[str, tuple[str, object]] = {
    "regions that only touch a span": ("overlap", lambda start, end, a, b: min(end, b) - max(start, a) >= 0),
    "insertions (I) are on the reference": ("ON_REFERENCE", (0, 1, 2, 3, 7, 8)),
    "deletions (D) are not": ("ON_REFERENCE", (0, 3, 7, 8)),
    "mates need not be primary": ("could_be_mate", is_proper),
    "mates may be of the same number": (
        "are_mates",
        lambda one, other: (
            (one.query_name, one.next_reference_start, other.next_reference_start)
            == (other.query_name, other.reference_start, one.reference_start)
        ),
    ),
    "all are kept": ("is_kept", lambda read, counting: read.reference_id >= 0 <= read.reference_start),
    "lengths are of what is aligned": ("find_end", lambda read: read.reference_start + read.query_alignment_length),
    "no reason for exclusion is told": ("find_reason", lambda read, counting: ""),
}


@pytest.mark.parametrize("name", OTHER_DEFINITIONS)
def test_another_definition_is_seen_in_random_files(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, *OTHER_DEFINITIONS[name])
    assert any(random_files.find_difference(seed, tmp_path) for seed in range(SEEDS))


@pytest.mark.parametrize("unit", UNITS)
def test_another_count_of_any_region_is_seen(tmp_path: Path, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each unit is compared on its own: one that counts too little in a region is found."""
    count_with_oracle = oracle.count

    def count_one_less(path: Path, counting: Counting, *rows: list[oracle.Row]) -> oracle.Expected:
        expected = count_with_oracle(path, counting, *rows)
        if counting.unit == unit and expected.counts[-1]:
            expected.counts[-1] -= 1
        return expected

    monkeypatch.setattr(oracle, "count", count_one_less)
    assert any(random_files.find_difference(seed, tmp_path) for seed in range(SEEDS))


def test_reasons_of_exclusion(tmp_path: Path) -> None:
    place = {"start": 5, "cigar": "5M", "mate_contig": "*", "mate_start": 0, "template": 0}
    flags = [(flag, 60) for flag in (0, 4, 0x100, 0x200, 0x400, 0x800, 0x404, 0x10)] + [(0, 3)]
    found = [{"name": "r", "flag": flag, "contig": "chr1", "mapq": mapq} | place for flag, mapq in flags]
    found += [{"name": "r", "flag": 0, "contig": "*", "mapq": 60} | place | {"cigar": "*"}]
    found += [{"name": "r", "flag": 0, "contig": "chrM", "mapq": 60} | place]
    random_files.write(tmp_path / "x.bam", found)
    counting = Counting("reads", min_mapq=5, exclude_contigs=("chrM",))
    _, tally = count(tmp_path / "x.bam", [("chr1", 0, 9)], counting)
    reasons = {reason: n for reason, n in zip(REASONS, tally.excluded.tolist(), strict=True) if n}
    assert reasons == {
        "unmapped": 2,
        "secondary": 1,
        "qc_fail": 1,
        "duplicate": 1,
        "supplementary": 1,
        "mapping_quality": 1,
        "unplaced": 1,
        "contig": 1,
    }
    assert tally["kept"] == 2
    assert compute_statistics(tally, 0)["mitochondrial_fraction"] == 1 / 6
    assert compute_statistics(tally, 0, mitochondrial_contigs=("chr1",))["mitochondrial_fraction"] == 5 / 6
    _, tally = count(tmp_path / "x.bam", [("chr1", 0, 9)], Counting("reads", require_flags=0x10))
    assert tally.describe()["excluded"]["missing_flags"] == 4


def content_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


READS = [("r" * (i % 200 + 1), 16 * (i % 2), "chr1", i % 300, "30M", 60) for i in range(500)]
WANTED = [("chr1", 10, 60), ("chr1", 0, 400), ("chr2", 0, 10), ("chr1", 50, 51)]


@pytest.mark.parametrize("size", [7, 97, 4096, 65_280])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_records_and_header_may_cross_blocks(
    tmp_path: Path, size: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("divvy_coverage.alignments.bgzf.READ_SIZE", 1000)
    write_bam(tmp_path / "x.bam", CONTIGS, READS)
    (tmp_path / "y.bam").write_bytes(bgzf(content_of(tmp_path / "x.bam"), size))
    expected = oracle.count(tmp_path / "x.bam", READS_AS_THEY_ARE, WANTED)
    counts, tally = count(tmp_path / "y.bam", WANTED, threads=threads)
    assert counts == expected.counts
    assert tally["alignments"] == len(READS)


def test_a_record_larger_than_many_blocks(tmp_path: Path) -> None:
    header = pysam.AlignmentHeader.from_references(["chr1"], [10_000_000])
    with pysam.AlignmentFile(str(tmp_path / "x.bam"), "wb", header=header) as file:
        for operations in (70_000, 3):  # the first has its CIGAR in the tag CG
            read = pysam.AlignedSegment(header)
            read.query_name, read.reference_id, read.reference_start = "long", 0, 100
            read.query_sequence = "A" * 10 * (operations // 2 + operations % 2)
            read.cigartuples = [(0, 10) if i % 2 == 0 else (2, 1) for i in range(operations)]
            file.write(read)
    end = 100 + 35_000 * 10 + 35_000
    wanted = [("chr1", 0, 101), ("chr1", end - 1, end), ("chr1", end, end + 1), ("chr1", 120, 121)]
    assert count(tmp_path / "x.bam", wanted)[0] == [2, 1, 0, 2]


def test_a_header_of_many_contigs_and_no_records(tmp_path: Path) -> None:
    contigs = {f"contig_{i}": 1000 + i for i in range(30_000)}
    write_bam(tmp_path / "x.bam", contigs, [])
    counts, tally = count(tmp_path / "x.bam", [("contig_29999", 5, 10)])
    assert counts == [0]
    assert tally["alignments"] == 0
    write_bam(tmp_path / "x.bam", contigs, [("r", 0, "contig_29999", 7, "5M", 60)])
    assert count(tmp_path / "x.bam", [("contig_29999", 5, 10)])[0] == [1]


def test_a_contig_longer_than_an_index_can_hold(tmp_path: Path) -> None:
    start = 2**30
    write_bam(tmp_path / "x.bam", CONTIGS, [("r", 0, "chr3", start, "30M", 60)])
    wanted = [("chr3", start + 29, start + 40), ("chr3", start + 30, start + 40)]
    assert count(tmp_path / "x.bam", wanted)[0] == [1, 0]


def tampered(folder: Path, offset: int, value: bytes) -> Path:
    """Return a BAM whose first record has other bytes at `offset`, with checksums that are right."""
    write_bam(folder / "x.bam", CONTIGS, READS[:3])
    content = bytearray(content_of(folder / "x.bam"))
    first = read_bam_header(bytes(content), folder / "x.bam").size
    content[first + offset : first + offset + len(value)] = value
    (folder / "x.bam").write_bytes(bgzf(bytes(content), 60_000))
    return folder / "x.bam"


@pytest.mark.parametrize(
    ("offset", "value", "problem"),
    [
        (0, struct.pack("<i", 31), "impossible size"),
        (0, struct.pack("<i", -1), "impossible size"),
        (0, struct.pack("<i", 2**30), "impossible size"),
        (0, struct.pack("<i", 2**20), "the file ends within a record"),
        (16, struct.pack("<H", 65535), "do not fit"),
        (20, struct.pack("<i", -1), "do not fit"),
        (20, struct.pack("<i", 2**31 - 1), "do not fit"),
        (4, struct.pack("<i", 5), "contig that the header does not have"),
        (4, struct.pack("<i", -2), "contig that the header does not have"),
        (8, struct.pack("<i", -2), "impossible position"),
    ],
)
def test_impossible_records_are_refused(tmp_path: Path, offset: int, value: bytes, problem: str) -> None:
    path = tampered(tmp_path, offset, value)
    with pytest.raises(UserError, match=problem) as error:
        count(path, WANTED)
    assert f"{path}: at byte " in str(error.value)


def test_the_names_of_what_the_loop_counts_are_complete() -> None:
    assert len(TOTALS) == len(set(TOTALS)) == 12
    assert REASONS[:12] == oracle.FLAGS
    assert REASONS[12:] == ("missing_flags", "mapping_quality", "unplaced", "contig")
    assert set(layout.PROBLEMS) == {layout.BAD_SIZE, layout.BAD_LENGTHS, layout.BAD_CONTIG, layout.BAD_POSITION}


def list_real_files(data: Path) -> list[Path]:
    """Return the sound BAM files of the real data."""
    found = sorted(path for path in [*data.glob("*/bam/*.bam"), *data.glob("*/*.bam")] if "nasty" not in path.parts)
    return found + [data / "nasty" / "bam" / f"{name}.bam" for name in ("good", "name_sorted", "nochr_names")]


def make_windows(path: Path) -> list[oracle.Row]:
    """Return regions on the contig with the most alignments, at quantiles of their positions, some of them nested."""
    reads = [read for read in oracle.read_all(path) if read.reference_start >= 0]
    names = [read.reference_name for read in reads]
    contig = max(set(names), key=names.count)
    starts = sorted(read.reference_start for read in reads if read.reference_name == contig)
    edges = [starts[i] for i in np.linspace(0, len(starts) - 1, 6).astype(int).tolist()]
    rows = [(contig, start, end) for start, end in pairwise(edges) if start < end]
    rows += [(contig, edges[0], edges[-1] + 1), *((contig, start, start + 200) for start in edges[2:4])]
    return list(dict.fromkeys(rows))


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, 6))])
def test_real_files_count_as_defined(data: Path, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "read_all", cache(oracle.read_all))
    files = list_real_files(data)
    assert len(files) >= 18
    for path in files[part::6]:
        rows, paired = make_windows(path), any(read.is_paired for read in oracle.read_all(path))
        for unit in UNITS:
            counting = Counting(unit, exclude_flags=0x904, min_mapq=20)
            if unit in PAIRED_UNITS and not paired:
                with pytest.raises(UserError, match="its alignments are single-end"):
                    count(path, rows, counting)
                continue
            counted = count_sample([path], Wanted([random_files.to_regions(rows)], counting), threads=2)
            assert random_files.find_wrong_counts(counted, [oracle.count(path, counting, rows)]) == "", (path, unit)
            assert sum(counted.counts[0]) > 50


def describe(path: Path, rows: list[oracle.Row], unit: str) -> list[object]:
    """Return all that is counted of a file."""
    counted = count_sample([path], Wanted([random_files.to_regions(rows)], Counting(unit)))
    tally = counted.tally
    return [counted.counts[0].tolist(), counted.in_regions.tolist(), tally.describe()]


def to_sam(path: Path, out: Path) -> None:
    pysam.view("-h", "-o", str(out), str(path), catch_stdout=False)


def to_packed_sam(path: Path, out: Path) -> None:
    to_sam(path, out.with_suffix(".plain"))
    out.write_bytes(gzip.compress(out.with_suffix(".plain").read_bytes(), 1))


def to_cram(path: Path, out: Path) -> None:
    pysam.view("-C", "--output-fmt-option", "no_ref=1", "-o", str(out), str(path), catch_stdout=False)


def by_name(path: Path, out: Path) -> None:
    pysam.sort("-n", "-o", str(out), str(path))


@pytest.mark.parametrize("change", [to_sam, to_packed_sam, to_cram, by_name])
def test_neither_format_nor_order_changes_anything(
    data: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    for name, units in {"atac-ataqv-hg19/SRR891278": UNITS, "atac-scate8-hg19/bam/GSM1596942": UNITS[:1]}.items():
        path, out = data / f"{name}.bam", tmp_path / "x.file"
        change(path, out)
        rows = make_windows(path)
        for unit in units:
            found = describe(path, rows, unit)
            assert found[0]
            assert describe(out, rows, unit) == found, (name, unit)
