"""Schedulers: what their commands print, read by records; the commands here are stand-ins that print it."""

import subprocess
import time
from pathlib import Path

import pytest

from plugin_helpers import calls, stand_in
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, SchedulerError, State, choose_scheduler

SLURM, HERE = SCHEDULERS["slurm"], SCHEDULERS["here"]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (".", "here"),
        ("sh", "here"),
        ("bash", "here"),
        ("sbatch", "slurm"),
        ("bsub <", "lsf"),
        ("teleport now", "unknown"),
        ("/opt/slurm/bin/sbatch --parsable", "slurm"),
    ],
)
def test_the_submission_command_tells_the_scheduler(command: str, name: str) -> None:
    assert choose_scheduler(None, command).name == name
    assert choose_scheduler("here", command).name == "here"


def test_unknown_schedulers_are_refused_with_the_choices() -> None:
    with pytest.raises(SchedulerError, match="'warp'.*here, slurm"):
        choose_scheduler("warp", "sbatch")


@pytest.mark.parametrize(
    "printed", ["Submitted batch job 17", "17", "17;cluster", "sbatch: note\nSubmitted batch job 17"]
)
def test_slurm_submission(commands: Path, printed: str) -> None:
    stand_in(commands, "sbatch", f"cat <<'E'\n{printed}\nE")
    assert SLURM.submit("sbatch --nice", Path("it's a script.sub")) == "17"
    assert calls(commands, "sbatch") == ["--nice it's a script.sub"]


def test_a_refused_submission_says_why(commands: Path) -> None:
    stand_in(commands, "sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    with pytest.raises(SchedulerError, match="exit status 1: sbatch: error: invalid partition specified: x"):
        SLURM.submit("sbatch", Path("x"))
    stand_in(commands, "sbatch", "echo what")
    with pytest.raises(SchedulerError, match="no job id.*what"):
        SLURM.submit("sbatch", Path("x"))


def test_slurm_states_of_all_jobs_by_one_command(commands: Path) -> None:
    stand_in(commands, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    stand_in(commands, "squeue", "printf '1|RUNNING|None\\n2|PENDING|PartitionTimeLimit\\n3|TIMEOUT|TimeLimit\\n'")
    states = SLURM.states(["1", "2", "3", "4"])
    assert states == {
        "1": State("RUNNING"),
        "2": State("PENDING", "PartitionTimeLimit"),
        "3": State("TIMEOUT", "TimeLimit"),
    }
    assert calls(commands, "squeue") == ["--noheader --array --states=all --format=%i|%T|%r --jobs 1,2,3,4"]


def test_a_job_that_slurm_has_forgotten_is_no_error_but_a_failed_query_is(commands: Path) -> None:
    stand_in(commands, "sacct", "exit 0")
    stand_in(commands, "squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert SLURM.states(["9"]) == {}
    stand_in(commands, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SchedulerError, match="Unable to contact"):
        SLURM.states(["9"])


def test_jobs_are_canceled_in_chunks(commands: Path) -> None:
    stand_in(commands, "scancel", "exit 0")
    SLURM.cancel_jobs([str(i) for i in range(250)])
    assert [len(line.split()) for line in calls(commands, "scancel")] == [100, 100, 50]


@pytest.mark.parametrize(("minutes", "time"), [(1, "00:01:00"), (90, "01:30:00"), (6000, "100:00:00")])
def test_units(minutes: int, time: str) -> None:
    assert SLURM.time(minutes) == time
    assert SLURM.memory(24000) == "24000"


def test_here_runs_and_cancels_with_all_children(tmp_path: Path) -> None:
    script = tmp_path / "it's a script.sub"
    script.write_text(f"sleep 100 & echo $! > '{tmp_path}/child'; wait\n")
    job = HERE.submit(".", script)
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        time.sleep(0.01)
    assert HERE.states([job]) == {job: State("RUNNING")}
    HERE.cancel_jobs([job])
    assert HERE.states([job]) == {}
    child = (tmp_path / "child").read_text().strip()
    stat = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout
    assert stat.strip() in ("", "Z")


def test_here_an_ended_job_is_gone(tmp_path: Path) -> None:
    script = tmp_path / "x.sub"
    script.write_text("exit 3\n")
    job = HERE.submit("sh", script)
    end = time.monotonic() + 10
    while HERE.states([job]) and time.monotonic() < end:
        time.sleep(0.01)
    assert HERE.states([job]) == {}
