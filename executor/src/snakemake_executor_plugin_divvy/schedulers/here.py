"""This machine as a scheduler: each job is a process group of its own, and runs as long as there is anything in it."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from snakemake_executor_plugin_divvy.schedulers.record import Scheduler, State, States

KILL_SECONDS = 2.0  # that a job has to end by itself once it is told to


@dataclass(frozen=True)
class Here(Scheduler):
    """This machine. A job's id is its process group's number and the time at which its first process was born."""

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
        """Return RUNNING for the process groups in which anything is alive."""
        return {job: State("RUNNING") for job in ids if _is_alive(job)}

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """End the process groups and what left them for one of its own, after two seconds by force."""
        groups = {int(job.partition(".")[0]) for job in ids if _is_alive(job)}
        found = _find_processes(groups)
        for group in groups:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGTERM)
        end = time.monotonic() + KILL_SECONDS
        while time.monotonic() < end and any(map(_runs, found)):
            time.sleep(0.05)
        for process in found | _find_processes(groups):
            with suppress(psutil.Error):
                process.kill()


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


def _is_alive(job: str) -> bool:
    """Whether anything of a job is alive, even if its first process is not."""
    pid, _, birth = job.partition(".")
    with suppress(ChildProcessError):
        os.waitpid(int(pid), os.WNOHANG)  # a child of ours has to be reaped
    if is_running(int(pid), birth):
        return True
    try:
        os.killpg(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user, whom it has become
    # as long as the group is there, no other process gets its number
    return not psutil.pid_exists(int(pid)) and any(map(_runs, _find_members({int(pid)})))


def _find_members(groups: Iterable[int]) -> set[psutil.Process]:
    """Return the processes in process groups."""
    members = set()
    for process in psutil.process_iter():
        with suppress(OSError):
            if os.getpgid(process.pid) in groups:
                members.add(process)
    return members


def _find_processes(groups: Iterable[int]) -> set[psutil.Process]:
    """Return the processes in process groups, and all that these have started and that are their children still."""
    found = _find_members(groups)
    for process in list(found):
        with suppress(psutil.Error):
            found.update(process.children(recursive=True))
    return found


def _runs(process: psutil.Process) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
