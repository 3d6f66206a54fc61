"""What a scheduler is: how to submit a script, ask about jobs, and cancel them.

Job ids are text, with the name of their cluster behind a semicolon if it is not the default one (Slurm's `101;other`).
A state that is not among a scheduler's `final` ones means that the job may still end well.
"""

import os
import pwd
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import groupby
from pathlib import Path

CHUNK = 500  # ids in one command: an argument has 128 KiB at most
TIMEOUT = 60  # seconds that a scheduler may take to answer
SUBMIT_TIMEOUT = 600  # the same for a submission: sbatch itself waits and tries again when its controller is busy
# variables of the job in which this process runs: what it submits is no part of that job. What a scheduler's commands
# need to find it is inherited.
JOB_VARIABLES = re.compile(
    r"SLURMD?_(?!CONF$|CLUSTERS$)|PMIX?_|SGE_(?!ROOT$|CELL$|CLUSTER_NAME$|QMASTER_PORT$|EXECD_PORT$)"
    r"|LSB_(?!DEFAULT|SUB_)|LS_(?!ROOT)|PBS_(?!CONF_FILE$|EXEC$|HOME$|SERVER$|DEFAULT$|DPREFIX$)"
    r"|(JOB_ID|JOB_NAME|JOB_SCRIPT|NSLOTS|NHOSTS|NQUEUES|PE|PE_HOSTFILE|QUEUE|RESTARTED|REQUEST|ARC|REQNAME)$"
)


class SchedulerError(Exception):
    """A scheduler's command failed; the message has what it said."""


class Refusal(Enum):
    """Why a submission failed, as far as what the scheduler said tells."""

    FULL = auto()  # as many jobs as a user may have: there will be room when some have ended
    AWAY = auto()  # it does not answer, or asks to come again
    REFUSED = auto()  # it will never take this job
    UNKNOWN = auto()


@dataclass(frozen=True)
class State:
    """What a scheduler says about a job; `reason` is "" if it gives none."""

    name: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.reason}" if self.reason else self.name


States = dict[str, State]  # by job id


def format_plain(mb: int) -> str:
    """Return memory in MB as a bare number."""
    return str(mb)


def format_with_unit(unit: str) -> Callable[[int], str]:
    """Return a function that writes memory, given in MB, with that unit.

    >>> format_with_unit("M")(24000)
    '24000M'
    """
    return lambda mb: f"{mb}{unit}"


def format_hms(minutes: int) -> str:
    """Return a run time as HH:MM:SS.

    >>> format_hms(90)
    '01:30:00'
    """
    return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def format_hm(minutes: int) -> str:
    """Return a run time as H:MM.

    >>> format_hm(90)
    '1:30'
    """
    return f"{minutes // 60}:{minutes % 60:02d}"


def read_state_lines(text: str) -> States:
    """Return the states in lines `id|state|reason`; `-`, `None` and an exit code are not reasons.

    The first part of a heterogeneous job, `7+0`, runs its script and stands for all of it.

    >>> read_state_lines("7+0|CANCELLED by 0|None")
    {'7': State(name='CANCELLED', reason='')}
    """
    states = {}
    for line in text.splitlines():
        job, found, rest = line.partition("|")
        state, _, reason = rest.partition("|")
        if found and state.strip():
            known = not re.fullmatch(r"\s*(-|None|\d+:\d+|[\s|-]*)\s*", reason)
            states[job.strip().removesuffix("+0")] = State(state.split()[0], reason.strip(" |-") if known else "")
    return states


@dataclass(frozen=True)
class Scheduler:
    """A scheduler with commands to submit, query and cancel.

    In the commands the word IDS stands for ids as separate words, `IDS,` for ids joined by commas (many ids are shared
    out among several commands), and USER for the user's name.

    Attributes
    ----------
    name, commands
        What it is called, and the submission commands that identify it.
    job_id
        Pattern that finds the id in what a submission prints, and in a group `cluster` the name of its cluster.
    job_variable
        Variable in which a job finds its own id; "" if there is none.
    clusters
        Option before the name of a cluster, for queries and cancels of jobs that are not in the default one.
    arrays
        Pattern of options and directives that would make an array of one job.
    full, away, refused
        Patterns of what a failed submission says: see `Refusal`.
    query, states_in
        Command that lists the jobs in the queue, and the function that reads its output.
    forgotten
        Pattern of what `query` prints when it fails only because it no longer knows some of the jobs.
    accounting, accounts_in
        The same for jobs that the queue does not know.
    final
        Names of the states in which a job has ended.
    pending, stuck
        Patterns of state and reason: waiting in the queue, and possibly waiting there forever.
    reasons
        From patterns of state and reason to the words that messages use.
    explain, explanation
        Command and pattern that find out why a job is stuck, where a query does not say so.
    cancel
        Command that cancels jobs.
    memory, time
        How it writes memory (given in MB) and run times (given in minutes) in a template.
    letter_first, longest_name
        Whether the name of a job has to begin with a letter, and how long it may be.
    plain_path, escapes, fills_in
        Pattern of the paths in which neither it nor a shell sees more, how characters in them are written for it, and
        pattern of what it fills in even in the path of the folder in which a job begins.
    """

    name: str
    commands: tuple[str, ...]
    job_id: str = r"(\d+)"
    job_variable: str = ""
    clusters: str = ""
    arrays: str = r"$^"
    full: str = r"$^"
    away: str = r"$^"
    refused: str = r"$^"
    query: tuple[str, ...] = ()
    states_in: Callable[[str], States] = read_state_lines
    forgotten: str = r"$^"
    accounting: tuple[str, ...] = ()
    accounts_in: Callable[[str], States] = read_state_lines
    final: frozenset[str] = frozenset()
    pending: str = r"$^"
    stuck: str = r"$^"
    reasons: Mapping[str, str] = field(default_factory=dict)
    cancel: tuple[str, ...] = ()
    explain: tuple[str, ...] = ()
    explanation: str = r"$^"
    memory: Callable[[int], str] = format_plain
    time: Callable[[int], str] = format_hms
    letter_first: bool = False
    longest_name: int = 100
    plain_path: str = r"[\w@%+=:,./-]+"
    escapes: Mapping[str, str] = field(default_factory=dict)
    fills_in: str = r"$^"

    @property
    def can_be_asked(self) -> bool:
        """Whether it can tell about jobs; if not, their exit-status files alone do."""
        return bool(self.query)

    def submit(self, command: str, script: Path, log: Path | None = None) -> str:
        """Submit `script` with the compute package's submission command and return the job's id.

        What it prints goes where the template says; `log` is for where there is nobody to read that.
        """
        env = {name: value for name, value in os.environ.items() if not JOB_VARIABLES.match(name)}
        done = run(f"{command} {shlex.quote(str(script))}", shell=True, timeout=SUBMIT_TIMEOUT, env=env)
        if done.returncode:
            raise SchedulerError(_complaint(done))
        found = re.search(self.job_id, done.stdout, re.MULTILINE)
        if not found:
            raise SchedulerError(f"no job id in what {command!r} printed: {_complaint(done)}")
        cluster = found.groupdict().get("cluster")
        return f"{found.group(1)};{cluster}" if cluster else found.group(1)

    def classify(self, error: SchedulerError) -> Refusal:
        """Tell what a failed submission means for the job and for those after it."""
        patterns = {Refusal.FULL: self.full, Refusal.AWAY: self.away, Refusal.REFUSED: self.refused}
        return next((kind for kind, pattern in patterns.items() if re.search(pattern, str(error))), Refusal.UNKNOWN)

    def states(self, ids: Sequence[str]) -> States:
        """Return the states of the jobs that are known: one command for the queue, one for what it does not know."""
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

    def explain_stuck(self, job: str, state: State) -> State:
        """Return a stuck job's state with the reason that the scheduler gives for it."""
        found = re.search(self.explanation, run(_with_ids(self.explain, [job])).stdout) if self.explain else None
        return State(state.name, found.group(1)) if found else state

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """Cancel jobs; SchedulerError with what was said if a command failed, as for jobs that have already ended."""
        complaints = [_complaint(done) for _, done in self._run_for(self.cancel, ids) if done.returncode]
        if complaints:
            raise SchedulerError("; ".join(complaints))

    def _ask(self, command: Sequence[str], parse: Callable[[str], States], ids: Sequence[str]) -> States:
        wanted = set(ids)
        states: States = {}
        for cluster, done in self._run_for(command, ids):
            if done.returncode and not re.search(self.forgotten, done.stderr + done.stdout):
                raise SchedulerError(_complaint(done))
            states |= {f"{job};{cluster}" if cluster else job: state for job, state in parse(done.stdout).items()}
        return {job: state for job, state in states.items() if job in wanted}

    def _run_for(
        self, command: Sequence[str], ids: Sequence[str]
    ) -> Iterator[tuple[str, subprocess.CompletedProcess[str]]]:
        """Run a command for jobs, as often as they are too many or in several clusters; yield cluster and result."""
        clusters = groupby(sorted(ids, key=_get_cluster), key=_get_cluster)
        for cluster, jobs in ((cluster, [job.partition(";")[0] for job in group]) for cluster, group in clusters):
            there = [command[0], self.clusters, cluster, *command[1:]] if cluster and self.clusters else command
            chunk = CHUNK if any(word.startswith("IDS") for word in command) else len(jobs)
            for first in range(0, len(jobs), chunk):
                yield cluster, run(_with_ids(there, jobs[first : first + chunk]))


@dataclass(frozen=True)
class Unknown(Scheduler):
    """A scheduler that can only be submitted to: the exit-status files alone tell about its jobs."""

    def states(self, ids: Sequence[str]) -> States:
        """Return UNKNOWN, which is not a final state, for all."""
        return dict.fromkeys(ids, State("UNKNOWN"))

    def cancel_jobs(self, ids: Sequence[str]) -> None:
        """Say that it is not known how; a job that has not started will find that it was taken back."""
        raise SchedulerError("their scheduler is not known to this plugin, so cancel by hand what is left of them")


def run(
    command: str | Sequence[str], shell: bool = False, timeout: float = TIMEOUT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a scheduler's command; SchedulerError if it does not exist or does not answer.

    It does not hear of Ctrl-C, lest nobody knows whether a submission that was interrupted has been made.
    """
    try:
        return subprocess.run(
            command,
            shell=shell,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SchedulerError(str(error)) from error


def _get_cluster(job: str) -> str:
    return job.partition(";")[2]


def _with_ids(command: Sequence[str], ids: Sequence[str]) -> list[str]:
    values = {"IDS": list(ids), "IDS,": [",".join(ids)], "USER": [_get_user()]}
    return [word for part in command for word in values.get(part, [part])]


def _get_user() -> str:
    """Return the name of the user whose jobs these are, whatever the environment says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    said = " ".join((done.stderr + done.stdout).split()) or "nothing was printed"
    return f"exit status {done.returncode}: {said}"
