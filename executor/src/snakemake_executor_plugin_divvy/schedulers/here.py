"""This machine as a scheduler: each job is a process group of its own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from snakemake_executor_plugin_divvy.schedulers.record import Scheduler, State, States

KILL_SECONDS = 2.0  # that a job has to end by itself once it is told to


@dataclass(frozen=True)
class Here(Scheduler):
    """This machine. A job's id is its process group's number and the time at which its process was born."""

    @property
    def can_be_asked(self) -> bool:
        """Whether it can tell about jobs: always."""
        return True

    def submit(self, command: str, script: Path, log: Path | None = None) -> str:
        """Start `script`. Its shell is bash whatever the command says: templates are written for it."""
        with (log or Path(os.devnull)).open("ab") as said:
            process = subprocess.Popen(
                ["bash", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return f"{process.pid}.{get_birth(process.pid)}"

    def states(self, ids: Sequence[str]) -> States:
        """Return RUNNING for the processes that are alive."""
        return {job: State("RUNNING") for job in ids if _alive(job)}

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """End the process groups, after two seconds by force."""
        alive = [job for job in ids if _alive(job)]
        _signal_groups(alive, signal.SIGTERM)
        end = time.monotonic() + KILL_SECONDS
        while time.monotonic() < end and any(_alive(job) for job in alive):
            time.sleep(0.05)
        _signal_groups(alive, signal.SIGKILL)


def is_running(pid: int, birth: str) -> bool:
    """Whether a process with this number and birth exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return get_birth(pid) == birth


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def get_birth(pid: int) -> str:
    """Return when a process started, in the kernel's ticks, because process numbers are used again.

    A process that has ended and has not been waited for has no birth any more.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return "0"


def _alive(job: str) -> bool:
    pid, _, birth = job.partition(".")
    try:
        ended, _ = os.waitpid(int(pid), os.WNOHANG)  # a child of ours has to be reaped
        return ended == 0
    except ChildProcessError:
        return is_running(int(pid), birth)


def _signal_groups(ids: Iterable[str], number: int) -> None:
    for job in ids:
        try:
            os.killpg(int(job.partition(".")[0]), number)
        except (ProcessLookupError, PermissionError):
            continue
