"""The engine and the pysam reference, against brute force and against each other."""

import struct
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle
from divvy_coverage.alignments.bam_header import read_bam_header
from divvy_coverage.counting import kernel, pysam_counter
from divvy_coverage.counting.bam_engine import count_bam
from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import MODES, REASONS, Counting
from divvy_coverage.counting.statistics import TOTALS, TSS_FLANK, Tally
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.intervals.start_sites import StartSites
from divvy_coverage.progress import show_nothing
from helpers import bgzf, write_bam

CONTIGS = {"chr1": 400, "chr2": 300, "chrEmpty": 100, "chr3": 2**31 - 2}
CIGARS = ["1M", "10M", "30M", "5S5M", "3M2D3M", "4M100N4M", "2M5I2M", "3=1X", "10S", "5H9M", "*", "3I", "20P5M", "7N"]
quiet = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])

flags = st.one_of(st.integers(0, 0xFFF), st.sampled_from([99, 147, 83, 163, 0, 16, 1024 + 99, 4, 77]))
position = st.integers(0, 80)
records = st.lists(
    st.tuples(
        flags,
        st.sampled_from(["chr1", "chr2", "chr3", "*"]),
        position,
        st.sampled_from(CIGARS),
        st.integers(0, 255),
        st.sampled_from(["=", "chr2", "*"]),
        position,
        st.integers(-120, 120),
    ),
    max_size=25,
)
rows = st.lists(
    st.tuples(
        st.sampled_from(["chr1", "chr2", "chrEmpty"]), st.integers(0, 99), st.one_of(st.just(1), st.integers(1, 150))
    ).map(lambda row: (row[0], row[1], row[1] + row[2])),
    min_size=1,
    max_size=8,
)
countings = st.builds(
    Counting,
    st.sampled_from(MODES),
    st.sampled_from([0, 0x4, 0x904, 3844, 0x10]),
    st.sampled_from([0, 2, 0x41]),
    st.sampled_from([0, 0, 30, 255]),
    st.sampled_from([(4, -5), (0, 0), (-60, 60)]),
)


def regions_of(found: list[oracle.Row]) -> Regions:
    contigs, starts, ends = zip(*dict.fromkeys(found), strict=True)
    return Regions(list(contigs), np.array(starts), np.array(ends))


def write_records(path: Path, found: list[tuple]) -> None:
    header = pysam.AlignmentHeader.from_references(list(CONTIGS), list(CONTIGS.values()))
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for flag, contig, start, cigar, mapq, mate_contig, mate_start, template in found:
            read = pysam.AlignedSegment(header)
            read.query_name, read.flag, read.mapping_quality = "r", flag, mapq
            read.reference_id = header.get_tid(contig)
            read.reference_start = start if contig != "*" else -1
            read.cigarstring = cigar
            read.next_reference_id = read.reference_id if mate_contig == "=" else header.get_tid(mate_contig)
            read.next_reference_start = mate_start
            read.template_length = template
            file.write(read)


def engine(path: Path, regions: Regions, counting: Counting, threads: int = 1) -> tuple[list[int], Tally]:
    counts, tally = count_bam(path, regions, counting, START_SITES, threads, show_nothing, print)
    return counts.tolist(), tally


def reference(path: Path, regions: Regions, counting: Counting) -> tuple[list[int], Tally]:
    counts, tally = pysam_counter.count_with_pysam(path, regions, counting, START_SITES, None, print)
    return counts.tolist(), tally


START_SITES = StartSites(["chr1", "chr1", "chr2", "chr9"], np.array([10, 70, 0, 5]), np.array([1, -1, -1, 1]))


def same(ours: Tally, theirs: Tally) -> None:
    np.testing.assert_array_equal(ours.totals, theirs.totals)
    np.testing.assert_array_equal(ours.excluded, theirs.excluded)
    np.testing.assert_array_equal(ours.mapping_quality, theirs.mapping_quality)
    np.testing.assert_array_equal(ours.fragment_lengths, theirs.fragment_lengths)
    np.testing.assert_array_equal(ours.tss_profile, theirs.tss_profile)
    assert ours.contigs == theirs.contigs


@quiet
@given(records, rows, countings)
def test_random_files_count_as_defined(
    tmp_path: Path, found: list, wanted: list[oracle.Row], counting: Counting
) -> None:
    path, regions = tmp_path / "x.bam", regions_of(wanted)
    write_records(path, found)
    filters = (counting.exclude_flags, counting.require_flags, counting.min_mapq)
    kept, spans = oracle.spans(path, counting.mode, *filters, counting.shift)
    expected, in_regions = oracle.count(list(dict.fromkeys(wanted)), spans)

    counts, tally = engine(path, regions, counting)
    assert counts == expected
    assert (tally["alignments"], tally["kept"], tally["counted"], tally["in_regions"]) == (
        len(found),
        kept,
        len(spans),
        in_regions,
    )
    assert tally.excluded.sum() == len(found) - kept

    filters_and_shift = (*filters, counting.shift)
    sites = [(contig, start) for contig, start, _ in oracle.spans(path, "insertions", *filters_and_shift)[1]]
    profile = oracle.tss_profile(sites, START_SITES.contigs, START_SITES.positions, START_SITES.strands)
    assert {i - TSS_FLANK: int(tally.tss_profile[i]) for i in np.flatnonzero(tally.tss_profile).tolist()} == profile

    reference_counts, reference_tally = reference(path, regions, counting)
    assert reference_counts == expected
    same(tally, reference_tally)


def test_reasons_of_exclusion(tmp_path: Path) -> None:
    found = [(flag, "chr1", 5, "5M", 60, "*", 0, 0) for flag in (0, 4, 0x100, 0x200, 0x400, 0x800, 0x404)]
    found += [
        (0, "chr1", 5, "5M", 3, "*", 0, 0),
        (0, "*", -1, "*", 60, "*", 0, 0),
        (0x10, "chr1", 5, "5M", 60, "*", 0, 0),
    ]
    write_records(tmp_path / "x.bam", found)
    _, tally = engine(tmp_path / "x.bam", regions_of([("chr1", 0, 9)]), Counting(require_flags=0, min_mapq=5))
    reasons = {reason: n for reason, n in zip(REASONS, tally.excluded.tolist(), strict=True) if n}
    assert reasons == {
        "unmapped": 2,
        "secondary": 1,
        "qc_fail": 1,
        "duplicate": 1,
        "supplementary": 1,
        "mapping_quality": 1,
        "unplaced": 1,
    }
    assert tally["kept"] == 2
    assert tally.compute_statistics(("chr1",))["mitochondrial_fraction"] == 1.0
    _, tally = engine(tmp_path / "x.bam", regions_of([("chr1", 0, 9)]), Counting(require_flags=0x10))
    assert tally.get_histograms()["excluded"]["missing_flags"] == 3


def content_of(path: Path) -> bytes:
    import gzip

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
    expected, _ = oracle.count(WANTED, oracle.spans(tmp_path / "x.bam", "reads", 0, 0, 0, (0, 0))[1])
    counts, tally = engine(tmp_path / "y.bam", regions_of(WANTED), Counting(), threads)
    assert counts == expected
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
    assert engine(tmp_path / "x.bam", regions_of(wanted), Counting())[0] == [2, 1, 0, 2]
    assert reference(tmp_path / "x.bam", regions_of(wanted), Counting())[0] == [2, 1, 0, 2]


def test_a_header_of_many_contigs_and_no_records(tmp_path: Path) -> None:
    contigs = {f"contig_{i}": 1000 + i for i in range(30_000)}
    write_bam(tmp_path / "x.bam", contigs, [])
    counts, tally = engine(tmp_path / "x.bam", regions_of([("contig_29999", 5, 10)]), Counting())
    assert counts == [0]
    assert tally["alignments"] == 0
    write_bam(tmp_path / "x.bam", contigs, [("r", 0, "contig_29999", 7, "5M", 60)])
    assert engine(tmp_path / "x.bam", regions_of([("contig_29999", 5, 10)]), Counting())[0] == [1]


def test_a_contig_longer_than_an_index_can_hold(tmp_path: Path) -> None:
    start = 2**30
    write_bam(tmp_path / "x.bam", CONTIGS, [("r", 0, "chr3", start, "30M", 60)])
    wanted = [("chr3", start + 29, start + 40), ("chr3", start + 30, start + 40)]
    assert engine(tmp_path / "x.bam", regions_of(wanted), Counting())[0] == [1, 0]


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
        (4, struct.pack("<i", 4), "contig that the header does not have"),
        (4, struct.pack("<i", -2), "contig that the header does not have"),
        (8, struct.pack("<i", -2), "impossible position"),
    ],
)
def test_impossible_records_are_refused(tmp_path: Path, offset: int, value: bytes, problem: str) -> None:
    path = tampered(tmp_path, offset, value)
    with pytest.raises(UserError, match=problem) as error:
        engine(path, regions_of(WANTED), Counting())
    assert f"{path}: at byte " in str(error.value)


def test_the_names_of_what_the_kernel_counts_are_complete() -> None:
    assert len(TOTALS) == 8
    assert REASONS[kernel.MISSING_FLAGS :] == ("missing_flags", "mapping_quality", "unplaced")
    assert set(kernel.PROBLEMS) == {kernel.BAD_SIZE, kernel.BAD_LENGTHS, kernel.BAD_CONTIG, kernel.BAD_POSITION}


def outcome(path: Path, regions: Regions) -> list[int] | None:
    try:
        return engine(path, regions, Counting(exclude_flags=0))[0]
    except UserError as error:
        if str(path) not in str(error):
            raise
        return None


@pytest.mark.parametrize("part", range(4))
def test_damage_is_an_error_or_harmless(tmp_path: Path, data: Path, part: int) -> None:
    """500 changed bytes and 50 truncations a part, at random places of a real file."""
    original = (data / "chip-metagene-mm" / "bam" / "align2_rep1.bam").read_bytes()
    path, random = tmp_path / "x.bam", np.random.default_rng(part)
    regions = regions_of([("chr1", start, start + 50_000) for start in range(0, 100_000_000, 50_000)])
    path.write_bytes(original)
    intact = outcome(path, regions)
    assert intact
    assert sum(intact) > 100
    harmless = 0
    for place in random.integers(0, len(original), 500).tolist():
        damaged = bytearray(original)
        damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        found = outcome(path, regions)
        assert found in (None, intact), place
        harmless += found == intact
    assert harmless < 100
    for size in random.integers(0, len(original), 50).tolist():
        path.write_bytes(original[:size])
        assert outcome_or_other_kind(path, regions) is None, size


def outcome_or_other_kind(path: Path, regions: Regions) -> list[int] | None:
    try:
        return count_alignments(path, regions)[0].tolist()
    except UserError:
        return None


@pytest.mark.parametrize("part", range(4))
def test_engine_and_reference_agree_on_every_real_file(data: Path, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bams = sorted(data.glob("*/bam/*.bam")) + sorted(data.glob("*/*.bam"))
    sound = [path for path in bams if path.parent.parent.name != "nasty"]
    sound += [
        data / "nasty" / "bam" / f"{name}.bam" for name in ("good", "name_sorted", "nochr_names", "empty_records")
    ]
    assert len(sound) >= 18
    read_batches = pysam_counter._read_batches
    for path in sound[part::4]:
        with pysam.AlignmentFile(str(path)) as file:
            contig, length = max(zip(file.references, file.lengths, strict=True), key=lambda each: each[1])
            batches = list(read_batches(file))  # once for all modes: pysam is slow
        monkeypatch.setattr(pysam_counter, "_read_batches", lambda file, batches=batches: iter(batches))
        regions = regions_of([(contig, start, start + 3000) for start in range(0, length - 3000, 2000)])
        for mode in MODES:
            counting = Counting(mode, exclude_flags=0x904)
            counts, tally = engine(path, regions, counting, threads=2)
            reference_counts, reference_tally = reference(path, regions, counting)
            assert counts == reference_counts, (path, mode)
            same(tally, reference_tally)
