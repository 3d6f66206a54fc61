"""Watching submissions: what their exit-status files and the scheduler say, and what follows from it.

Success is an exit-status file with 0, and nothing else. The scheduler is asked, with one command for all jobs, about
those that have not reported an end themselves, and for the reason when one reports a failure.
"""

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from snakemake_executor_plugin_divvy.jobscript import ENDS
from snakemake_executor_plugin_divvy.schedulers import Scheduler, SchedulerError, State, States
from snakemake_executor_plugin_divvy.submissions.submission import Failure, Phase, Submission
from snakemake_executor_plugin_divvy.submissions.timing import REASON, Timing

MISSES = 3  # times that a scheduler has to say that it does not know a job before this is believed


class Watch:
    """Gathers evidence about submissions and judges it; it never acts on them."""

    def __init__(self, timing: Timing, logger: Any) -> None:
        self.timing, self.logger = timing, logger
        self.answered_at = 0.0  # when the scheduler last answered, on the monotonic clock
        self._asked_at = 0.0
        self._interval = timing.query
        self._is_silent = False
        self._warned: set[str] = set()  # states of jobs that may stay in the queue forever

    # --- evidence: exit statuses

    def read_ends(self, submissions: Mapping[str, Submission]) -> None:
        """Look for exit-status files of submissions, given by name."""
        found: set[str] = set()
        for folder in {submission.files.state for submission in submissions.values()}:
            # one request to the file system, however many jobs there are
            with suppress(FileNotFoundError), os.scandir(folder / ENDS) as files:
                found.update(file.name for file in files)
        for name in found & submissions.keys():
            submission = submissions[name]
            if submission.exit is None and (status := submission.files.exit_status()) is not None:
                submission.note_exit(status, time.monotonic())
        for name, submission in submissions.items():
            if submission.exit is not None and name not in found:
                submission.exit = None

    # --- evidence: the scheduler

    def must_ask(self, submissions: Iterable[Submission]) -> bool:
        """Tell whether it is time to ask the scheduler about these."""
        interval = self._interval
        if not self._is_silent and any(s.doubted_at is not None or s.phase is Phase.LEAVING for s in submissions):
            interval = self.timing.doubtful_query
        return time.monotonic() >= self._asked_at + interval

    def note_asked(self) -> None:
        """Note that the scheduler is being asked."""
        self._asked_at = time.monotonic()

    def note_change(self) -> None:
        """Note that submissions came or went, so that the scheduler is asked at the usual interval again."""
        if not self._is_silent:
            self._interval = self.timing.query

    def note_silence(self, scheduler: Scheduler, error: SchedulerError) -> None:
        """Note that the scheduler did not answer."""
        self._interval = min(self.timing.longest_query, 2 * self._interval)
        if not self._is_silent:
            self.logger.warning(f"divvy: {scheduler.name} does not answer, will ask again: {error}")
        self._is_silent = True

    def note_answer(self, asked: Sequence[tuple[Submission, str]], states: States, began: float) -> None:
        """Note what the scheduler said, to a query that began then, about submissions and their ids at that time."""
        self._interval = min(
            self.timing.longest_query, 1.5 * (self.timing.query if self._is_silent else self._interval)
        )
        self.answered_at, self._is_silent = time.monotonic(), False
        for submission, id in asked:
            is_old = submission.phase is Phase.LEAVING and submission.canceled_at > began
            if submission.id == id and not submission.has_ended and not is_old:
                self._note_state(submission, states.get(id))

    def _note_state(self, submission: Submission, state: State | None) -> None:
        """Note what the scheduler says about a submission; None if it does not know it."""
        scheduler = submission.scheduler
        if state is None:
            submission.misses += 1
            submission.doubt(time.monotonic())
        elif state.name in scheduler.final:
            submission.verdict = state
            submission.doubt(time.monotonic())
        else:
            if submission.exit is not None and re.search(scheduler.pending, str(state)):
                submission.files.status.unlink(missing_ok=True)  # it failed because it was put back into the queue
                submission.exit = None
            submission.note_alive()
            if re.search(scheduler.stuck, str(state)) and str(state) not in self._warned:
                self._warn_stuck(submission, state)

    def _warn_stuck(self, submission: Submission, state: State) -> None:
        """Warn about a job that may stay in the queue forever, once for each state."""
        self._warned.add(str(state))
        with suppress(SchedulerError):
            state = submission.scheduler.explain_stuck(submission.id, state)
        said = f"{submission.scheduler.name}: {state}"
        self.logger.warning(f"divvy: job {submission.id} may stay in the queue forever ({said})")

    # --- judgment

    def find_failure(self, submission: Submission) -> Failure | None:
        """Return why a submission has failed or is lost; None if it may still end well, or more is to be learned."""
        if submission.doubted_at is None:
            return self._find_silence(submission)
        waited = time.monotonic() - submission.doubted_at
        word, said = describe_verdict(submission)
        if submission.exit is not None:
            # what became of each job of a pack is read from another file
            latency = self.timing.latency if len(submission.members) > 1 else 0
            patience = REASON if submission.scheduler.final and submission.id else 0
            if waited < latency or not (submission.verdict or waited >= patience):
                return None
            status = f"exit status {submission.exit}"
            is_plain = word in ("unknown", "FAILED")
            return Failure(status, status) if is_plain else Failure(word, f"{status} ({said})")
        if waited >= self.timing.latency and (submission.verdict or submission.misses >= MISSES):
            return Failure(word, f"ended without an exit status ({said})")
        return None

    def has_gone(self, submission: Submission) -> bool:
        """Tell whether a submission that has to go can do nothing any more."""
        known = submission.exit is not None or submission.verdict is not None or submission.misses >= MISSES
        return known or self._find_silence(submission) is not None

    def _find_silence(self, submission: Submission) -> Failure | None:
        """Return the failure of a job that nobody can be asked about and that has not been heard of for too long."""
        if can_be_asked(submission):
            return None
        heard = submission.files.times()[0] or submission.time
        if time.time() - heard <= self.timing.lost:
            return None
        return Failure("unknown", f"it has not been heard of for {self.timing.lost / 60:g} minutes")


def can_be_asked(submission: Submission) -> bool:
    """Whether the scheduler can tell about a submission."""
    return bool(submission.id) and submission.scheduler.can_be_asked


def describe_verdict(submission: Submission) -> tuple[str, str]:
    """Return what the scheduler says about the end of a submission: in one word, and in full."""
    scheduler = submission.scheduler
    if submission.verdict is None:
        return "unknown", f"{scheduler.name}: no longer known"
    word, said = scheduler.word(submission.verdict), str(submission.verdict)
    said = said if word in said else f"{word}: {said}"
    return "unknown" if word == "COMPLETED" else word, f"{scheduler.name}: {said}"
