"""The queue of submissions: from their first try to their end, with any scheduler.

Success is an exit-status file with 0, and nothing else. The scheduler is asked, with one command for all jobs, after
those that say nothing, and for the reason when one says that it failed.
"""

import math
import os
import re
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from snakemake_executor_plugin_divvy.jobscript import STATUS, JobFiles
from snakemake_executor_plugin_divvy.journal import Entry, Journal
from snakemake_executor_plugin_divvy.packs import Member, packed
from snakemake_executor_plugin_divvy.scheduler import Here, Scheduler, SchedulerError, State

SUBMISSION_TRIES, SUBMISSION_DELAY = 4, 2.0  # the delay (s) doubles with each try
MISSES = 3  # times that a scheduler has to say that it does not know a job before this is believed
SUSPECT_SECONDS = 2.0  # between queries while a job looks as if it had ended
REASON_SECONDS = 10.0  # that a scheduler has to tell the reason of an exit status
CANCEL_SECONDS = 10.0  # that cancelled jobs have to leave the queue
SLOWEST = 6  # times the usual interval: how far queries back off while nothing changes


@dataclass(eq=False)
class Submission:
    """One job of the scheduler's: a job of Snakemake, or a pack of them."""

    members: list[Member]
    files: JobFiles
    cores: float
    id: str = ""  # "" if the scheduler did not tell it
    time: float = field(default_factory=time.time)
    exit: int | None = None  # its exit status, if not 0
    over: float | None = None  # since when it looks ended
    verdict: State | None = None  # its final state
    misses: int = 0  # how often in a row the scheduler did not know it
    well: bool = False  # whether it said so itself
    left: bool = False  # by an earlier run, and not seen alive since


class Owner(Protocol):
    """What the queue needs of the executor."""

    def write(self, members: list[Member]) -> JobFiles:
        """Write the scripts of a submission."""

    def succeeded(self, member: Member, submission: Submission) -> None:
        """Take note of a job's success."""

    def failed(self, member: Member, word: str, reason: str, submission: Submission | None = None) -> None:
        """Take note of a job's failure: the reason in one word, and in a sentence."""

    def outcome(self, member: Member) -> str:
        """Tell of a job in a pack that has ended otherwise than well: `done`, `started` or `waiting`."""


class Submissions:
    """All submissions of a run. `add` may be called from any thread, `look` is called again and again in one."""

    def __init__(self, owner: Owner, scheduler: Scheduler, command: str, journal: Journal, logger: Any) -> None:
        self.owner, self.scheduler, self.command = owner, scheduler, command
        self.journal, self.logger = journal, logger
        self.capacity = math.inf  # cores that jobs may use at a time
        self.grace = 0.0  # seconds that a file may take to be seen here
        self.interval = 10.0  # seconds between queries
        self.lost_after = math.inf  # seconds after which a job that nobody can be asked after is given up
        self.lock = threading.RLock()
        self.new: deque[list[Member]] = deque()
        self.waiting: list[Member] = []
        self.active: list[Submission] = []
        self.stopped = False
        self.next_query = 0.0
        self.calm = 1.0  # grows while nothing changes
        self.failures = 0  # queries that failed in a row
        self.told: set[str] = set()  # states of jobs that may stay in the queue for ever

    def add(self, members: list[Member]) -> None:
        """Queue jobs; those that can share submissions with each other have to come together."""
        self.new.append(members)  # no lock, which is held as long as it takes to submit

    def adopt(self, entry: Entry, member: Member, cores: float) -> None:
        """Watch a job that an earlier run submitted."""
        with self.lock:
            known = [submission for submission in self.active if submission.files == entry.files]
            if known:
                known[0].members.append(member)
            else:
                left = Submission([member], entry.files, cores, entry.id or "", entry.time, left=True)
                self.active.append(left)

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
            self._read_exit_statuses()
            self._ask_scheduler()
            self._settle()
            self._submit_waiting()
            changed = before != self.active
            self.calm = 1.0 if changed else self.calm
            return changed

    # --- how submissions end

    def _read_exit_statuses(self) -> None:
        found: set[str] = set()
        for folder in {submission.files.state for submission in self.active}:
            # one request to the file system, however many jobs there are
            with suppress(FileNotFoundError), os.scandir(folder) as files:
                found.update(file.name for file in files if file.name.endswith(STATUS))
        for submission in list(self.active):
            status = submission.files.exit_status() if submission.files.status.name in found else None
            if status == 0:
                submission.well = True
                self._end(submission)
                for member in submission.members:
                    self.owner.succeeded(member, submission)
            elif status is None:
                submission.exit = None
            elif submission.exit is None:
                submission.exit, submission.over = status, time.monotonic()
                self.next_query = min(self.next_query, submission.over)

    def _ask_scheduler(self) -> None:
        now = time.monotonic()
        ids = [submission.id for submission in self.active if submission.id]
        if not ids or now < self.next_query:
            return
        try:
            states = self.scheduler.states(ids)
        except SchedulerError as error:
            self.failures += 1
            self.next_query = now + self.interval * min(SLOWEST, 2**self.failures)
            if self.failures == 1:
                self.logger.warning(f"divvy: {self.scheduler.name} does not tell of jobs, will ask again: {error}")
            return
        self.failures = 0
        for submission in self.active:
            if submission.id:
                self._hear(submission, states.get(submission.id))
        self.calm = min(SLOWEST, self.calm * 1.5)
        suspect = any(submission.over is not None for submission in self.active)
        self.next_query = now + (min(self.interval, SUSPECT_SECONDS) if suspect else self.interval * self.calm)

    def _hear(self, submission: Submission, state: State | None) -> None:
        """Take note of what the scheduler says of a submission."""
        if state is None:
            submission.misses += 1
            submission.over = submission.over or time.monotonic()
        elif state.name in self.scheduler.final:
            submission.verdict = state
            submission.over = submission.over or time.monotonic()
        else:
            submission.misses, submission.left, submission.verdict = 0, False, None
            if submission.exit is not None and re.search(self.scheduler.pending, str(state)):
                submission.files.status.unlink(missing_ok=True)  # it failed because it was put back into the queue
                submission.exit = None
            if submission.exit is None:
                submission.over = None
            if re.search(self.scheduler.stuck, str(state)) and str(state) not in self.told:
                self._tell_stuck(submission.id, state)

    def _tell_stuck(self, job: str, state: State) -> None:
        """Warn of a job that may stay in the queue for ever, once for each state."""
        self.told.add(str(state))
        with suppress(SchedulerError):
            state = self.scheduler.why_stuck(job, state)
        self.logger.warning(f"divvy: job {job} may stay in the queue for ever ({self.scheduler.name}: {state})")

    def _settle(self) -> None:
        """Give up the submissions that have failed or are lost."""
        now = time.monotonic()
        patience = REASON_SECONDS if self.scheduler.final else 0
        for submission in list(self.active):
            waited = now - submission.over if submission.over is not None else -1
            word, said = self._verdict(submission)
            if submission.exit is not None:
                grace = self.grace if len(submission.members) > 1 else 0  # to see what became of each of them
                if waited >= grace and (submission.verdict or waited >= patience):
                    status = f"exit status {submission.exit}"
                    plain = word in ("unknown", "FAILED")
                    self._fail(submission, status if plain else word, status if plain else f"{status} ({said})")
            elif waited >= self.grace and (submission.verdict or submission.misses >= MISSES):
                self._fail(submission, word, f"ended without an exit status ({said})")
            elif self._silent(submission) > self.lost_after:
                self._fail(submission, "unknown", f"nothing was heard of it for {self.lost_after / 60:g} minutes")

    def _verdict(self, submission: Submission) -> tuple[str, str]:
        """Return what the scheduler says of the end of a submission: in a word, and whole."""
        if submission.verdict is None:
            return "unknown", f"{self.scheduler.name}: no longer known"
        word, said = self.scheduler.word(submission.verdict), str(submission.verdict)
        said = said if word in said else f"{word}: {said}"
        return "unknown" if word == "COMPLETED" else word, f"{self.scheduler.name}: {said}"

    def _silent(self, submission: Submission) -> float:
        """Return for how long (s) nothing was heard of a job that nobody can be asked after."""
        if (submission.id and self.scheduler.query) or isinstance(self.scheduler, Here):
            return 0
        return time.time() - (submission.files.times()[0] or submission.time)

    def _fail(self, submission: Submission, word: str, reason: str) -> None:
        """End a submission otherwise than well, each job in it for itself."""
        self._end(submission)
        submission.files.take_back()  # lest it starts after all
        members = submission.members
        if submission.left:
            self.waiting += members
            self.logger.info(f"divvy: job {submission.id} of an earlier run is dead, its jobs are submitted anew")
            return
        outcomes = ["started"] if len(members) == 1 else [self.owner.outcome(member) for member in members]
        if set(outcomes) == {"waiting"}:
            outcomes = ["started"] * len(members)  # a pack that never got to a job would be submitted for ever
        for member, outcome in zip(members, outcomes, strict=True):
            if outcome == "done":
                self.owner.succeeded(member, submission)
            elif outcome == "started":
                self.owner.failed(member, word, reason, submission)
            else:
                self.waiting.append(member)
        if again := outcomes.count("waiting"):
            self.logger.info(f"divvy: {again} jobs of the pack {submission.id} had not started, and are submitted anew")

    def _end(self, submission: Submission) -> None:
        self.active.remove(submission)
        self.journal.ended(submission.files)

    # --- how they begin

    def _submit_waiting(self) -> None:
        """Submit what waits, in order, as long as there are cores for it."""
        ready = [member for member in self.waiting if member.not_before <= time.monotonic()]
        in_use = sum(submission.cores for submission in self.active)
        most = len(ready) if math.isinf(self.capacity) else math.ceil(len(ready) / self.capacity)
        for members in packed(ready, most):
            cores = min(members[0].job.threads, self.capacity)
            if self.stopped or in_use + cores > self.capacity:
                break
            self.waiting = [member for member in self.waiting if member not in members]
            in_use += cores if self._submit(members, cores) else 0

    def _submit(self, members: list[Member], cores: float) -> bool:
        """Submit jobs together; return whether they are with the scheduler now."""
        try:
            files = self.owner.write(members)
        except (OSError, ValueError) as error:
            for member in members:
                self.owner.failed(member, "not submitted", f"its scripts could not be written: {error}")
            return False
        submission = Submission(members, files, cores)
        self.journal.submitting(files, self.scheduler.name, [member.ticket for member in members])
        try:
            submission.id = self.scheduler.submit(self.command, files.submission_script)
        except SchedulerError as error:
            # a command that fails may have submitted all the same; then the job runs, or has to find itself taken back
            if files.take_back():
                self._try_again(submission, error)
                return False
        self.journal.submitted(files, submission.id)
        self.active.append(submission)
        names = ", ".join(str(member.job.jobid) for member in members)
        self.logger.info(
            f"divvy: submitted job{'s' * (len(members) > 1)} {names} as {self.scheduler.name} job "
            f"{submission.id or '(of unknown id)'}, log: {os.path.relpath(files.log)}"
        )
        for member in members:
            member.info.external_jobid = submission.id
        return True

    def _try_again(self, submission: Submission, error: SchedulerError) -> None:
        """Keep jobs whose submission failed for another try, or give them up."""
        self.journal.ended(submission.files)
        tries = submission.members[0].tries + 1
        delay = SUBMISSION_DELAY * 2 ** (tries - 1)
        if tries < SUBMISSION_TRIES:
            self.logger.warning(f"divvy: a submission failed and is tried again in {delay:g} s: {error}")
        for member in submission.members:
            member.tries, member.not_before = tries, time.monotonic() + delay
            if tries < SUBMISSION_TRIES:
                self.waiting.append(member)
            else:
                reason = f"could not be submitted in {tries} tries: {error}"
                self.owner.failed(member, "not submitted", reason, submission)

    # --- how they are stopped

    def cancel(self) -> None:
        """Cancel everything, and wait a moment until it has left the queue."""
        self.stopped = True  # ends a round of submissions that is under way
        with self.lock:
            self.waiting.clear()
            self.new.clear()
            self.take_back(self.active, self.scheduler)
            self.active.clear()

    def take_back(self, submissions: list[Submission], scheduler: Scheduler) -> None:
        """Cancel submissions to that scheduler, and wait a moment until they have left its queue."""
        ids = [submission.id for submission in submissions if submission.id]
        for submission in submissions:
            submission.files.take_back()  # what the scheduler starts all the same will do nothing
        if ids:
            self.logger.info(f"divvy: cancelling {len(ids)} jobs")
        try:
            scheduler.cancel_jobs(ids)
            end = time.monotonic() + CANCEL_SECONDS
            while ids and time.monotonic() < end:
                states = scheduler.states(ids)
                ids = [job for job in ids if job in states and states[job].name not in scheduler.final]
                time.sleep(0.2 if ids else 0)
        except SchedulerError as error:
            self.logger.error(f"divvy: jobs could not be cancelled: {error}; their ids: {' '.join(ids)}")
        for submission in submissions:
            self.journal.ended(submission.files)
