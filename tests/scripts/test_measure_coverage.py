"""measure_coverage.py on tiny files: against the definition, in plain Python, and on files that are broken."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pysam
import pytest

import oracle
from divvy_coverage.alignments.fingerprints import compute_fingerprint
from divvy_coverage.counting.compiled.constants import UNITS
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.evidence import checksum, read_evidence
from divvy_coverage.quality.statistics import Statistics, compute_statistics
from helpers import CLONE, READS_OPTIONS, Read, command, refuse, script, succeed, write_bam

CONTIGS = {"chr1": 500, "chr2": 300, "chrEmpty": 100}
BED = "chr1\t0\t500\nchr1\t10\t60\nchr1\t20\t30\nchr1\t30\t31\nchr1\t10\t61\nchr2\t100\t200\nchrEmpty\t0\t10\n"

Measure = Callable[..., subprocess.CompletedProcess[str]]
Count = Callable[..., tuple[list[int], dict]]


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Run the script on files of the working directory: x.bam, if not others, in the regions of r.bed."""
    monkeypatch.chdir(tmp_path)
    Path("r.bed").write_text(BED)

    def measure(*options: str, bams: Sequence[str | Path] = ("x.bam",), out: str = "x.npy"):
        files = ["--bam", *bams, "--regions", "r.bed", "--out", out, "--stats", "x.json", *READS_OPTIONS]
        return script("measure_coverage.py", *files, *options, folder=tmp_path)

    return measure


def read_statistics(region_set: str = "r") -> Statistics:
    """Return the row of statistics that follows from x.json."""
    evidence = read_evidence(Path("x.json"))
    return compute_statistics(evidence.tally, evidence.region_sets[region_set].in_regions, evidence.in_peaks)


@pytest.fixture
def count(measure: Measure) -> Count:
    """Run the script, and return the counts and the evidence."""

    def count(*options: str, bams: Sequence[str | Path] = ("x.bam",), bed: str = BED) -> tuple[list[int], dict]:
        Path("r.bed").write_text(bed)
        succeed(measure(*options, bams=bams))
        counts = np.load("x.npy")
        assert counts.dtype == np.int32
        evidence = json.loads(Path("x.json").read_text())
        found = evidence["region_sets"]["r"]
        assert (found["sum"], found["counts_sha256"]) == (counts.sum(), checksum(counts))
        return counts.tolist(), evidence

    return count


def read_rows(bed: str = BED) -> list[oracle.Row]:
    rows = (line.split("\t") for line in bed.splitlines())
    return [(contig, int(start), int(end)) for contig, start, end in rows]


def expected(path: Path, exclude: int = 3844, require: int = 0, mapq: int = 0, unit: str = "reads") -> list[int]:
    return oracle.count(path, Counting(unit, exclude, require, mapq), read_rows()).counts


READS: list[Read] = [
    ("inside", 0, "chr1", 22, "5M", 60),
    ("ends at 10", 0, "chr1", 0, "10M", 60),
    ("ends at 11", 0, "chr1", 0, "11M", 60),
    ("spliced", 16, "chr1", 5, "3M40N3M", 60),
    ("deletion", 0, "chr1", 25, "5M1D5M", 3),
    ("clipped", 0, "chr1", 60, "30S5M30H", 60),
    ("insertion", 0, "chr1", 28, "2M10I", 60),
    ("no bases", 0, "chr1", 40, "10S", 60),
    ("duplicate", 0x400, "chr1", 22, "5M", 60),
    ("placed unmapped", 0x4, "chr1", 22, "*", 0),
    ("unmapped", 0x4, "*", -1, "*", 0),
    ("proper", 0x3, "chr2", 199, "2=1X", 29),
    ("beyond the end", 0, "chr2", 299, "50M", 60),
]
FILTERS = [(3844, 0, 0), (0, 0, 0), (0x904, 0, 0), (0x4, 0, 0), (0xF04, 0, 30), (0x904, 2, 0), (0, 0x402, 0)]


@pytest.mark.parametrize(("exclude", "require", "mapq"), FILTERS)
def test_counts_and_filters(count: Count, exclude: int, require: int, mapq: int) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS)
    options = ["--exclude-flags", hex(exclude), "--require-flags", str(require), "--min-mapq", str(mapq)]
    counts, evidence = count(*options)
    assert counts == expected(Path("x.bam"), exclude, require, mapq)
    assert evidence["totals"]["alignments"] == len(READS)
    assert evidence["counting"]["exclude_flags"] == exclude


def test_statistics(count: Count) -> None:
    path = Path("x.bam").resolve()
    write_bam(path, CONTIGS, READS)
    _, evidence = count(bams=[path], bed="chr1\t0\t15\n")
    assert read_statistics() == {
        "usable": 10,
        "in_regions": 3,
        "frip": 0.3,
        "frip_own_peaks": None,
        "alignments": 13,
        "unmapped": 2,
        "duplicates": 1,
        "proper_pairs": 1,
        "kept": 10,
        "fragments": 0,
        "without_mate": 1,
        "mitochondrial_fraction": None,
        "fragment_length_median": None,
        "mapping_quality_median": 60,
        "tss_enrichment": None,
        "excluded_unmapped": 2,
        "excluded_secondary": 0,
        "excluded_qc_fail": 0,
        "excluded_duplicate": 1,
        "excluded_supplementary": 0,
        "excluded_missing_flags": 0,
        "excluded_mapping_quality": 0,
        "excluded_contig": 0,
        "excluded_fragment_length": 0,
        "excluded_blacklist": 0,
        "contradictory_lengths": 0,
        "nrf": 8 / 9,
        "pbc1": 7 / 8,
        "pbc2": 7.0,
    }
    assert {reason: n for reason, n in evidence["excluded"].items() if n} == {"unmapped": 2, "duplicate": 1}
    assert evidence["mapping_quality"] == {"3": 1, "29": 1, "60": 9}
    assert evidence["fragment_lengths"] == {}
    assert evidence["contigs"] == {"chr1": 9, "chr2": 2, "chrEmpty": 0}
    assert evidence["copies"] == {"chr1": {"1": 6, "2": 1}, "chr2": {"1": 1}}
    record = {"kind": "alignments", "path": str(path), "bytes": path.stat().st_size}
    assert evidence["files"] == [record | {"fingerprint": compute_fingerprint(path)}]
    assert evidence["region_sets"]["r"]["regions"] == 1
    assert evidence["tss_profile"] is None


@pytest.mark.parametrize("mode", ["w", "wb", "wc"])
def test_sam_and_cram_count_as_bam(count: Count, mode: str) -> None:
    reads = [read for read in READS if read[4] != "*"]
    path = Path("x.file")
    if mode == "wc":
        write_bam(Path("x.bam"), CONTIGS, reads)
        pysam.view("-C", "--output-fmt-option", "no_ref=1", "-o", str(path), "x.bam", catch_stdout=False)
    else:
        write_bam(path, CONTIGS, reads, mode)
    assert count("--exclude-flags", "0", bams=[path])[0] == expected(path, 0)


def test_cram_with_a_reference(count: Count, measure: Measure) -> None:
    sequence = "ACGT" * 125
    Path("genome.fa").write_text(f">chr1\n{sequence}\n>chr2\n{sequence[:300]}\n>chrEmpty\n{sequence[:100]}\n")
    header = pysam.AlignmentHeader.from_references(list(CONTIGS), list(CONTIGS.values()))
    with pysam.AlignmentFile("x.cram", "wc", header=header, reference_filename="genome.fa") as file:
        for start in (0, 8, 26, 60):
            read = pysam.AlignedSegment(header)
            read.query_name, read.reference_id, read.reference_start = "r", 0, start
            read.query_sequence, read.cigarstring, read.mapping_quality = sequence[start : start + 20], "20M", 60
            file.write(read)
    counts, _ = count("--reference", "genome.fa", bams=["x.cram"])
    assert counts == [4, 3, 2, 1, 4, 0, 0]
    refuse(measure("--reference", "gone.fa", bams=["x.cram"]), "gone.fa: no such file")
    whole = Path("x.cram").read_bytes()
    Path("x.cram").write_bytes(whole[:-38])
    refuse(measure(bams=["x.cram"]), "end-of-file container is missing")


def test_a_profile_of_start_sites(count: Count) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS)
    Path("tss.bed").write_text("chr1\t30\t31\ta\t0\t+\n")
    _, evidence = count("--tss", "tss.bed")
    profile = oracle.tss_profile(Path("x.bam"), Counting("reads"), ["chr1"], [30], [1])
    assert {i - 2000: n for i, n in enumerate(evidence["tss_profile"]) if n} == profile


@pytest.mark.parametrize("unit", UNITS)
def test_units_and_threads(count: Count, unit: str) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS)
    counts, evidence = count("--unit", unit, "--threads", "2")
    assert counts == expected(Path("x.bam"), unit=unit)
    assert evidence["counting"]["unit"] == unit


def test_the_presets_follow_assay_and_file(count: Count) -> None:
    single = [read for read in READS if not read[1] & 1]
    write_bam(Path("x.bam"), CONTIGS, single)
    files = ["--bam", "x.bam", "--regions", "r.bed", "--out", "x.npy", "--stats", "x.json"]
    for assay, unit in (("atac", "insertions"), ("chip", "reads")):
        succeed(script("measure_coverage.py", *files, "--assay", assay, folder=Path()))
        assert np.load("x.npy").tolist() == oracle.count(Path("x.bam"), Counting(unit, 3844, 0, 30), read_rows()).counts
    refuse(script("measure_coverage.py", *files, "--unit", "fragments", folder=Path()), "the alignments are single-end")


def test_several_region_sets_and_a_blacklist_in_one_pass(measure: Measure) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS)
    second, black = "chr1\t25\t70\n", "chr1\t64\t66\n"
    for name, content in (("s.bed", second), ("r.bed", BED), ("black.bed", black)):
        Path(name).write_text(content)
    files = ["--bam", "x.bam", "--regions", "r.bed", "s.bed", "--stats", "x.json", "--out", "r.npy"]
    refuse(
        script("measure_coverage.py", *files, folder=Path()),
        "--out: expected one file for each of 2 region sets, found 1",
    )
    words = [*files, "s.npy", *READS_OPTIONS, "--blacklist", "black.bed"]
    succeed(script("measure_coverage.py", *words, folder=Path()))
    evidence = read_evidence(Path("x.json"))
    assert len(evidence.counting["blacklist"]) == 64
    for name, bed in (("r", BED), ("s", second)):
        wanted = oracle.count(Path("x.bam"), Counting("reads"), read_rows(bed), read_rows(black))
        statistics = read_statistics(name)
        assert np.load(f"{name}.npy").tolist() == wanted.counts
        found = [statistics[key] for key in ("usable", "in_regions", "excluded_blacklist")]
        assert found == [wanted.usable, wanted.in_regions, wanted.blacklisted] == [9, wanted.in_regions, 1]
        assert evidence.region_sets[name].regions == len(wanted.counts)


def test_a_region_set_has_the_name_of_its_file_and_no_other_has_it(measure: Measure) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS)
    Path("sub").mkdir()
    for name in ("a.b.narrowPeak.gz", "sub/plain"):
        Path(name).write_text(BED)
    words = ["--bam", "x.bam", "--stats", "x.json", "--out", "1.npy", "2.npy", "--regions"]
    succeed(script("measure_coverage.py", *words, "a.b.narrowPeak.gz", "sub/plain", folder=Path()))
    assert [*read_evidence(Path("x.json")).region_sets] == ["a.b", "plain"]
    refused = script("measure_coverage.py", *words, "r.bed", "sub/r.bed.gz", folder=Path())
    refuse(refused, "r.bed, sub/r.bed.gz: region sets of the same name, which is the file's; rename one")


def test_counts_as_bed(count: Count, measure: Measure) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS)
    counts, _ = count()
    succeed(measure(out="x.bed"))
    lines = [f"{line}\t{number}" for line, number in zip(BED.splitlines(), counts, strict=True)]
    assert Path("x.bed").read_text().splitlines() == lines


def test_several_files_are_one_sample(count: Count) -> None:
    write_bam(Path("a.bam"), CONTIGS, READS[:5])
    write_bam(Path("b.bam"), dict(reversed(CONTIGS.items())), READS[5:])
    counts, evidence = count(bams=["a.bam", "b.bam"])
    write_bam(Path("x.bam"), CONTIGS, READS)
    assert counts == expected(Path("x.bam"))
    assert evidence["totals"]["alignments"] == len(READS)


def test_no_index_and_no_order_is_needed(count: Count) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS[::-1] * 3)
    assert count()[0] == expected(Path("x.bam"))


@pytest.mark.slow  # numba compiles
def test_the_command_line_runs_where_nothing_can_be_cached(tmp_path: Path) -> None:
    """A read-only installation and no home: the engine is compiled for the one run."""
    for name in ("src", "scripts"):
        shutil.copytree(CLONE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src" / "divvy_coverage" / "counting" / "kernel" / "__pycache__").write_text("not a folder")
    write_bam(tmp_path / "x.bam", CONTIGS, READS)
    (tmp_path / "r.bed").write_text(BED)
    words = ["--bam", "x.bam", "--regions", "r.bed", "--out", "x.npy", "--stats", "x.json", *READS_OPTIONS]
    done = command(
        *(sys.executable, tmp_path / "scripts" / "measure_coverage.py", *words),
        folder=tmp_path,
        PYTHONPATH=str(tmp_path / "src"),
        HOME="/nonexistent",
        XDG_CACHE_HOME="/proc/nowhere",
    )
    succeed(done)
    assert np.load(tmp_path / "x.npy").tolist() == expected(tmp_path / "x.bam")


def test_a_file_without_reads_gives_zeros(count: Count) -> None:
    write_bam(Path("x.bam"), CONTIGS, [])
    counts, _ = count()
    assert set(counts) == {0}
    assert read_statistics()["frip"] is None


def test_absent_contigs_can_be_allowed(count: Count, measure: Measure) -> None:
    write_bam(Path("x.bam"), CONTIGS, READS)
    bed = "chr1\t20\t30\nchr9\t0\t10\n"
    Path("r.bed").write_text(bed)
    refuse(measure(), "x.bam", "chr9", "absent_contigs")
    assert count("--absent-contigs", "zero", bed=bed)[0][1] == 0


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def without_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-28])


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def other_kind(path: Path) -> None:
    path.write_bytes(gzip.compress(b"not a BAM"))


@pytest.mark.parametrize(
    "harm", [truncated, without_end, damaged, other_kind, Path.unlink, lambda p: p.write_bytes(b"")]
)
def test_bad_files_are_refused_and_leave_nothing(measure: Measure, harm: Callable[[Path], object]) -> None:
    write_bam(Path("x.bam"), CONTIGS, [("r", 0, "chr1", i % 400, "50M", 60) for i in range(20_000)])
    harm(Path("x.bam"))
    said = refuse(measure(), "x.bam")
    assert said.count("\n") == 1, said
    assert {path.name for path in Path().iterdir()} <= {"x.bam", "r.bed"}


@pytest.mark.parametrize("option", ["--bam", "--blacklist", "--peaks", "--tss", "--reference"])
def test_a_file_that_is_not_the_one_that_was_planned_with_is_refused(measure: Measure, option: str) -> None:
    write_bam(Path("x.bam"), CONTIGS, [("r", 0, "chr1", 22, "5M", 60)])
    files = {"--bam": "x.bam", "--blacklist": "b.bed", "--peaks": "p.bed", "--tss": "t.bed", "--reference": "g.fa"}
    for name in ("b.bed", "p.bed", "t.bed"):
        Path(name).write_text(f"chr1\t100\t101\t{name}\t0\t+\n")
    Path("g.fa").write_text(">chr1\nACGT\n")
    planned = [word for name, path in files.items() if name != "--bam" for word in (name, path)]
    planned += ["--fingerprints", *(compute_fingerprint(Path(path)) for path in files.values())]
    succeed(measure(*planned))
    os.utime("x.bam", (0, 0))
    succeed(measure(*planned))
    for output in ("x.npy", "x.json"):
        Path(output).unlink()
    if option == "--bam":
        write_bam(Path("x.bam"), {"chr2": 300}, [])  # without regions' contigs, which a run would count as 0
    else:
        Path(files[option]).write_text(Path(files[option]).read_text() + "\n")
    said = refuse(measure(*planned, "--absent-contigs", "zero"), "changed since the run was planned; run again")
    assert said.split("\n")[1:] == [f"  {files[option]}", ""]
    assert not Path("x.npy").exists()
    assert not Path("x.json").exists()


@pytest.mark.parametrize("flags", ["4096", "-1", "x"])
def test_impossible_options_are_refused(measure: Measure, flags: str) -> None:
    done = measure(f"--exclude-flags={flags}")
    assert done.returncode == 2
    assert "--exclude-flags" in done.stdout
