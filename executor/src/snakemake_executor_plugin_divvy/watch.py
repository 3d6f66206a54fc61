"""Watching submissions: what their exit-status files and the scheduler say, and what follows from it.

Success is an exit-status file with 0, and nothing else. The scheduler is asked, with one command for all jobs, about
those that have not reported an end themselves, and for the reason when one reports a failure.
"""

import math
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from snakemake_executor_plugin_divvy.jobscript import STATUS
from snakemake_executor_plugin_divvy.schedulers import Scheduler, SchedulerError, State
from snakemake_executor_plugin_divvy.submission import Phase, Submission

MISSES = 3  # times that a scheduler has to say that it does not know a job before this is believed
DOUBTED_SECONDS = 2.0  # between queries while a job looks as if it had ended
SLOWEST = 6  # times the usual interval: how far queries back off while nothing changes


@dataclass(frozen=True)
class Patience:
    """How long is waited for what, in seconds.

    Attributes
    ----------
    interval
        Between queries of the scheduler.
    grace
        That a file may take to become visible here.
    reason
        That a scheduler has to tell the reason for an exit status.
    lost
        After which a job is given up that has not been heard of and that nobody can be asked about.
    """

    interval: float = 10.0
    grace: float = 0.0
    reason: float = 10.0
    lost: float = math.inf


class Failure(NamedTuple):
    """Why a submission has failed: in one word, and in a sentence."""

    word: str
    reason: str


class Watch:
    """Gathers evidence about submissions and judges it; it never acts on them."""

    def __init__(self, scheduler: Scheduler, patience: Patience, logger: Any) -> None:
        self.scheduler, self.patience, self.logger = scheduler, patience, logger
        self._next_query = 0.0
        self._backoff = 1.0  # grows while nothing changes
        self._failures = 0  # queries that failed in a row
        self._warned: set[str] = set()  # states of jobs that may stay in the queue forever

    @property
    def next_query(self) -> float:
        """When the scheduler is asked next, on the monotonic clock."""
        return self._next_query

    def ask_soon(self) -> None:
        """Let the next look ask the scheduler, however short ago it was asked."""
        self._next_query = min(self._next_query, time.monotonic())

    def note_change(self) -> None:
        """Note that submissions came or went, so that the scheduler is asked at the usual interval again."""
        self._backoff = 1.0

    # --- evidence

    def read_exit_statuses(self, submissions: Sequence[Submission]) -> None:
        """Look for exit-status files: submissions with 0 are DONE, those with another status are doubted."""
        found: set[str] = set()
        for folder in {submission.files.state for submission in submissions}:
            # one request to the file system, however many jobs there are
            with suppress(FileNotFoundError), os.scandir(folder) as files:
                found.update(file.name for file in files if file.name.endswith(STATUS))
        for submission in submissions:
            status = submission.files.exit_status() if submission.files.status.name in found else None
            if status == 0:
                submission.move(Phase.DONE)
            elif status is None:
                submission.exit = None
            elif submission.exit is None:
                submission.doubt_by_exit_status(status, time.monotonic())
                self.ask_soon()

    def ask_scheduler(self, submissions: Sequence[Submission]) -> None:
        """Ask the scheduler about all submissions, if it is time for that."""
        now = time.monotonic()
        asked = [submission for submission in submissions if submission.id]
        if not asked or now < self._next_query:
            return
        try:
            states = self.scheduler.states([submission.id for submission in asked])
        except SchedulerError as error:
            self._failures += 1
            self._next_query = now + self.patience.interval * min(SLOWEST, 2**self._failures)
            if self._failures == 1:
                self.logger.warning(f"divvy: {self.scheduler.name} does not answer, will ask again: {error}")
            return
        self._failures = 0
        for submission in asked:
            self._note_state(submission, states.get(submission.id))
        self._backoff = min(SLOWEST, self._backoff * 1.5)
        interval = self.patience.interval
        doubted = any(submission.is_doubted for submission in submissions)
        self._next_query = now + (min(interval, DOUBTED_SECONDS) if doubted else interval * self._backoff)

    def _note_state(self, submission: Submission, state: State | None) -> None:
        """Note what the scheduler says about a submission; None if it does not know it."""
        if state is None:
            submission.misses += 1
            submission.doubt(time.monotonic())
        elif state.name in self.scheduler.final:
            submission.verdict = state
            submission.doubt(time.monotonic())
        else:
            if submission.exit is not None and re.search(self.scheduler.pending, str(state)):
                submission.files.status.unlink(missing_ok=True)  # it failed because it was put back into the queue
                submission.exit = None
            submission.note_alive()
            if re.search(self.scheduler.stuck, str(state)) and str(state) not in self._warned:
                self._warn_stuck(submission.id, state)

    def _warn_stuck(self, job: str, state: State) -> None:
        """Warn about a job that may stay in the queue forever, once for each state."""
        self._warned.add(str(state))
        with suppress(SchedulerError):
            state = self.scheduler.explain_stuck(job, state)
        self.logger.warning(f"divvy: job {job} may stay in the queue forever ({self.scheduler.name}: {state})")

    # --- judgment

    def find_failure(self, submission: Submission) -> Failure | None:
        """Return why a submission has failed or is lost; None if it may still end well, or more is to be learned."""
        waited = time.monotonic() - submission.doubted_since if submission.is_doubted else -1
        word, said = self._describe_verdict(submission)
        if submission.exit is not None:
            # of a pack, files tell what became of each job
            grace = self.patience.grace if len(submission.members) > 1 else 0
            patience = self.patience.reason if self.scheduler.final else 0
            if waited < grace or not (submission.verdict or waited >= patience):
                return None
            status = f"exit status {submission.exit}"
            is_plain = word in ("unknown", "FAILED")
            return Failure(status, status) if is_plain else Failure(word, f"{status} ({said})")
        if waited >= self.patience.grace and (submission.verdict or submission.misses >= MISSES):
            return Failure(word, f"ended without an exit status ({said})")
        if self._measure_silence(submission) > self.patience.lost:
            return Failure("unknown", f"it has not been heard of for {self.patience.lost / 60:g} minutes")
        return None

    def _describe_verdict(self, submission: Submission) -> tuple[str, str]:
        """Return what the scheduler says about the end of a submission: in one word, and in full."""
        if submission.verdict is None:
            return "unknown", f"{self.scheduler.name}: no longer known"
        word, said = self.scheduler.word(submission.verdict), str(submission.verdict)
        said = said if word in said else f"{word}: {said}"
        return "unknown" if word == "COMPLETED" else word, f"{self.scheduler.name}: {said}"

    def _measure_silence(self, submission: Submission) -> float:
        """Return for how long (s) a job that nobody can be asked about has not been heard of."""
        if submission.id and self.scheduler.can_be_asked:
            return 0
        return time.time() - (submission.files.times()[0] or submission.time)
