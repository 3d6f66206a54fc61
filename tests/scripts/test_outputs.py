"""Files that cannot be written: one line says so, before any work if that can be known, and nothing is half-written."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.counting.options import SETTINGS
from divvy_coverage.errors import OutputError
from divvy_coverage.files import check_outputs, replacing
from divvy_coverage.matrix.overflow import OverflowFile
from helpers import command, script, succeed, write_bam, write_cohort, write_sheet
from report_results import sheet, write_results

COHORT = "--samples s.tsv --regions r.bed --coverage cov"
COLLECT = f"collect_coverage {COHORT} --stats st.tsv --region-stats rs.tsv.gz"
COMPARISON = "--pca {0}/p.tsv --correlation {0}/c.tsv --summary {0}/s.json"
FORMATS = ("csv.gz", "parquet", "h5ad", "mtx.gz")
MATRICES = {
    f"{kind} {format}": f"{COLLECT} --kind {kind} --out {{0}}/m.{format}"
    for kind in ("raw", "norm")
    for format in FORMATS
}
COMMANDS = MATRICES | {
    "counts": "measure_coverage --bam bam/a.bam --regions r.bed --unit reads --out {0}/a.npy --stats {0}/a.json",
    "counts as BED": "measure_coverage --bam bam/a.bam --regions r.bed --unit reads --out {0}/a.bed --stats {0}/a.json",
    "summary": f"summarize_coverage {COHORT} --stats {{0}}/st.tsv --region-stats {{0}}/rs.tsv.gz",
    "comparison": f"compare_samples {COHORT} --stats st.tsv {COMPARISON}",
    "consensus": "build_consensus --samples peaks.tsv --source peaks --out {0}/r.bed --support {0}/r.parquet",
    "report": "make_report --results results --region-sets peaks --out {0}/r.html --pictures {0}/p --multiqc {0}/m",
    "record": "record_run --config {{}} --samples s.tsv --regions r.bed --out {0}/r.json",
    "preflight": "preflight --config config.json --plan {0}/plan --results {0}/results --cache {0}/cache",
    "new project": "new_project {0}/project --assay chip",
    "demo": "make_demo --out {0}/demo --samples 1 --regions 10 --reads 3000",
}
# where a file may be written in part: what is written before, or with it
WITH_OTHERS = ("summary", "comparison", "report", "preflight", "demo")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the scripts read; not to be changed."""
    folder = tmp_path_factory.mktemp("inputs")
    counts = np.random.default_rng(1).poisson(3, (3000, 6))
    write_cohort(folder, counts, [f"s{number}" for number in range(6)])
    succeed(script("summarize_coverage", *f"{COHORT} --stats st.tsv --region-stats rs.tsv.gz".split(), folder=folder))
    bed = folder / "r.bed"
    for name in "ab":
        write_bam(folder / "bam" / f"{name}.bam", {"chr1": 200_000_000}, [(name, 0, "chr1", 5, "50M", 60)])
    (folder / "peaks.tsv").write_text(f"sample_name\tpeaks\na\t{bed}\nb\t{bed}\n")
    write_sheet(folder / "samples.csv", [{"sample_name": name, "bam": f"bam/{name}.bam"} for name in "ab"])
    config = {
        "pep": "samples.csv",
        "amendments": [],
        "samples": {"bam": "bam", "peaks": "peaks", "toggle": "toggle"},
        "permissive": False,
        "absent_contigs": "error",
        "regions": {"peaks": {"bed": "r.bed", "blacklist": "", "contigs": ""}},
        "assay": "atac",
        "blacklist": "",
        "counting": {"unit": "auto"} | dict.fromkeys(SETTINGS[1:]),
        "statistics": {"mitochondrial_contigs": None, "tss": ""},
        "reference": "",
        "matrix": {"library_size": "usable", "normalization": "log2cpm"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    write_results(folder / "results", sheet(3), ["peaks"], regions=20)
    return folder


def words(name: str, out: Path) -> list[str]:
    return COMMANDS[name].format(out).split()


def run(name: str, inputs: Path, out: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own, whose end is part of what is tested."""
    return command(*before, "python", "-m", "divvy_coverage", *words(name, out), folder=inputs, timeout=120)


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in a folder, but for the one that fills the disk."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name != "fill"}


def check_one_line(done: subprocess.CompletedProcess[str], out: Path, *essentials: str) -> None:
    assert done.returncode == 1, (done.returncode, done.stdout)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"error: {out}/")
    for essential in ("cannot be written: ", *essentials):
        assert essential in line


def fill(disk: Path) -> None:
    """Fill a disk to its last byte."""
    with (disk / "fill").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_an_error_of_one_line(inputs: Path, small_disk: Path, name: str) -> None:
    fill(small_disk)
    done = run(name, inputs, small_disk)
    check_one_line(done, small_disk, "No space left on device; free space there, or write elsewhere, and run again")
    assert files(small_disk) == {}


@pytest.mark.parametrize(
    ("name", "room"),
    [
        *(("norm h5ad", room) for room in (4, 8, 16)),
        ("norm parquet", 8),
        ("norm csv.gz", 8),
        ("raw mtx.gz", 8),
        ("demo", 8),
    ],
)
def test_a_disk_that_fills_up_is_an_error_of_one_line(inputs: Path, small_disk: Path, name: str, room: int) -> None:
    """There is room for so many kB."""
    fill(small_disk)
    os.truncate(small_disk / "fill", (64 - room) * 1024)
    done = run(name, inputs, small_disk)
    check_one_line(done, small_disk, "No space left on device")
    assert not [path for path in files(small_disk) if "/." in f"/{path}"]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_that_gets_too_large_is_an_error_of_one_line(inputs: Path, tmp_path: Path, name: str) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    done = run(name, inputs, part, "sh", "-c", 'ulimit -f 1 && exec "$@"', "sh")  # 512 bytes
    check_one_line(done, part, "File too large; allow larger files (ulimit -f) and run again")
    if found := files(part):
        assert name in WITH_OTHERS
        succeed(run(name, inputs, whole))
        expected = files(whole)
        assert found.items() <= expected.items()
        assert len(found) < len(expected)


def test_what_the_disk_does_not_take_can_be_read_back(small_disk: Path) -> None:
    rng = np.random.default_rng(1)
    expected = np.zeros(100_000, np.uint8)
    with OverflowFile(small_disk / "x") as file:
        file.truncate(len(expected))
        for _ in range(300):
            first, last = sorted(rng.integers(0, len(expected), 2).tolist())
            expected[first:last] = rng.integers(1, 256, last - first)
            file.seek(first)
            assert file.write(expected[first:last].tobytes()) == last - first == file.tell() - first
            first, last = sorted(rng.integers(0, len(expected), 2).tolist())
            found = bytearray(last - first)
            file.seek(first)
            assert file.readinto(found) == last - first == file.tell() - first
            assert found == expected[first:last].tobytes()
        with pytest.raises(OSError, match="No space left"):
            file.check()


def test_a_file_that_the_disk_takes_is_as_any_other(tmp_path: Path) -> None:
    with OverflowFile(tmp_path / "x") as file:
        assert file.write(b"content") == 7
        file.seek(3)
        found = bytearray(9)
        assert file.readinto(found) == 4
        assert found == b"tent" + bytes(5)
        assert file.truncate(5) == 5
        file.check()
    assert (tmp_path / "x").read_bytes() == b"conte"


# of each command, options for inputs that are not there: who reads them finds these first
EARLY = {
    "counts": "measure_coverage --bam gone.bam --regions gone.bed --out {0} --stats {1}",
    "matrix": f"{COLLECT.replace('s.tsv', 'gone.tsv')} --kind raw --out {{0}}.h5ad",
    "summary": "summarize_coverage --samples gone.tsv --regions r.bed --coverage cov --stats {1} --region-stats {0}",
    "comparison": f"compare_samples --samples gone.tsv --regions r.bed --coverage cov --stats st {COMPARISON} --pca {{0}}",
    "consensus": "build_consensus --samples gone.tsv --out {1} --support {0}",
    "report": "make_report --results gone --region-sets peaks --out {0} --pictures p --multiqc m",
}


@pytest.mark.parametrize("name", EARLY)
@pytest.mark.parametrize("where", ["a folder", "in a file", "in a pipe", "where nobody may write"])
def test_an_output_that_cannot_be_written_is_told_at_once(tmp_path: Path, name: str, where: str) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    out = {
        "a folder": tmp_path / "folder",
        "in a file": tmp_path / "file" / "x",
        "in a pipe": tmp_path / "pipe",
        "where nobody may write": Path("/sys/x"),
    }[where]
    program, *options = EARLY[name].format(out, tmp_path / "new" / "x").split()
    if where == "a folder":
        (tmp_path / f"folder{'.h5ad' * (name == 'matrix')}").mkdir()
    if where == "in a pipe" and name == "matrix":
        (tmp_path / "pipe").rename(tmp_path / "pipe.h5ad")
    done = script(program, *options, folder=tmp_path)
    check_one_line(done, out.parent, out.name)
    assert not (tmp_path / "new").exists()


def test_a_disk_that_is_read_only_is_told_at_once(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OutputError, match=r"new/x\.npy: cannot be written: Read-only file system; allow writing"):
        check_outputs(small_disk / "new" / "x.npy")


def test_an_output_may_be_in_a_folder_that_is_yet_to_be_made(tmp_path: Path) -> None:
    check_outputs(tmp_path / "a" / "b" / "x", tmp_path / "y")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["folder", "pipe"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="in its place"), replacing(tmp_path / place):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe"}


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the mask of permissions, which all threads of a process share, is never touched for it."""
    (tmp_path / "any").touch()
    monkeypatch.setattr(os, "umask", None)
    with replacing(tmp_path / "new") as temporary:
        assert temporary.stat().st_mode == (tmp_path / "any").stat().st_mode
        temporary.write_text("x")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "any").stat().st_mode
    assert len(list(tmp_path.iterdir())) == 2


def test_errors_of_reading_are_no_errors_of_writing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "x"):
        (tmp_path / "gone").read_bytes()
    assert not list(tmp_path.iterdir())


def test_a_project_that_cannot_be_made_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "p" / "config").mkdir(parents=True)
    (tmp_path / "p" / "workflow").write_text("mine")
    done = script("new_project", "p", "--assay", "chip", folder=tmp_path)
    said = "error: p/workflow/Snakefile: cannot be written: File exists; a file stands where its path needs a folder"
    assert (done.returncode, done.stdout.partition("; write")[0]) == (1, said)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {"p", "p/config", "p/workflow"}
    assert (tmp_path / "p" / "workflow").read_text() == "mine"
