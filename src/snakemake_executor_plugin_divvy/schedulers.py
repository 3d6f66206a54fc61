"""Schedulers: how to submit a script, ask after jobs, and cancel them.

A scheduler is a record of its commands in `SCHEDULERS`; `Here` runs jobs on this machine behind the same methods.
Job ids are text. A state that is not among a scheduler's `final` ones means that the job may still come to an end.
"""

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

CHUNK = 100  # jobs a cancel command
TIMEOUT = 60  # seconds that a scheduler may take to answer


class SchedulerError(Exception):
    """A scheduler's command failed; the message has what it said."""


@dataclass(frozen=True)
class State:
    """What a scheduler says of a job; `reason` is "" if it gives none."""

    name: str
    reason: str = ""


def memory_plain(mb: int) -> str:
    """Return memory in MB as a bare number.

    >>> memory_plain(24000)
    '24000'
    """
    return str(mb)


def time_hms(minutes: int) -> str:
    """Return a run time as HH:MM:SS.

    >>> time_hms(90)
    '01:30:00'
    """
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


@dataclass(frozen=True)
class Scheduler:
    """A scheduler with commands to submit, query and cancel.

    `job_id` finds the id in what the submission prints; `query` prints lines `id|state|reason` for the comma-separated
    ids that follow it, and `unknown` is found in what it says of ids that it has forgotten.
    """

    name: str
    commands: tuple[str, ...]
    job_id: str
    query: tuple[str, ...]
    unknown: str
    final: frozenset[str]
    cancel: tuple[str, ...]

    def memory(self, mb: int) -> str:
        """Return MEM in the unit of the scheduler."""
        return memory_plain(mb)

    def time(self, minutes: int) -> str:
        """Return TIME in the form of the scheduler."""
        return time_hms(minutes)

    def submit(self, command: str, script: Path) -> str:
        """Submit `script` by the compute package's submission command and return the job's id."""
        done = _run(f"{command} {shlex.quote(str(script))}", shell=True)
        if done.returncode:
            raise SchedulerError(_complaint(done))
        found = re.search(self.job_id, done.stdout, re.MULTILINE)
        if not found:
            raise SchedulerError(f"no job id in what {command!r} printed: {_complaint(done)}")
        return found.group(1)

    def states(self, ids: Sequence[str]) -> dict[str, State]:
        """Return the states of the jobs that the scheduler knows, by one command for all."""
        done = _run([*self.query, ",".join(ids)])
        if done.returncode and not re.search(self.unknown, done.stderr):
            raise SchedulerError(_complaint(done))
        lines = (line.split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2)
        return {job: State(state, "" if reason == "None" else reason) for job, state, reason in lines}

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """Cancel jobs; those that have ended already are no error."""
        for first in range(0, len(ids), CHUNK):
            _run([*self.cancel, *ids[first : first + CHUNK]])


@dataclass(frozen=True)
class Here(Scheduler):
    """This machine: a job is a process group of its own, and its id the number of the group."""

    def submit(self, command: str, script: Path) -> str:
        """Start `script`. Its shell is bash whatever the command says: templates are written for it."""
        process = subprocess.Popen(
            ["bash", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return str(process.pid)

    def states(self, ids: Sequence[str]) -> dict[str, State]:
        """Return RUNNING for the processes that are alive."""
        return {job: State("RUNNING") for job in ids if _alive(int(job))}

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """End the process groups, by force after two seconds."""
        _signal_groups(ids, signal.SIGTERM)
        end = time.monotonic() + 2
        while time.monotonic() < end and any(_alive(int(job)) for job in ids):
            time.sleep(0.05)
        _signal_groups(ids, signal.SIGKILL)


SCHEDULERS: dict[str, Scheduler] = {
    "here": Here(
        name="here",
        commands=(".", "source", "sh", "bash"),
        job_id="",
        query=(),
        unknown="",
        final=frozenset(),
        cancel=(),
    ),
    "slurm": Scheduler(
        name="slurm",
        commands=("sbatch",),
        job_id=r"^(?:Submitted batch job )?(\d+)",
        query=("squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r", "--jobs"),
        unknown="Invalid job id",
        final=frozenset(
            "BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED TIMEOUT".split()
        ),
        cancel=("scancel",),
    ),
}


def choose(name: str | None, submission_command: str) -> Scheduler:
    """Return the scheduler of that name or, without one, of the first word of the submission command."""
    if name:
        if name not in SCHEDULERS:
            raise SchedulerError(f"no scheduler {name!r}; choices: {', '.join(SCHEDULERS)}")
        return SCHEDULERS[name]
    word = Path((submission_command.split() or [""])[0]).name or "."
    for scheduler in SCHEDULERS.values():
        if word in scheduler.commands:
            return scheduler
    raise SchedulerError(
        f"the submission command {submission_command!r} is of no scheduler known here; "
        f"name one with --divvy-scheduler: {', '.join(SCHEDULERS)}"
    )


def _run(command: str | Sequence[str], shell: bool = False) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, shell=shell, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SchedulerError(str(error)) from error


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    said = " ".join((done.stderr + done.stdout).split()) or "nothing was printed"
    return f"exit status {done.returncode}: {said}"


def _alive(pid: int) -> bool:
    try:
        ended, _ = os.waitpid(pid, os.WNOHANG)  # a child of ours has to be reaped
        return ended == 0
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _signal_groups(ids: Iterable[str], number: int) -> None:
    for job in ids:
        try:
            os.killpg(int(job), number)
        except (ProcessLookupError, PermissionError):
            continue
