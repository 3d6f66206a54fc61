"""Schedulers: how to submit a script, ask after jobs, and cancel them.

A scheduler is a record of its commands, in the table of `sites`; `Here` runs jobs on this machine behind the same
methods. Job ids are text. A state that is not among a scheduler's `final` ones means that the job may still end well.
"""

import os
import pwd
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
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

    def __str__(self) -> str:
        return f"{self.name}, {self.reason}" if self.reason else self.name


States = dict[str, State]


def memory_plain(mb: int) -> str:
    """Return memory in MB as a bare number."""
    return str(mb)


def memory_in(unit: str) -> Callable[[int], str]:
    """Return a function that writes memory, given in MB, with that unit.

    >>> memory_in("M")(24000)
    '24000M'
    """
    return lambda mb: f"{mb}{unit}"


def time_hms(minutes: int) -> str:
    """Return a run time as HH:MM:SS.

    >>> time_hms(90)
    '01:30:00'
    """
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def time_hm(minutes: int) -> str:
    """Return a run time as H:MM.

    >>> time_hm(90)
    '1:30'
    """
    return f"{minutes // 60}:{minutes % 60:02d}"


def lines_of_states(text: str) -> States:
    """Return the states in lines `id|state|reason`; `-`, `None` and an exit code are no reasons.

    >>> lines_of_states("7|CANCELLED by 0|None")
    {'7': State(name='CANCELLED', reason='')}
    """
    states = {}
    for line in text.splitlines():
        job, found, rest = line.partition("|")
        state, _, reason = rest.partition("|")
        if found and state.strip():
            known = not re.fullmatch(r"\s*(-|None|\d+:\d+|[\s|-]*)\s*", reason)
            states[job.strip()] = State(state.split()[0], reason.strip(" |-") if known else "")
    return states


@dataclass(frozen=True)
class Scheduler:
    """A scheduler with commands to submit, query and cancel.

    In the commands the word IDS stands for all ids, a word each, `IDS,` for all of them with commas between, and USER
    for the user's name. `job_id` finds the id in what a submission prints. `query` tells of the jobs in the queue;
    what it says on failure when it merely has forgotten some of them is `forgotten`. `accounting` is asked after those
    that the queue does not know. A state is `final` by its name; `pending` and `stuck` (pending for ever) are patterns
    of state and reason. `reasons` translates patterns of state and reason to the words that messages use. Where a query
    does not tell why a job is stuck, `explanation` finds that in what the command `explain` prints.
    """

    name: str
    commands: tuple[str, ...]
    job_id: str = r"(\d+)"
    query: tuple[str, ...] = ()
    states_in: Callable[[str], States] = lines_of_states
    forgotten: str = r"$^"
    accounting: tuple[str, ...] = ()
    accounts_in: Callable[[str], States] = lines_of_states
    final: frozenset[str] = frozenset()
    pending: str = r"$^"
    stuck: str = r"$^"
    reasons: Mapping[str, str] = field(default_factory=dict)
    cancel: tuple[str, ...] = ()
    explain: tuple[str, ...] = ()
    explanation: str = r"$^"
    memory: Callable[[int], str] = memory_plain
    time: Callable[[int], str] = time_hms

    def submit(self, command: str, script: Path) -> str:
        """Submit `script` by the compute package's submission command and return the job's id."""
        done = run(f"{command} {shlex.quote(str(script))}", shell=True)
        if done.returncode:
            raise SchedulerError(_complaint(done))
        found = re.search(self.job_id, done.stdout, re.MULTILINE)
        if not found:
            raise SchedulerError(f"no job id in what {command!r} printed: {_complaint(done)}")
        return found.group(1)

    def states(self, ids: Sequence[str]) -> States:
        """Return the states of the jobs that are known: one command for all in the queue, one for all the others."""
        known = self._ask(self.query, self.states_in, ids)
        others = [job for job in ids if job not in known]
        if others and self.accounting:
            with suppress(SchedulerError):  # many sites have none
                known |= self._ask(self.accounting, self.accounts_in, others)
        return known

    def word(self, state: State) -> str:
        """Return the word for a final state that messages use: OUT_OF_MEMORY, TIMEOUT, CANCELLED …"""
        said = f"{state.name} {state.reason}"
        return next((word for pattern, word in self.reasons.items() if re.search(pattern, said)), state.name)

    def why_stuck(self, job: str, state: State) -> State:
        """Return a state with the reason that the scheduler has for it."""
        found = re.search(self.explanation, run(_with_ids(self.explain, [job])).stdout) if self.explain else None
        return State(state.name, found.group(1)) if found else state

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """Cancel jobs; those that have ended already are no error."""
        for first in range(0, len(ids), CHUNK):
            run(_with_ids(self.cancel, ids[first : first + CHUNK]))

    def _ask(self, command: Sequence[str], parse: Callable[[str], States], ids: Sequence[str]) -> States:
        done = run(_with_ids(command, ids))
        if done.returncode and not re.search(self.forgotten, done.stderr + done.stdout):
            raise SchedulerError(_complaint(done))
        wanted = set(ids)
        return {job: state for job, state in parse(done.stdout).items() if job in wanted}


@dataclass(frozen=True)
class Here(Scheduler):
    """This machine: a job is a process group of its own; its id is the group's number and the process's birth."""

    def submit(self, command: str, script: Path) -> str:
        """Start `script`. Its shell is bash whatever the command says: templates are written for it."""
        process = subprocess.Popen(
            ["bash", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return f"{process.pid}.{_birth(process.pid)}"

    def states(self, ids: Sequence[str]) -> States:
        """Return RUNNING for the processes that are alive."""
        return {job: State("RUNNING") for job in ids if _alive(job)}

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """End the process groups, by force after two seconds."""
        alive = [job for job in ids if _alive(job)]
        _signal_groups(alive, signal.SIGTERM)
        end = time.monotonic() + 2
        while time.monotonic() < end and any(_alive(job) for job in alive):
            time.sleep(0.05)
        _signal_groups(alive, signal.SIGKILL)


@dataclass(frozen=True)
class Unknown(Scheduler):
    """A scheduler that can only be submitted to: the exit-status files alone tell of its jobs."""

    def states(self, ids: Sequence[str]) -> States:
        """Return UNKNOWN, which is no final state, for all."""
        return dict.fromkeys(ids, State("UNKNOWN"))

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """Say that nobody knows how; a job that has not started will find that it was taken back."""
        raise SchedulerError("no scheduler known here, so cancel by hand what is left of them")


def run(command: str | Sequence[str], shell: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a scheduler's command; SchedulerError if it is not there or does not answer."""
    try:
        return subprocess.run(
            command,
            shell=shell,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SchedulerError(str(error)) from error


def _with_ids(command: Sequence[str], ids: Sequence[str]) -> list[str]:
    values = {"IDS": list(ids), "IDS,": [",".join(ids)], "USER": [pwd.getpwuid(os.getuid()).pw_name]}
    return [word for part in command for word in values.get(part, [part])]


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    said = " ".join((done.stderr + done.stdout).split()) or "nothing was printed"
    return f"exit status {done.returncode}: {said}"


def _birth(pid: int) -> str:
    """Return when a process started, in the kernel's ticks: numbers of processes are used again.

    One that has ended, and that nobody has asked after, has no birth any more.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return "0"


def _alive(job: str) -> bool:
    pid = int(job.partition(".")[0])
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
    return job == f"{pid}.{_birth(pid)}"


def _signal_groups(ids: Iterable[str], number: int) -> None:
    for job in ids:
        try:
            os.killpg(int(job.partition(".")[0]), number)
        except (ProcessLookupError, PermissionError):
            continue
