"""What a run is made of is fixed when it starts, under Snakemake's lock; no other call and no time stamp changes it."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.project import Project
from helpers import (
    MATRIX,
    NOTHING,
    SNAKEFILE,
    environment,
    jobs,
    planned_jobs,
    read_matrix,
    refuse,
    snakemake,
    succeed,
    write_bam,
    write_config,
    write_sheet,
)

pytestmark = pytest.mark.slow
# jobs wait for a file once the samples are fixed
WAITING = """\
shell.prefix("while [ -e results/samples.tsv ] && ! [ -e go ]; do sleep 0.1; done; ")
include: {snakefile!r}
"""
COUNTS = {"a": [1, 0], "b": [2, 1]}  # of the tiny project


def run(folder: Path, *options: str) -> str:
    return succeed(snakemake(folder, MATRIX, "--cores", "2", *options))


def planned(folder: Path, rule: str = "measure_coverage") -> int:
    """Return how many jobs of a rule would run; of that which counts, this is how many samples would be counted."""
    return planned_jobs(run(folder, "--dry-run"), rule)


def sheet(folder: Path, **bams: str) -> None:
    """Write the sheet: the BAM file of each sample."""
    write_sheet(folder / "samples.csv", [{"sample_name": name, "bam": f"bam/{bam}.bam"} for name, bam in bams.items()])


def columns(folder: Path) -> dict[str, list[int]]:
    _, samples, counts = read_matrix(folder / MATRIX)
    return {name: counts[:, column].tolist() for column, name in enumerate(samples)}


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of each file in the results."""
    paths = [path for path in (folder / "results").rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def wait_for_end(rule: str, log: Path) -> None:
    """Wait until a job of a rule has ended; its output is incomplete before, even if it is there."""
    end = time.monotonic() + 60
    while not jobs(log.read_text(), rule):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@contextmanager
def running(project: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run, which goes on after its samples are fixed when the block ends, and has ended then."""
    snakefile = project / "waiting.smk"
    snakefile.write_text(WAITING.format(snakefile=str(SNAKEFILE)))
    options = ["--snakefile", str(snakefile), MATRIX, "--cores", "2", "--show-failed-logs"]
    with log.open("w") as file:
        first = subprocess.Popen(["snakemake", *options], cwd=project, env=environment(), stdout=file, stderr=file)
    try:
        wait_for_end("fix_samples", log)
        yield first
    finally:
        (project / "go").touch()
        first.wait(timeout=200)


def test_a_run_is_of_its_own_sheet_whatever_is_called_beside_it(project: Path) -> None:
    log = project / "first.log"
    with running(project, log) as first:
        before = listing(project)
        sheet(project, b="a", a="b")
        (project / "regions.bed").write_text("chr1\t0\t1\n")
        succeed(snakemake(project, "--dry-run"))
        refuse(snakemake(project, MATRIX, "--cores", "1"), "lock")
        beside = listing(project)
        assert {name: beside[name][1] for name in before} == {name: content for name, (_, content) in before.items()}
    assert first.returncode == 0, log.read_text()
    assert columns(project) == COUNTS
    run(project)
    assert columns(project) == {"b": [1], "a": [1]}
    assert list(columns(project)) == ["b", "a"]


def test_a_file_that_is_exchanged_after_the_run_was_planned_is_not_counted(project: Path) -> None:
    log = project / "first.log"
    with running(project, log) as first:
        write_bam(project / "bam/b.bam", {"other": 10_000}, [])  # whose regions would count as 0
    assert first.returncode == 1
    assert "changed since the run was planned; run again, and what changed is counted:\n  bam/b.bam" in log.read_text()
    assert not (project / "results/coverage/b/evidence.json").exists()
    refuse(snakemake(project, MATRIX, "--cores", "2"), "bam/b.bam", "contig")
    write_bam(project / "bam/b.bam", {"chr1": 10_000}, [])
    run(project)
    assert columns(project) == {"a": [1, 0], "b": [0, 0]}


def test_counts_of_other_files_are_not_collected(counted: Path) -> None:
    swap_by_mv(counted)
    with pytest.raises(UserError, match="a/evidence.json: counted from other files, or as they were: bam/a.bam"):
        Project(counted / "config" / "config.yaml").collect_coverage(progress=False)


@pytest.mark.parametrize(
    "options", [["--summary"], ["--dag"], ["--report", "report.zip"], ["--list-rules"], ["--lint"]]
)
def test_results_are_shown_also_without_their_inputs(counted: Path, options: list[str]) -> None:
    shutil.rmtree(counted / "bam")
    before = listing(counted)
    printed = succeed(snakemake(counted, MATRIX, *options))
    assert ("bam/a.bam" in printed) == (options[0] not in ("--list-rules", "--lint"))
    assert listing(counted) == before
    refuse(snakemake(counted, "--dry-run"), "no such file: bam/a.bam")


@pytest.mark.parametrize(
    "options",
    [
        ["--dry-run"],
        ["--summary"],
        ["--dag"],
        ["--unlock"],
        ["--list-rules"],
        ["--lint"],
        ["preflight", "--cores", "1"],
    ],
    ids=lambda options: options[0].strip("-"),
)
def test_what_only_looks_writes_nothing_in_the_results(counted: Path, options: list[str]) -> None:
    before = listing(counted)
    sheet(counted, b="a", a="b")
    (counted / "regions.bed").write_text("chr1\t0\t1\n")
    succeed(snakemake(counted, *options))
    assert listing(counted) == before
    shutil.rmtree(counted / "results")
    succeed(snakemake(counted, *options))
    assert not (counted / "results").exists()


def test_snakemakes_own_report_changes_nothing_in_the_results(counted: Path) -> None:
    before = listing(counted)
    (counted / "samples.csv").write_text((counted / "samples.csv").read_text() + "\n")
    succeed(snakemake(counted, MATRIX, "--report", "report.zip"))
    assert listing(counted) == before


def test_a_folder_is_unlocked_also_without_its_inputs(project: Path) -> None:
    shutil.rmtree(project / "bam")
    assert "Unlocked" in succeed(snakemake(project, "--unlock"))


def test_nothing_is_left_in_the_folder_for_temporary_files(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    succeed(snakemake(project, MATRIX, "--cores", "2", TMPDIR=str(temporary)))
    refuse(snakemake(project, "--cores", "2", "--config", "permissive=maybe", TMPDIR=str(temporary)), "permissive")
    assert not [path for path in temporary.iterdir() if "divvy" in path.name]


def swap_by_mv(folder: Path) -> None:
    bam = folder / "bam"
    (bam / "a.bam").rename(bam / "x")
    (bam / "b.bam").rename(bam / "a.bam")
    (bam / "x").rename(bam / "b.bam")


def swap_by_rsync(folder: Path) -> None:
    """Replace contents and keep the times, which are older than the counts, as `rsync -t` does."""
    first, second = folder / "bam/a.bam", folder / "bam/b.bam"
    contents = first.read_bytes(), second.read_bytes()
    for path, content in zip((first, second), reversed(contents), strict=True):
        time_before = path.stat().st_mtime_ns
        path.write_bytes(content)
        os.utime(path, ns=(time_before, time_before))


@pytest.mark.parametrize("swap", [swap_by_mv, swap_by_rsync])
def test_swapped_files_are_counted_again_and_no_others(counted: Path, swap: Callable[[Path], None]) -> None:
    write_bam(counted / "bam/c.bam", {"chr1": 10_000}, [])
    sheet(counted, a="a", b="b", c="c")
    run(counted)
    swap(counted)
    printed = run(counted)
    assert jobs(printed) == 2
    assert columns(counted) == {"a": [2, 1], "b": [1, 0], "c": [0, 0]}
    assert NOTHING in run(counted)


def test_a_file_of_an_older_time_is_counted_again_alone(counted: Path) -> None:
    write_bam(counted / "bam/b.bam", {"chr1": 10_000}, [])
    os.utime(counted / "bam/b.bam", (0, 0))
    assert jobs(run(counted)) == 1
    assert columns(counted) == {"a": [1, 0], "b": [0, 0]}


def test_a_touched_file_is_not_counted_again_whatever_its_size(project: Path) -> None:
    random = np.random.default_rng(1)
    names = ["".join(random.choice(list("ACGT"), 200)) for _ in range(25_000)]
    write_bam(project / "bam/a.bam", {"chr1": 10_000}, [(name, 0, "chr1", 100, "50M", 60) for name in names])
    assert (project / "bam/a.bam").stat().st_size > 1_100_000  # of smaller files, Snakemake compares checksums
    run(project)
    for path in project.glob("bam/*.bam"):
        os.utime(path)
    assert NOTHING in run(project)


def test_results_without_the_records_of_snakemake_are_not_believed_of_another_sheet(counted: Path) -> None:
    shutil.rmtree(counted / ".snakemake")
    assert NOTHING in run(counted)
    sheet(counted, b="a", a="b")
    shutil.rmtree(counted / ".snakemake")
    assert jobs(run(counted)) == 2
    assert columns(counted) == {"b": [1, 0], "a": [2, 1]}


def test_results_without_the_records_of_snakemake_are_not_believed_of_another_order(counted: Path) -> None:
    shutil.rmtree(counted / ".snakemake")
    sheet(counted, b="b", a="a")
    assert jobs(run(counted)) == 0
    assert list(columns(counted).items()) == [("b", [2, 1]), ("a", [1, 0])]


@pytest.mark.parametrize(
    "sections",
    [
        {"counting": {"min_mapq": 61}},
        {"counting": {"unit": "insertions"}},
        {"statistics": {"tss": "tss.bed"}},
    ],
    ids=["mapping quality", "unit", "start sites"],
)
def test_results_without_the_records_of_snakemake_are_not_believed_of_other_settings(
    counted: Path, sections: dict[str, dict[str, object]]
) -> None:
    (counted / "tss.bed").write_text("chr1\t50\t51\ta\t0\t+\n")
    shutil.rmtree(counted / ".snakemake")
    write_config(counted, "samples.csv", {"peaks": "regions.bed"}, **sections)
    assert planned(counted) == 2


def test_results_without_the_records_of_snakemake_are_not_believed_of_other_regions(counted: Path) -> None:
    shutil.rmtree(counted / ".snakemake")
    (counted / "regions.bed").write_text("chr1\t0\t1000\nchr1\t500\t600\n")
    assert jobs(run(counted)) == 2
    assert columns(counted) == {"a": [1, 0], "b": [2, 0]}


def test_what_to_do_about_absent_contigs_counts_nothing_again(counted: Path) -> None:
    write_config(counted, "samples.csv", {"peaks": "regions.bed"}, absent_contigs="zero")
    assert (planned(counted), planned(counted, "collect_coverage")) == (0, 0)


def test_other_mitochondrial_contigs_count_nothing_again(counted: Path) -> None:
    section = {"mitochondrial_contigs": ["chr1"]}
    write_config(counted, "samples.csv", {"peaks": "regions.bed"}, statistics=section)
    printed = run(counted)
    assert (jobs(printed), jobs(printed, "summarize_coverage")) == (0, 1)
    assert "\t1.0\t" in (counted / "results/matrix/peaks.stats.tsv").read_text()


def test_touched_regions_run_nothing_and_changed_ones_everything(counted: Path) -> None:
    os.utime(counted / "regions.bed")
    assert NOTHING in run(counted)
    with (counted / "regions.bed").open("a") as bed:
        bed.write("chr1\t500\t600\n")
    printed = run(counted)
    assert (jobs(printed), jobs(printed, "collect_coverage")) == (2, 1)
    assert read_matrix(counted / MATRIX)[2].shape == (3, 2)


def test_tables_that_were_edited_are_written_again(counted: Path) -> None:
    table = counted / "results/samples.tsv"
    content = table.read_bytes()
    table.write_bytes(content.replace(b"a.bam", b"b.bam"))
    assert jobs(run(counted)) == 0
    assert table.read_bytes() == content
    bed = counted / "results/regions/peaks.bed"
    content = bed.read_bytes()
    bed.write_text("chr1\t0\t5\nchr1\t120\t130\n")
    assert jobs(run(counted)) == 0
    assert bed.read_bytes() == content
    assert columns(counted) == COUNTS


def test_samples_that_are_excluded_are_listed_also_if_those_counted_stay_the_same(counted: Path) -> None:
    with (counted / "samples.csv").open("a") as file:
        file.write("c,gone.bam\n")
    assert jobs(run(counted, "--config", "permissive=True")) == 0
    assert "gone.bam" in (counted / "results/excluded_samples.tsv").read_text()
    sheet(counted, a="a", b="b")
    run(counted, "--config", "permissive=True")
    assert not (counted / "results/excluded_samples.tsv").exists()
    assert NOTHING in run(counted)


def test_another_sheet_does_not_hide_other_reasons_to_count_again(counted: Path) -> None:
    """Snakemake does not look for other reasons to run a job if one runs before it."""
    write_bam(counted / "bam/c.bam", {"chr1": 10_000}, [])
    sheet(counted, a="a", b="b", c="c")
    write_config(counted, "samples.csv", {"peaks": "regions.bed"}, counting={"min_mapq": 61})
    assert jobs(run(counted)) == 3
    assert columns(counted) == {"a": [0, 0], "b": [0, 0], "c": [0, 0]}
    assert NOTHING in run(counted)


def test_a_new_sample_is_counted_also_if_only_its_counts_are_wanted(counted: Path) -> None:
    write_bam(counted / "bam/c.bam", {"chr1": 10_000}, [])
    sheet(counted, a="a", b="b", c="c")
    assert jobs(succeed(snakemake(counted, "results/coverage/c/peaks.npy", "--cores", "2"))) == 1
