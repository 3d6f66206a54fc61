"""Schedulers: what their commands print, read by records; the commands here are stand-ins that print it."""

import getpass
import os
import re
import time
from pathlib import Path

import psutil
import pytest

from plugin_helpers import calls, is_alive, stand_in, wait_until
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, Refusal, SchedulerError, State, choose_scheduler

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
    ("printed", "id"),
    [
        ("Submitted batch job 17", "17"),
        ("17", "17"),
        ("17;other", "17;other"),
        ("Submitted batch job 17 on cluster other", "17;other"),
        ("sbatch: note\nSubmitted batch job 17", "17"),
    ],
)
def test_slurm_submission(commands: Path, printed: str, id: str) -> None:
    stand_in(commands, "sbatch", f"cat <<'E'\n{printed}\nE")
    assert SLURM.submit("sbatch --nice", Path("it's a script.sub")) == id
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
    assert calls(commands, "squeue") == [f"--noheader --states=all --format=%i|%T|%r --user {getpass.getuser()}"]


def test_a_job_that_slurm_has_forgotten_is_no_error_but_a_failed_query_is(commands: Path) -> None:
    stand_in(commands, "sacct", "exit 0")
    stand_in(commands, "squeue", "exit 0")
    assert SLURM.states(["9"]) == {}
    stand_in(commands, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SchedulerError, match="Unable to contact"):
        SLURM.states(["9"])


def test_jobs_are_canceled_in_chunks(commands: Path) -> None:
    stand_in(commands, "scancel", "exit 0")
    SLURM.cancel_jobs([str(i) for i in range(1200)])
    assert [len(line.split()) for line in calls(commands, "scancel")] == [500, 500, 200]


def test_a_cancel_that_fails_is_an_error(commands: Path) -> None:
    stand_in(commands, "scancel", "echo 'scancel: error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SchedulerError, match="Unable to contact"):
        SLURM.cancel_jobs(["1"])


def test_jobs_of_another_cluster_are_asked_for_and_canceled_there(commands: Path) -> None:
    stand_in(commands, "squeue", "[ $1 = --clusters ] && echo '1|RUNNING|None' || echo '1|COMPLETED|None'")
    stand_in(commands, "sacct", "exit 0")
    stand_in(commands, "scancel", "exit 0")
    assert SLURM.states(["1;other"]) == {"1;other": State("RUNNING")}
    assert SLURM.states(["1", "1;other"]) == {"1": State("COMPLETED"), "1;other": State("RUNNING")}
    assert all("--clusters other" in call for call in calls(commands, "squeue")[:1])
    SLURM.cancel_jobs(["1;other", "2"])
    assert calls(commands, "scancel") == ["2", "--clusters other 1"]


def test_accounting_is_asked_in_chunks(commands: Path) -> None:
    stand_in(commands, "squeue", "exit 0")
    stand_in(commands, "sacct", "exit 0")
    assert SLURM.states([str(number) for number in range(10**7, 10**7 + 15_000)]) == {}
    assert len(calls(commands, "sacct")) == 30


def test_the_first_part_of_a_heterogeneous_job_stands_for_it_and_arrays_are_refused(commands: Path) -> None:
    stand_in(commands, "squeue", "printf '7+0|RUNNING|None\\n7+1|RUNNING|None\\n'")
    assert SLURM.states(["7"]) == {"7": State("RUNNING")}
    for printed in ("123_4", "Submitted batch job 123_4", "123+0"):
        stand_in(commands, "sbatch", f"echo '{printed}'")
        with pytest.raises(SchedulerError, match="no job id"):
            SLURM.submit("sbatch", Path("x"))


def test_a_submission_does_not_inherit_the_job_in_which_the_controller_runs(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = {"SLURM_JOB_ID": "1", "SLURM_MEM_PER_CPU": "5", "PBS_NODEFILE": "x", "SGE_O_HOST": "x", "JOB_ID": "2"}
    needed = {"SLURM_CONF": "/x", "SGE_ROOT": "/y", "PBS_CONF_FILE": "/z", "OTHER": "b"}
    for name, value in (inside | needed).items():
        monkeypatch.setenv(name, value)
    stand_in(commands, "sbatch", f"env > {commands}/env; echo 1")
    SLURM.submit("sbatch", Path("x"))
    seen = dict(line.split("=", 1) for line in (commands / "env").read_text().splitlines() if "=" in line)
    assert not inside.keys() & seen.keys()
    assert needed.items() <= seen.items()


SAID = [
    ("slurm", Refusal.FULL, "sbatch: error: AssocMaxSubmitJobLimit sbatch: error: Batch job submission failed: Job "
     "violates accounting/QOS policy (job submit limit, user's size and/or time limits)"),
    ("slurm", Refusal.FULL, "sbatch: error: QOSMaxSubmitJobPerUserLimit"),
    ("slurm", Refusal.FULL, "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying."),
    ("slurm", Refusal.AWAY, "Batch job submission failed: Unable to contact slurm controller (connect failure)"),
    ("slurm", Refusal.AWAY, "Batch job submission failed: Socket timed out on send/recv operation"),
    ("slurm", Refusal.REFUSED, "sbatch: error: invalid partition specified: x sbatch: error: Batch job submission "
     "failed: Invalid partition name specified"),
    ("slurm", Refusal.REFUSED, "Batch job submission failed: Requested node configuration is not available"),
    ("slurm", Refusal.REFUSED, "sbatch: error: QOSMaxCpuPerJobLimit sbatch: error: Batch job submission failed: Job "
     "violates accounting/QOS policy (job submit limit, user's size and/or time limits)"),
    ("slurm", Refusal.UNKNOWN, "sh: 1: sbatch: not found"),
    ("grid_engine", Refusal.FULL, "Unable to run job: job rejected: Only 5 jobs are allowed per user (current job "
     "count: 5)."),
    ("grid_engine", Refusal.AWAY, 'error: commlib error: got select error (Connection refused) Unable to run job: unable '
     'to send message to qmaster using port 6444 on host "localhost": got send error.'),
    ("grid_engine", Refusal.REFUSED, 'Unable to run job: Job was rejected because job requests unknown queue "x".'),
    ("lsf", Refusal.FULL, "User <u>: Pending job threshold reached. Retrying in 60 seconds..."),
    ("lsf", Refusal.AWAY, "LSF is down. Please wait ..."),
    ("lsf", Refusal.REFUSED, "x: No such queue. Job not submitted."),
    ("pbs", Refusal.FULL, "qsub: would exceed queue generic's per-user limit on jobs in 'Q' state"),
    ("pbs", Refusal.AWAY, "qsub: cannot connect to server pbs (errno=111)"),
    ("pbs", Refusal.REFUSED, "qsub: Unknown queue"),
    ("torque", Refusal.FULL, "qsub: submit error (Maximum number of jobs already in queue for user MSG=total number of "
     "current user's jobs exceeds the queue limit: user u@h, queue batch)"),
    ("torque", Refusal.AWAY, "qsub: submit error (Connection refused)"),
    ("torque", Refusal.REFUSED, "qsub: submit error (Unknown queue MSG=requested queue not found)"),
]  # fmt: skip


@pytest.mark.parametrize(("scheduler", "refusal", "said"), SAID)
def test_what_a_refused_submission_means(scheduler: str, refusal: Refusal, said: str) -> None:
    assert SCHEDULERS[scheduler].classify(SchedulerError(f"exit status 1: {said}")) is refusal


@pytest.mark.parametrize(
    ("scheduler", "state", "is_stuck"),
    [
        ("slurm", "PENDING, PartitionConfig", True),
        ("slurm", "PENDING, JobHeldUser", True),
        ("slurm", "RUNNING, JobHeldUser", False),
        ("grid_engine", "hqw", True),
        ("grid_engine", "hr", False),
        ("grid_engine", "Eqw", True),
    ],
)
def test_only_jobs_that_wait_can_be_stuck(scheduler: str, state: str, is_stuck: bool) -> None:
    assert bool(re.search(SCHEDULERS[scheduler].stuck, state)) is is_stuck


def test_a_job_whose_sibling_started_has_not_ended() -> None:
    assert "REVOKED" not in SLURM.final


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
    assert not is_alive(child)


def test_here_a_job_runs_as_long_as_anything_of_it(tmp_path: Path) -> None:
    """Its first process, or the one that would record its exit status, may have been killed alone."""
    script = tmp_path / "x.sub"
    script.write_text("sleep 100 & setsid sleep 100 & wait\n")
    job = HERE.submit(".", script)
    first = psutil.Process(int(job.partition(".")[0]))
    wait_until(lambda: [child.name() for child in first.children()] == ["sleep", "sleep"])
    children = first.children()
    first.kill()
    wait_until(lambda: not is_alive(first.pid))
    assert HERE.states([job]) == {job: State("RUNNING")}
    HERE.cancel_jobs([job])
    wait_until(lambda: HERE.states([job]) == {}, 5)
    (left,) = (child for child in children if is_alive(child.pid))
    assert os.getsid(left.pid) == left.pid  # an orphan in a session of its own can be known by nobody
    left.kill()


def test_here_what_left_the_group_is_canceled_with_it(tmp_path: Path) -> None:
    script = tmp_path / "x.sub"
    script.write_text("trap '' TERM; setsid bash -c 'trap \"\" TERM; sleep 100 & sleep 100' & wait; sleep 100\n")
    job = HERE.submit(".", script)
    first = psutil.Process(int(job.partition(".")[0]))
    wait_until(lambda: len(first.children(recursive=True)) == 3)
    children = first.children(recursive=True)
    HERE.cancel_jobs([job])
    wait_until(lambda: not any(is_alive(child.pid) for child in children), 5)
    wait_until(lambda: HERE.states([job]) == {}, 5)


def test_here_an_ended_job_is_gone(tmp_path: Path) -> None:
    script = tmp_path / "x.sub"
    script.write_text("exit 3; (\n")
    job = HERE.submit("sh", script, tmp_path / "x.log")
    end = time.monotonic() + 10
    while HERE.states([job]) and time.monotonic() < end:
        time.sleep(0.01)
    assert HERE.states([job]) == {}
    assert "syntax error" in (tmp_path / "x.log").read_text()
