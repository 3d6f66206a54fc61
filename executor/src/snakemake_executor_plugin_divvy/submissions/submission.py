"""A submission: one job of the scheduler, from its scripts to its end."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from itertools import groupby
from typing import NamedTuple, Protocol

from snakemake_executor_plugin_divvy.failed_lines import read_failed_lines
from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.packs import Member
from snakemake_executor_plugin_divvy.schedulers import Scheduler, State


class Phase(Enum):
    """Where a submission is on its way, and where it may go next.

    =======  ==================================================================  =============================
    phase    what is known                                                       next
    =======  ==================================================================  =============================
    NEW      its scripts are written, the scheduler is about to get it           LIVE, LEAVING, REFUSED
    LIVE     the scheduler has it, and nothing is decided                        LEAVING, DONE, FAILED
    LEAVING  it has to go: it is canceled until it is seen to have ended         DONE, FAILED
    -------  ------------------------------------------------------------------  -----------------------------
    DONE     its exit status is 0
    FAILED   it has ended otherwise and can do nothing any more: its jobs fail or are submitted again
    REFUSED  the scheduler did not take it, and it will do nothing if it has it: another try, or its jobs fail
    =======  ==================================================================  =============================
    """

    NEW = auto()
    LIVE = auto()
    LEAVING = auto()
    DONE = auto()
    FAILED = auto()
    REFUSED = auto()


TRANSITIONS = {
    Phase.NEW: {Phase.LIVE, Phase.LEAVING, Phase.REFUSED},
    Phase.LIVE: {Phase.LEAVING, Phase.DONE, Phase.FAILED},
    Phase.LEAVING: {Phase.DONE, Phase.FAILED},
}  # the others are ends


class TransitionError(RuntimeError):
    """A submission was moved to a phase that does not follow its present one: a mistake in this plugin."""


class Failure(NamedTuple):
    """Why a submission has failed: in one word, and in a sentence."""

    word: str
    reason: str


@dataclass(eq=False)
class Submission:
    """One job of the scheduler: a job of Snakemake, or a pack of them.

    `phase` says where it is; it changes by `move` alone. The rest is evidence, from which the next phase is concluded;
    times are on the monotonic clock, but for `time`.

    Attributes
    ----------
    id, time
        "" if the scheduler did not tell it; when it was submitted, in seconds since 1970.
    left
        Whether an earlier run submitted it, and it has not been seen alive since.
    stale
        Jobs for which it does not do what is needed now.
    exit, verdict
        Its exit status, and its final state as the scheduler says.
    misses, doubted_at
        How many times in a row the scheduler did not know it; since when something says that it has ended.
    failure, harmless
        Why it has to go, and whether it will do nothing even if the scheduler starts it.
    cancel_at, canceled_at, is_canceled
        When it is to be canceled (again), and when it first was, both infinite until then; whether the scheduler took
        that without complaint.
    """

    members: list[Member]
    files: JobFiles
    scheduler: Scheduler
    cores: float = 0.0
    id: str = ""
    time: float = field(default_factory=time.time)
    phase: Phase = Phase.NEW
    left: bool = False
    stale: set[Member] = field(default_factory=set)
    exit: int | None = None
    verdict: State | None = None
    misses: int = 0
    doubted_at: float | None = None
    failure: Failure | None = None
    harmless: bool = False
    cancel_at: float = 0.0
    canceled_at: float = math.inf
    is_canceled: bool = False

    def move(self, phase: Phase) -> None:
        """Go to the next phase; TransitionError if it does not follow the present one."""
        if phase not in TRANSITIONS.get(self.phase, ()):
            raise TransitionError(f"submission {self.files.name}: {self.phase.name} is not followed by {phase.name}")
        self.phase = phase

    @property
    def has_ended(self) -> bool:
        """Whether no phase follows the present one."""
        return self.phase not in TRANSITIONS

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.scheduler.name} job {self.id or '(id unknown)'}"

    @property
    def does_nothing(self) -> bool:
        """Whether it does nothing even if its scheduler starts it, which has been told to cancel it."""
        return self.harmless and (self.cancel_at > 0 or not self.id)

    @property
    def is_settled(self) -> bool:
        """Whether nobody has to care for it any more, as its scheduler has canceled what does nothing anyway."""
        return self.harmless and (self.is_canceled or not self.id)

    @cached_property
    def final_times(self) -> tuple[float | None, float | None]:
        """When it started and ended, in seconds since 1970; to be asked for when it has ended, by each of its jobs."""
        return self.files.times()

    @cached_property
    def failed_lines(self) -> str:
        """Which lines of its script have failed before its jobs began; to be asked for when it has ended."""
        return read_failed_lines(self.files.start)

    def doubt(self, now: float) -> None:
        """Note that something says that it has ended; the first time counts."""
        if self.doubted_at is None:
            self.doubted_at = now

    def note_exit(self, status: int, now: float) -> None:
        """Note its exit status; if it is not 0, a reason for it is waited for from now on."""
        self.exit, self.doubted_at = status, now

    def note_alive(self) -> None:
        """Note that the scheduler says it is waiting or running; after an exit status it is still doubted."""
        self.misses, self.verdict, self.left = 0, None, False
        if self.exit is None:
            self.doubted_at = None

    def forget(self) -> None:
        """Forget what the scheduler said: it was about another job, or is too old."""
        self.misses, self.verdict, self.doubted_at = 0, None, None


def group_by_scheduler(submissions: Iterable[Submission]) -> Iterator[tuple[Scheduler, list[Submission]]]:
    """Sort submissions by their schedulers."""
    by_name = sorted(submissions, key=lambda submission: submission.scheduler.name)
    for _, group in groupby(by_name, key=lambda submission: submission.scheduler.name):
        same = list(group)
        yield same[0].scheduler, same


def shorten_ids(ids: Sequence[str]) -> str:
    """Return ids as messages show them: twenty at most."""
    return " ".join(ids if len(ids) <= 20 else [*ids[:20], "…"])


class Owner(Protocol):
    """What submissions need of the executor."""

    def write(self, members: list[Member]) -> JobFiles:
        """Write the scripts of a submission."""

    def report_success(self, member: Member, submission: Submission) -> None:
        """Report a job that has ended well."""

    def report_failure(self, member: Member, failure: Failure, submission: Submission | None = None) -> None:
        """Report a job that has failed."""

    def is_recorded(self, member: Member) -> bool:
        """Whether Snakemake has recorded the end of a job that was reported."""

    def prepare_again(self, member: Member) -> bool:
        """Prepare a job for another submission; return False if it was handed to one of an earlier run instead."""

    def wake(self) -> None:
        """Let the next look come soon; called from any thread."""
