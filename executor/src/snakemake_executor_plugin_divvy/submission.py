"""A submission: one job of the scheduler, from its scripts to its end."""

import time
from dataclasses import dataclass, field
from enum import Enum, auto

from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.packs import Member
from snakemake_executor_plugin_divvy.schedulers import State


class Phase(Enum):
    """Where a submission is on its way, and where it may go next.

    ============  =========================================================  ====================================
    phase         what is known                                              next
    ============  =========================================================  ====================================
    NEW           its scripts are written, the scheduler is about to get it  LIVE, REFUSED
    LIVE          the scheduler has it, and nothing says that it has ended   DOUBTED, DONE, FAILED, CANCELED
    DOUBTED       something says that it has ended, but not well             LIVE, DONE, FAILED, CANCELED
    LEFT          an earlier run submitted it; not seen alive since          LIVE, LEFT_DOUBTED, DONE, DEAD, CANCELED
    LEFT_DOUBTED  the same, and something says that it has ended             LIVE, DOUBTED, DONE, DEAD, CANCELED
    ------------  ---------------------------------------------------------  ------------------------------------
    DONE          its exit status is 0
    FAILED        it ended otherwise, or was lost: its jobs fail
    DEAD          the same of an earlier run's: its jobs are submitted again
    REFUSED       the scheduler did not take it: another try, or its jobs fail
    CANCELED      it was canceled, and does nothing if it has not started
    ============  =========================================================  ====================================
    """

    NEW = auto()
    LIVE = auto()
    DOUBTED = auto()
    LEFT = auto()
    LEFT_DOUBTED = auto()
    DONE = auto()
    FAILED = auto()
    DEAD = auto()
    REFUSED = auto()
    CANCELED = auto()


TRANSITIONS = {
    Phase.NEW: {Phase.LIVE, Phase.REFUSED},
    Phase.LIVE: {Phase.DOUBTED, Phase.DONE, Phase.FAILED, Phase.CANCELED},
    Phase.DOUBTED: {Phase.LIVE, Phase.DONE, Phase.FAILED, Phase.CANCELED},
    Phase.LEFT: {Phase.LIVE, Phase.LEFT_DOUBTED, Phase.DONE, Phase.DEAD, Phase.CANCELED},
    Phase.LEFT_DOUBTED: {Phase.LIVE, Phase.DOUBTED, Phase.DONE, Phase.DEAD, Phase.CANCELED},
}  # the others are ends
DOUBT = {Phase.LIVE: Phase.DOUBTED, Phase.LEFT: Phase.LEFT_DOUBTED}
DEFEAT = {
    Phase.LIVE: Phase.FAILED,
    Phase.DOUBTED: Phase.FAILED,
    Phase.LEFT: Phase.DEAD,
    Phase.LEFT_DOUBTED: Phase.DEAD,
}


class TransitionError(RuntimeError):
    """A submission was moved to a phase that does not follow its present one: a mistake in this plugin."""


@dataclass(eq=False)
class Submission:
    """One job of the scheduler: a job of Snakemake, or a pack of them.

    `phase` says where it is; it changes by `move` alone. The rest is evidence, from which the next phase is concluded.
    """

    members: list[Member]
    files: JobFiles
    cores: float
    id: str = ""  # "" if the scheduler did not tell it
    time: float = field(default_factory=time.time)  # when it was submitted, in seconds since 1970
    phase: Phase = Phase.NEW
    exit: int | None = None  # its exit status, if not 0
    verdict: State | None = None  # its final state, as the scheduler says
    misses: int = 0  # how many times in a row the scheduler did not know it
    doubted_since: float = 0.0  # on the monotonic clock

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
    def is_doubted(self) -> bool:
        """Whether something says that it has ended."""
        return self.phase in DOUBT.values()

    def doubt(self, now: float) -> None:
        """Note that something says that it has ended; the first time counts."""
        if not self.is_doubted:
            self.move(DOUBT[self.phase])
            self.doubted_since = now

    def doubt_by_exit_status(self, status: int, now: float) -> None:
        """Note its exit status, which is not 0; from now on a reason for it is waited for."""
        self.doubt(now)
        self.exit, self.doubted_since = status, now

    def note_alive(self) -> None:
        """Note that the scheduler says it is waiting or running; after an exit status it is still doubted."""
        self.misses, self.verdict = 0, None
        phase = Phase.LIVE if self.exit is None else Phase.DOUBTED
        if phase is not self.phase:
            self.move(phase)
