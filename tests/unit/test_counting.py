"""Counting from Python: what may be given, what is imported for it, and what it leaves alone."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pysam
import pytest

import oracle
from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import PAIRED_UNITS, Counting
from divvy_coverage.counting.kernel import load
from divvy_coverage.counting.origin import check_unchanged, describe_files
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.intervals.start_sites import read_start_sites
from divvy_coverage.quality.statistics import compute_statistics
from helpers import command, succeed, write_bam

READS = Counting("reads")
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
    regions, sites = read_regions(bed), read_start_sites(tss)
    expected, tally = count_alignments([bam], regions, READS, sites=sites, warn=warned.append)
    assert expected.dtype == np.int64
    assert expected.tolist() == oracle.count(bam, READS, [("chr1", 0, 50), ("chr2", 10, 400)]).counts
    for files in (bam, str(bam), [str(bam)], (bam,)):
        counts, found = count_alignments(files, str(bed), READS, sites=str(tss), warn=warned.append)
        assert counts.tolist() == expected.tolist()
        np.testing.assert_array_equal(found.tss_profile, tally.tss_profile)
    assert tally.tss_profile.sum()
    other = bam.with_name("other.bam")
    shutil.copy(bam, other)
    assert count_alignments([bam, other], regions, READS, warn=warned.append)[0].tolist() == (2 * expected).tolist()


def test_warnings_are_pythons_unless_they_are_taken(bam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="exact duplicates|end beyond") as raised:
        count_alignments(bam, bam.with_name("r.bed"), READS)
    assert ["1 exact duplicates" in str(raised[0].message), "end beyond" in str(raised[1].message)] == [True, True]
    taken: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count_alignments(bam, bam.with_name("r.bed"), READS, warn=taken.append)
    assert taken == [str(each.message) for each in raised]
    assert capsys.readouterr() == ("", "")


def test_impossible_arguments_are_refused_with_the_choices(bam: Path) -> None:
    with pytest.raises(
        UserError, match="unit: expected one of fragments, paired_insertions, insertions, reads, found 'cuts'"
    ):
        Counting("cuts")
    with pytest.raises(UserError, match="absent_contigs: expected one of error, zero"):
        count_alignments(bam, bam.with_name("r.bed"), READS, absent_contigs="ignore", warn=print)
    with pytest.raises(UserError, match="require_flags: expected SAM flags, 0 to 4095, found 4096"):
        Counting(require_flags=4096)
    with pytest.raises(UserError, match="at least one alignment file"):
        count_alignments([], bam.with_name("r.bed"), warn=print)
    with pytest.raises(UserError, match=r"gone\.bam: cannot be read: No such file"):
        count_alignments(bam.with_name("gone.bam"), bam.with_name("r.bed"), warn=print)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"require_flags": 0x402, "exclude_flags": 3844}, "require_flags: 1026 has flags (1024: duplicate)"),
        ({"require_flags": 0x4}, "require_flags: 4 has flags (4: unmapped) that exclude_flags, 3844, excludes"),
        (
            {"unit": "fragments", "exclude_flags": 0x2},
            "exclude_flags: 2 excludes proper_pair (2), which mates of fragments are",
        ),
        ({"unit": "fragments", "exclude_flags": 0x905}, "exclude_flags: 2309 excludes paired (1)"),
        ({"min_mapq": 256}, "min_mapq: expected a mapping quality, 0 to 255, found 256"),
        ({"min_mapq": -1}, "min_mapq: expected a mapping quality, 0 to 255, found -1"),
    ],
)
def test_settings_that_would_count_nothing_are_refused(settings: dict, said: str) -> None:
    with pytest.raises(UserError) as error:
        Counting(**settings)
    assert said in str(error.value)


def test_what_single_end_or_paired_end_alignments_cannot_give_is_refused_never_counted_as_zeros(bam: Path) -> None:
    bed, pairs, empty = bam.with_name("r.bed"), bam.with_name("pairs.bam"), bam.with_name("empty.bam")
    write_bam(pairs, CONTIGS, [("p", 99, "chr1", 5, "30M", 60)])
    write_bam(empty, CONTIGS, [])
    for unit in PAIRED_UNITS:
        for files in ([bam], [pairs, bam], [empty, bam]):
            with pytest.raises(UserError, match=rf"x\.bam: its alignments are single-end, so there are no {unit} to"):
                count_alignments(files, bed, Counting(unit), warn=print)
        assert count_alignments([empty, pairs], bed, Counting(unit), warn=print)[1]["alignments"] == 1
    extended = Counting("reads", extend=100)
    with pytest.raises(UserError, match=r"pairs\.bam: its alignments are paired-end; `extend` is for single-end"):
        count_alignments([bam, pairs], bed, extended, warn=print)
    assert count_alignments([bam, empty], bed, extended, warn=print)[0].sum() > 0


@pytest.mark.parametrize("unit", ["fragments", "paired_insertions"])
def test_proper_pairs_of_which_none_is_one_are_refused(bam: Path, unit: str) -> None:
    """Also where preflight has not looked, as on a command line; a few may have lost their mates to the filters."""
    bed, pairs = bam.with_name("r.bed"), bam.with_name("pairs.bam")
    for number, complaint in (
        (49, ""),
        (50, "100 kept alignments are proper pairs by their flags, but none has its mate"),
    ):
        reads = [(f"p{n // 2}", (99, 147)[n % 2], "chr1", n, "40M", 60) for n in range(2 * number)]
        write_bam(pairs, {"chr1": 1000}, reads)
        if complaint:
            with pytest.raises(UserError, match=rf"pairs\.bam: {complaint}"):
                count_alignments(pairs, bed, Counting(unit), absent_contigs="zero", warn=print)
            write_bam(pairs, {"chr1": 1000}, reads, mates=True)
        tally = count_alignments(pairs, bed, Counting(unit), absent_contigs="zero", warn=print)[1]
        assert compute_statistics(tally, 0)["without_mate"] == (0 if complaint else 98)


def test_the_same_file_is_not_counted_twice(bam: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bam.parent)
    os.symlink("x.bam", "link.bam")
    os.link("x.bam", "hard.bam")
    for again in ("x.bam", "../" + bam.parent.name + "/x.bam", "link.bam", "hard.bam"):
        with pytest.raises(UserError, match=r"the same file is given twice"):
            count_alignments([bam, again], "r.bed", warn=print)


def test_regions_that_are_all_on_absent_contigs_are_refused_even_if_absent_contigs_are_zero(bam: Path) -> None:
    bed = bam.with_name("r.bed")
    bed.write_text("1\t0\t50\n7\t0\t50\n")
    with pytest.raises(UserError, match=r"x\.bam: none of the contigs of the regions \(1, 7\) .*lack the prefix 'chr'"):
        count_alignments(bam, bed, READS, absent_contigs="zero")
    other = bam.with_name("other.bam")
    write_bam(other, {"7": 100}, [("r", 0, "7", 5, "30M", 60)])
    assert count_alignments([bam, other], bed, READS, absent_contigs="zero")[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("counting.definition", "numba numpy.testing pandas pysam"),
        ("counting.tally", "numba pandas pysam"),
        ("counting.evidence", "numba pandas pysam"),
        ("counting.count", "numba pandas pysam tqdm"),
        ("counting.engines.bam", "numba pandas pysam tqdm"),
        ("counting.kernel.load", "numba pandas pysam"),
        ("intervals.start_sites", "numba pandas pysam"),
    ],
)
def test_no_more_is_imported_than_is_needed(module: str, absent: str) -> None:
    code = f"import sys, divvy_coverage.{module}; print([name for name in {absent.split()} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


COUNT = """
import sys
from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import PAIRED_UNITS, Counting
counts, _ = count_alignments(sys.argv[1], sys.argv[2], Counting("reads"), warn=lambda text: None)
print(counts.tolist(), [name for name in ("numba", "pandas", "pysam", "tqdm") if name in sys.modules])
"""


def count_elsewhere(bam: Path, library: Path, cache: Path) -> str:
    """Return what another process counts, and which large libraries it imports; `library` is the folder to import."""
    environment = os.environ | {"PYTHONPATH": str(library), "XDG_CACHE_HOME": str(cache)}
    words = [sys.executable, "-c", COUNT, str(bam), str(bam.with_name("r.bed"))]
    return subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout


def copy_library(folder: Path) -> Path:
    """Copy the library into a folder, without what was compiled; return its folder `counting`."""
    source = Path(load.__file__).parents[2]
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / source.name / "counting"


def damage(content: bytes) -> dict[str, bytes]:
    """Return what may become of a file that is kept, by how."""
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    other_sum = bytes(load.DIGEST) + content[load.DIGEST :]
    return {"changed": bytes(changed), "cut": content[:-1], "half": content[:9000], "sum": other_sum, "empty": b""}


def test_counting_bam_imports_no_large_library_once_the_loop_is_compiled(bam: Path) -> None:
    load.get_run()
    counts = oracle.count(bam, READS, [("chr1", 0, 50), ("chr2", 10, 400)]).counts
    assert count_elsewhere(bam, Path(load.__file__).parents[3], bam.parent / "cache") == f"{counts} []\n"


def test_only_a_whole_object_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load.get_run()
    content = next(path for folder in load.get_folders() if (path := folder / load.get_name()).exists()).read_bytes()
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    (second / load.get_name()).write_bytes(content)
    monkeypatch.setattr(load, "get_folders", lambda: iter([first, second]))
    kept = load._read_kept()
    assert kept
    assert kept[0] in content
    first.mkdir()
    for label, damaged in damage(content).items():
        (first / load.get_name()).write_bytes(damaged)
        (second / load.get_name()).write_bytes(content)
        assert load._read_kept() == kept, label
        (second / load.get_name()).write_bytes(damaged)
        assert load._read_kept() is None, label


@pytest.mark.slow
def test_the_loop_is_compiled_anew_if_what_is_kept_is_damaged(bam: Path, tmp_path: Path) -> None:
    """Where the library cannot be written, the user's cache folder is, and is read by the next process."""
    load.get_run()
    library, kept = tmp_path / "library", tmp_path / "cache" / "divvy-coverage" / load.get_name()
    (copy_library(library) / "kernel" / "__pycache__").write_text("a file, so that no folder can be made")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"damaged")
    counts = oracle.count(bam, READS, [("chr1", 0, 50), ("chr2", 10, 400)]).counts
    assert count_elsewhere(bam, library, tmp_path / "cache") == f"{counts} ['numba']\n"
    content = kept.read_bytes()
    assert hashlib.sha256(content[load.DIGEST :]).digest() == content[: load.DIGEST]
    assert count_elsewhere(bam, library, tmp_path / "cache") == f"{counts} []\n"


@pytest.mark.slow
def test_the_loop_is_kept_beside_its_source_and_another_source_has_one_of_its_own(bam: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    counting = copy_library(library)
    counts = oracle.count(bam, READS, [("chr1", 0, 50), ("chr2", 10, 400)]).counts
    assert count_elsewhere(bam, library, tmp_path / "cache") == f"{counts} ['numba']\n"
    assert count_elsewhere(bam, library, tmp_path / "cache") == f"{counts} []\n"
    (kept,) = (counting / "kernel" / "__pycache__").glob("loops.*.o")
    code = "from divvy_coverage.counting.kernel import load; print(load.get_name())"
    for edited in (*(counting / "compiled").glob("*.py"), counting / "kernel" / "build.py"):
        before = edited.read_text()
        edited.write_text(before + "\n")
        name = succeed(command(sys.executable, "-c", code, folder=library, PYTHONPATH=str(library))).strip()
        assert re.fullmatch(r"loops\.\w+\.o", name)
        assert name != kept.name
        edited.write_text(before)
    assert not (tmp_path / "cache").exists()


def test_htslibs_messages_are_only_silent_while_it_reads(bam: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = pysam.get_verbosity()
    regions = read_regions(bam.with_name("r.bed"))
    cram = bam.with_name("x.cram")
    write_bam(cram, CONTIGS, [], "wc")
    capfd.readouterr()  # of writing
    count_alignments(cram, regions, READS, warn=print)
    cram.write_bytes(cram.read_bytes()[:60] + bytes(40) + cram.read_bytes()[-38:])
    with pytest.raises(UserError):
        count_alignments(cram, regions, READS, warn=print)
    assert capfd.readouterr().err == ""
    assert pysam.get_verbosity() == before


def test_a_file_that_changes_while_it_is_counted_is_an_error(bam: Path) -> None:
    before = describe_files([bam], [bam.with_name("r.bed")], bam.with_name("tss.bed"))
    os.utime(bam, (0, 0))
    check_unchanged(before, describe_files([bam], [bam.with_name("r.bed")], bam.with_name("tss.bed")))
    with bam.open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match=r"^\S+\.bam: changed while it was counted; run again"):
        check_unchanged(before, describe_files([bam], [bam.with_name("r.bed")], bam.with_name("tss.bed")))
    bam.unlink()
    with pytest.raises(UserError, match="changed while it was counted"):
        check_unchanged(before, describe_files([bam], [bam.with_name("r.bed")], bam.with_name("tss.bed")))
