"""The queue of submissions: from their first try to their end, with any scheduler."""

import math
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.journal import Entry, Journal
from snakemake_executor_plugin_divvy.packs import Member, make_packs
from snakemake_executor_plugin_divvy.schedulers import Scheduler, SchedulerError
from snakemake_executor_plugin_divvy.submission import DEFEAT, Phase, Submission
from snakemake_executor_plugin_divvy.watch import Failure, Patience, Watch


@dataclass(frozen=True)
class Limits:
    """What the queue may do.

    Attributes
    ----------
    cores
        That jobs may use at a time.
    tries
        To submit a job.
    first_delay
        Seconds until the second try; the delay doubles with each.
    cancel_seconds
        That canceled jobs have to leave the scheduler's queue.
    """

    cores: float = math.inf
    tries: int = 4
    first_delay: float = 2.0
    cancel_seconds: float = 10.0


class Owner(Protocol):
    """What the queue needs of the executor."""

    def write(self, members: list[Member]) -> JobFiles:
        """Write the scripts of a submission."""

    def report_success(self, member: Member, submission: Submission) -> None:
        """Report a job that has ended well."""

    def report_failure(self, member: Member, failure: Failure, submission: Submission | None = None) -> None:
        """Report a job that has failed."""

    def find_outcome(self, member: Member) -> str:
        """Tell what became of a job in a pack that has not ended well: `done`, `started` or `waiting`."""


class Queue:
    """All submissions of a run. `add` may be called from any thread, `look` is called again and again in one."""

    def __init__(
        self,
        owner: Owner,
        scheduler: Scheduler,
        command: str,
        journal: Journal,
        logger: Any,
        limits: Limits,
        patience: Patience,
    ) -> None:
        self.owner, self.scheduler, self.command = owner, scheduler, command
        self.journal, self.logger, self.limits = journal, logger, limits
        self.watch = Watch(scheduler, patience, logger)
        self.lock = threading.RLock()
        self.new: deque[list[Member]] = deque()
        self.waiting: list[Member] = []
        self.active: list[Submission] = []
        self.stopped = False

    def add(self, members: list[Member]) -> None:
        """Queue jobs; those that can share submissions with each other have to come together."""
        self.new.append(members)  # without the lock, which is held as long as it takes to submit

    def adopt(self, entry: Entry, member: Member) -> None:
        """Watch a job that an earlier run submitted."""
        with self.lock:
            known = next((submission for submission in self.active if submission.files == entry.files), None)
            if known:
                known.members.append(member)
                return
            cores = self._count_cores(member)
            self.active.append(Submission([member], entry.files, cores, entry.id or "", entry.time, Phase.LEFT))

    def __bool__(self) -> bool:
        return bool(self.active or self.waiting or self.new)

    def look(self) -> bool:
        """Look after everything once; return whether anything has changed."""
        with self.lock:
            if self.stopped:
                return False
            before = list(self.active)
            while self.new:
                self.waiting += self.new.popleft()
            self.watch.read_exit_statuses(self.active)
            self._report_done()
            self.watch.ask_scheduler(self.active)
            self._give_up_failed()
            self._submit_waiting()
            changed = before != self.active
            if changed:
                self.watch.note_change()
            return changed

    # --- how submissions end

    def _report_done(self) -> None:
        for submission in [each for each in self.active if each.phase is Phase.DONE]:
            self._remove(submission)
            for member in submission.members:
                self.owner.report_success(member, submission)

    def _give_up_failed(self) -> None:
        for submission in list(self.active):
            if failure := self.watch.find_failure(submission):
                self._give_up(submission, failure)

    def _give_up(self, submission: Submission, failure: Failure) -> None:
        """End a submission that has not ended well: its jobs fail, or are queued again."""
        submission.move(DEFEAT[submission.phase])
        self._remove(submission)
        submission.files.take_back()  # lest it starts after all
        if submission.phase is Phase.DEAD:
            self.waiting += submission.members
            self.logger.info(f"divvy: job {submission.id} of an earlier run is dead, its jobs are submitted again")
            return
        again = 0
        for member, outcome in zip(submission.members, self._find_outcomes(submission.members), strict=True):
            if outcome == "done":
                self.owner.report_success(member, submission)
            elif outcome == "started":
                self.owner.report_failure(member, failure, submission)
            else:
                self.waiting.append(member)
                again += 1
        if again:
            self.logger.info(f"divvy: {again} jobs of the pack {submission.id} had not started and are submitted again")

    def _find_outcomes(self, members: list[Member]) -> list[str]:
        """Return what became of each job of a submission that has not ended well."""
        outcomes = ["started"] if len(members) == 1 else [self.owner.find_outcome(member) for member in members]
        # a pack that never got to a job would be submitted forever
        return ["started"] * len(members) if set(outcomes) == {"waiting"} else outcomes

    def _remove(self, submission: Submission) -> None:
        self.active.remove(submission)
        self.journal.note_ended(submission.files)

    # --- how they begin

    def _submit_waiting(self) -> None:
        """Submit what waits, in order, as long as there are cores for it."""
        ready = [member for member in self.waiting if member.not_before <= time.monotonic()]
        in_use = sum(submission.cores for submission in self.active)
        limit = self.limits.cores
        most = len(ready) if math.isinf(limit) else math.ceil(len(ready) / limit)
        for members in make_packs(ready, most):
            cores = self._count_cores(members[0])
            if self.stopped or in_use + cores > limit:
                break
            self.waiting = [member for member in self.waiting if member not in members]
            in_use += cores if self._submit(members, cores) else 0

    def _count_cores(self, member: Member) -> float:
        return min(float(member.job.threads), self.limits.cores)

    def _submit(self, members: list[Member], cores: float) -> bool:
        """Submit jobs together; return whether the scheduler has them now."""
        try:
            files = self.owner.write(members)
        except (OSError, ValueError) as error:
            failure = Failure("not submitted", f"its scripts could not be written: {error}")
            for member in members:
                self.owner.report_failure(member, failure)
            return False
        submission = Submission(members, files, cores)
        self.journal.note_submitting(files, self.scheduler.name, [member.ticket for member in members])
        try:
            submission.id = self.scheduler.submit(self.command, files.submission_script)
        except SchedulerError as error:
            # a command that fails may have submitted all the same; then the job runs, or will find itself taken back
            if files.take_back():
                self._refuse(submission, error)
                return False
        submission.move(Phase.LIVE)
        self.journal.note_submitted(files, submission.id)
        self.active.append(submission)
        self._announce(submission)
        return True

    def _announce(self, submission: Submission) -> None:
        """Tell Snakemake and its user under which id jobs were submitted."""
        names = ", ".join(str(member.job.jobid) for member in submission.members)
        self.logger.info(
            f"divvy: submitted job{'s' * (len(submission.members) > 1)} {names} as {self.scheduler.name} job "
            f"{submission.id or '(id unknown)'}, log: {os.path.relpath(submission.files.log)}"
        )
        for member in submission.members:
            member.info.external_jobid = submission.id

    def _refuse(self, submission: Submission, error: SchedulerError) -> None:
        """Keep jobs whose submission failed for another try, or give them up."""
        submission.move(Phase.REFUSED)
        self.journal.note_ended(submission.files)
        tries = submission.members[0].tries + 1
        delay = self.limits.first_delay * 2 ** (tries - 1)
        if tries < self.limits.tries:
            self.logger.warning(f"divvy: a submission failed and is tried again in {delay:g} s: {error}")
        failure = Failure("not submitted", f"could not be submitted in {tries} tries: {error}")
        for member in submission.members:
            member.tries, member.not_before = tries, time.monotonic() + delay
            if tries < self.limits.tries:
                self.waiting.append(member)
            else:
                self.owner.report_failure(member, failure, submission)

    # --- how they are stopped

    def cancel(self) -> None:
        """Cancel everything, and wait a moment until it has left the scheduler's queue."""
        self.stopped = True  # ends a round of submissions that is under way
        with self.lock:
            self.waiting.clear()
            self.new.clear()
            self.take_back([each for each in self.active if not each.has_ended], self.scheduler)
            self.active.clear()

    def take_back(self, submissions: list[Submission], scheduler: Scheduler) -> None:
        """Cancel submissions to that scheduler, and wait a moment until they have left its queue."""
        ids = [submission.id for submission in submissions if submission.id]
        for submission in submissions:
            submission.files.take_back()  # what the scheduler starts all the same will do nothing
            submission.move(Phase.CANCELED)
        if ids:
            self.logger.info(f"divvy: canceling {len(ids)} jobs")
        try:
            scheduler.cancel_jobs(ids)
            end = time.monotonic() + self.limits.cancel_seconds
            while ids and time.monotonic() < end:
                states = scheduler.states(ids)
                ids = [job for job in ids if job in states and states[job].name not in scheduler.final]
                time.sleep(0.2 if ids else 0)
        except SchedulerError as error:
            self.logger.error(f"divvy: jobs could not be canceled: {error}; their ids: {' '.join(ids)}")
        for submission in submissions:
            self.journal.note_ended(submission.files)
