"""That the check for jobs that run twice at the same time would find one."""

import math
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from clusters import ALONE, list_twins
from one_host_slurm import OneHostSlurm
from overlaps import (
    Allocation,
    correct_end,
    describe_overlaps,
    find_overlaps,
    list_allocations,
    read_allocations,
    read_untold_ends,
)
from plugin_helpers import wait_until


def allocation(id: str, start: int, end: int | None, name: str = "job.a", folder: str = "/run") -> Allocation:
    return Allocation(id, folder, start, end, "COMPLETED", name)


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (allocation("2", 15, 30), True),
        (allocation("2", 12, 14), True),
        (allocation("2", 5, None), True),
        (allocation("2", 18, 30, name="job.b+a"), True),
        (allocation("2", 19, 30), False),  # within the resolution
        (allocation("2", 20, 30), False),
        (allocation("2", 15, 30, name="job.ab"), False),
        (allocation("2", 15, 30, name="gob.a"), False),
        (allocation("2", 15, 30, folder="/run2"), False),
    ],
)
def test_two_allocations_of_a_job_at_the_same_time_are_found(other: Allocation, found: bool) -> None:
    one = allocation("1", 10, 20)
    assert find_overlaps([one, other]) == ([(one, other)] if found else [])
    assert len(find_overlaps([other, one])) == found


def test_what_accounting_says_is_read_and_jobs_that_never_started_are_left_out() -> None:
    said = "7|/run|10|20|FAILED|job.a+b\n8|/run|10|Unknown|RUNNING|job.c\n9|/run|None|20|CANCELLED by 0|job.d\n"
    seven, eight = read_allocations(said)
    assert seven == Allocation("7", "/run", 10, 20, "FAILED", "job.a+b")
    assert seven.members == {"job.a", "job.b"}
    assert eight.end is None


def test_a_job_that_ended_while_the_controller_was_away_has_ended_when_its_node_says_so() -> None:
    log = (
        "[2026-12-01T00:36:54.283] [12.batch] Retrying job complete RPC for StepId=12.batch\n"
        "[2026-12-01T00:37:09.100] [12.batch] Retrying job complete RPC for StepId=12.batch\n"
        "[2026-12-01T00:37:09.298] [12.batch] done with job\n[2026-12-01T00:37:09.905] [39.batch] done with job\n"
    )
    ended = math.ceil(datetime(2026, 12, 1, 0, 36, 54, 283000).timestamp())
    untold = read_untold_ends(log)
    assert untold == {"12": ended}
    late = allocation("12", ended - 20, ended + 15)
    assert correct_end(late, untold) == allocation("12", ended - 20, ended)
    assert find_overlaps([correct_end(late, untold), allocation("39", ended + 12, ended + 15)]) == []
    for other in (
        allocation("12", ended + 1, ended + 15),
        allocation("12", ended - 20, ended - 10),
        replace(late, id="39"),
    ):
        assert correct_end(other, untold) == other


@pytest.mark.slow
@pytest.mark.xdist_group("slurm")
def test_an_overlap_on_a_real_slurm_is_found(slurm: OneHostSlurm, tmp_path: Path) -> None:
    both_run = "touch {own}; until [ -e 0 ] && [ -e 1 ]; do sleep 0.1; done; sleep 4"
    for number in range(2):
        options = [f"--job-name=job.{number}+2", f"--chdir={tmp_path}", "--output=/dev/null"]
        assert slurm.run("sbatch", *options, "--wrap", both_run.format(own=number))
    wait_until(lambda: not slurm.queue())
    wait_until(lambda: len(list_allocations(slurm, tmp_path)) == 2)
    (said,) = describe_overlaps(slurm, tmp_path)
    assert "(job.0+2, COMPLETED, " in said
    assert "(job.1+2, COMPLETED, " in said


def test_two_processes_of_a_job_at_the_same_time_are_noted_even_if_one_is_only_a_killed_ones_child(
    tmp_path: Path,
) -> None:
    """A job's lock is held by whatever descends from it."""
    line = ALONE.replace("{wildcards.n}", "7")
    with subprocess.Popen(
        ["bash", "-c", f"{line}; sleep 300 & echo $!; kill -9 $$"], cwd=tmp_path, stdout=subprocess.PIPE
    ) as first:
        child = first.stdout.readline().strip().decode()
    subprocess.run(["bash", "-c", line.replace("7", "8")], cwd=tmp_path, check=True)
    assert list_twins(tmp_path.parent) == []
    subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True)
    assert list_twins(tmp_path.parent) == ["7"]
    subprocess.run(["kill", child], check=True)
