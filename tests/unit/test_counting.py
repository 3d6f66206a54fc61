"""Counting from Python: what may be given, what is imported for it, and what it leaves alone."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pysam
import pytest

import oracle
from divvy_coverage.counting import kernel
from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.sample_files import (
    describe,
    find_damage,
    read_counts,
    read_description,
    read_histogram,
    to_int32,
    write_sample,
)
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.intervals.start_sites import read_start_sites
from helpers import write_bam

CONTIGS = {"chr1": 500, "chr2": 300}
BED = "chr1\t0\t50\nchr2\t10\t400\nchr1\t0\t50\n"


@pytest.fixture
def bam(tmp_path: Path) -> Path:
    write_bam(tmp_path / "x.bam", CONTIGS, [(f"r{i}", 16 * (i % 2), "chr1", 5 * i, "30M", 60) for i in range(50)])
    (tmp_path / "r.bed").write_text(BED)
    (tmp_path / "tss.bed").write_text("chr1\t30\t31\ta\t0\t+\n")
    return tmp_path / "x.bam"


def test_files_may_be_named_in_any_way(bam: Path) -> None:
    bed, tss, warned = bam.with_name("r.bed"), bam.with_name("tss.bed"), []
    expected, tally = count_alignments([bam], read_regions(bed), sites=read_start_sites(tss), warn=warned.append)
    assert expected.dtype == np.int64
    assert (
        expected.tolist()
        == oracle.count([("chr1", 0, 50), ("chr2", 10, 400)], oracle.spans(bam, "reads", 3844, 0, 0, (0, 0))[1])[0]
    )
    for files in (bam, str(bam), [str(bam)], (bam,)):
        counts, found = count_alignments(files, str(bed), sites=str(tss), warn=warned.append)
        assert counts.tolist() == expected.tolist()
        np.testing.assert_array_equal(found.tss_profile, tally.tss_profile)
    assert tally.tss_profile.sum()
    assert count_alignments([bam, bam], read_regions(bed), warn=warned.append)[0].tolist() == (2 * expected).tolist()


def test_warnings_are_pythons_unless_they_are_taken(bam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="exact duplicates|end beyond") as raised:
        count_alignments(bam, bam.with_name("r.bed"))
    assert ["1 exact duplicates" in str(raised[0].message), "end beyond" in str(raised[1].message)] == [True, True]
    taken: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count_alignments(bam, bam.with_name("r.bed"), warn=taken.append)
    assert taken == [str(each.message) for each in raised]
    assert capsys.readouterr() == ("", "")


def test_impossible_arguments_are_refused_with_the_choices(bam: Path) -> None:
    with pytest.raises(UserError, match="mode: expected one of reads, fragments, insertions, found 'cuts'"):
        Counting("cuts")
    with pytest.raises(UserError, match="absent_contigs: expected one of error, zero"):
        Counting(absent_contigs="ignore")
    with pytest.raises(UserError, match="require_flags: expected SAM flags, 0 to 4095, found 4096"):
        Counting(require_flags=4096)
    with pytest.raises(UserError, match="at least one alignment file"):
        count_alignments([], bam.with_name("r.bed"))
    with pytest.raises(UserError, match=r"gone\.bam: cannot be read: No such file"):
        count_alignments(bam.with_name("gone.bam"), bam.with_name("r.bed"), warn=print)


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("counting.definition", "numba numpy.testing pandas pysam"),
        ("counting.statistics", "numba pandas pysam"),
        ("counting.sample_files", "numba pandas pysam"),
        ("counting.count", "numba pandas pysam tqdm"),
        ("counting.bam_engine", "pandas pysam tqdm"),
        ("intervals.start_sites", "numba pandas pysam"),
    ],
)
def test_no_more_is_imported_than_is_needed(module: str, absent: str) -> None:
    code = f"import sys, divvy_coverage.{module}; print([name for name in {absent.split()} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_engine_is_compiled_once_for_all_processes() -> None:
    kernel.compile_ahead()
    folder = Path(kernel.__file__).parent / "__pycache__"
    assert Path(kernel.walk.stats.cache_path) == folder
    assert list(folder.glob("kernel.walk-*.nbi"))
    code = """
from divvy_coverage.counting import kernel
kernel.compile_ahead()
print(sum(kernel.walk.stats.cache_hits.values()), sum(kernel.walk.stats.cache_misses.values()))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1 0\n"


def test_htslibs_messages_are_only_silent_while_it_reads(bam: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = pysam.get_verbosity()
    regions = read_regions(bam.with_name("r.bed"))
    cram = bam.with_name("x.cram")
    write_bam(cram, CONTIGS, [], "wc")
    capfd.readouterr()  # of writing
    count_alignments(cram, regions, warn=print)
    cram.write_bytes(cram.read_bytes()[:60] + bytes(40) + cram.read_bytes()[-38:])
    with pytest.raises(UserError):
        count_alignments(cram, regions, warn=print)
    assert capfd.readouterr().err == ""
    assert pysam.get_verbosity() == before


def test_both_files_of_a_sample_are_read_as_they_were_written(bam: Path) -> None:
    regions = read_regions(bam.with_name("r.bed"))
    totals, tally = count_alignments(bam, regions, sites=bam.with_name("tss.bed"), warn=print)
    counts = to_int32(totals, bam)
    description = describe([bam], regions, Counting(), counts, tally.describe(["chr1"], with_profile=True))
    path, text = bam.with_name("x.npy"), bam.with_name("x.json")
    write_sample(path, text, counts, description)
    assert read_counts(path).tolist() == totals.tolist()
    assert read_description(text) == description
    assert read_histogram(description, "mapping_quality", 256).tolist() == tally.mapping_quality.tolist()
    assert read_histogram(description, "fragment_length", 2001).sum() == 0
    assert description["tss_profile"] == tally.tss_profile.tolist()
    assert description["statistics"]["mitochondrial_fraction"] == 1
    assert find_damage(path, description) == ""
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert str(path) in find_damage(path, description)
    path.write_bytes(b"")
    assert str(path) in find_damage(path, description)
    text.write_text("{}")
    with pytest.raises(UserError, match="not the description of a sample"):
        read_description(text)


def test_counts_beyond_int32_are_refused() -> None:
    assert to_int32(np.array([2**31 - 1]), Path("x.bam")).dtype == np.int32
    with pytest.raises(UserError, match=r"x\.bam: a region has 2147483648 counts"):
        to_int32(np.array([1, 2**31]), Path("x.bam"))
