"""Bringing jobs to the scheduler: packs, cores, a few submissions at a time, and what follows when they are refused."""

import errno
import math
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from snakemake_executor_plugin_divvy.journal import Journal
from snakemake_executor_plugin_divvy.names import show_path
from snakemake_executor_plugin_divvy.packs import Member, make_packs
from snakemake_executor_plugin_divvy.schedulers import Refusal, Scheduler, SchedulerError
from snakemake_executor_plugin_divvy.submissions.errands import Errands
from snakemake_executor_plugin_divvy.submissions.gate import Gate
from snakemake_executor_plugin_divvy.submissions.submission import Failure, Owner, Phase, Submission
from snakemake_executor_plugin_divvy.submissions.timing import RETRY, SETTLING, Timing

TRIES = 4  # to submit a job whose submission fails for an unknown reason
SLICE = 2.0  # seconds of writing scripts until ends are looked for again
PASSING = {errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.EIO, errno.ETIMEDOUT}  # errors of a file system


class Submitter:
    """Jobs that wait, and the submissions that are made of them."""

    def __init__(
        self,
        owner: Owner,
        scheduler: Scheduler,
        command: str,
        journal: Journal,
        logger: Any,
        errands: Errands,
        active: dict[str, Submission],
        cores: float,
        times: Timing,
    ) -> None:
        self.owner, self.scheduler, self.command, self.journal, self.logger = owner, scheduler, command, journal, logger
        self.errands, self.active, self.cores, self.times = errands, active, cores, times
        self.gate = Gate()
        self.waiting: deque[list[Member]] = deque()  # those that share a submission
        self.later: list[tuple[float, list[Member]]] = []  # the same, and when to try again
        self.under_way = 0
        self._had_jobs = 0.0  # when the scheduler last had any, on the monotonic clock
        self._ended: deque[float] = deque()  # when submissions ended that the scheduler may still count

    def __bool__(self) -> bool:
        return bool(self.waiting or self.later)

    def add(self, members: list[Member]) -> None:
        """Let jobs wait, in packs."""
        most = len(members) if math.isinf(self.cores) else math.ceil(len(members) / self.cores)
        self.waiting.extend(make_packs(members, most))

    def count_cores(self, member: Member) -> float:
        """Return the cores that a job takes here."""
        return min(max(1.0, float(member.job.threads)), self.cores)

    def note_end(self) -> None:
        """Note that a submission has ended."""
        self._ended.append(time.monotonic())

    def submit(self) -> None:
        """Submit what waits, in order, as long as there are cores for it and the scheduler takes it."""
        now = time.monotonic()
        self.waiting.extend(members for due, members in self.later if due <= now)
        self.later = [(due, members) for due, members in self.later if due > now]
        in_use = 0.0 if math.isinf(self.cores) else sum(submission.cores for submission in self.active.values())
        while self.waiting and time.monotonic() < now + SLICE:
            cores = self.count_cores(self.waiting[0][0])
            if in_use + cores > self.cores or not self.gate.admit(self._count_occupied(), self.under_way):
                break
            in_use += cores if self._start(self.waiting.popleft(), cores) else 0
        self._give_up()

    def _count_occupied(self) -> int:
        """Return how many jobs the scheduler has, or may still count."""
        while self._ended and self._ended[0] < time.monotonic() - SETTLING:
            self._ended.popleft()
        return self._count_taken() + len(self._ended)

    def _count_taken(self) -> int:
        """Return how many jobs the scheduler took whose end was not seen."""
        return len(self.active) - self.under_way

    def _start(self, members: list[Member], cores: float) -> bool:
        """Write a submission and send it on its way; return whether that was possible."""
        try:
            files = self.owner.write(members)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in PASSING:
                self._hold(members, f"its scripts could not be written: {error}")
            else:
                self._fail(members, f"its scripts could not be written: {error}")
            return False
        submission = Submission(members, files, self.scheduler, cores)
        try:
            self.journal.note_submitting(files, self.scheduler.name, [member.ticket for member in members])
        except OSError as error:
            self.journal.note_ended(files)
            files.remove()
            self._hold(members, f"the journal could not be written: {error}")
            return False
        self.active[files.name] = submission
        self.under_way += 1
        self.errands.send(lambda: self._hand_over(submission), lambda result: self._take_answer(submission, result))
        return True

    def _hand_over(self, submission: Submission) -> str:
        """Submit; this takes its time, and runs in a thread of its own."""
        self.journal.sync()
        files = submission.files
        return self.scheduler.submit(self.command, files.submission_script, files.scheduler_log)

    def _take_answer(self, submission: Submission, answer: str | SchedulerError) -> None:
        self.under_way -= 1
        if isinstance(answer, SchedulerError):
            # a command that fails may have submitted all the same; then the job runs, or will find itself taken back
            if submission.files.take_back():
                self._refuse(submission, answer)
                return
            answer = submission.files.started_id()
        submission.id = answer
        submission.move(Phase.LIVE)
        self.journal.note_submitted(submission.files, submission.id)
        self.gate.note_taken(self._count_taken())
        self._announce(submission)

    def _announce(self, submission: Submission) -> None:
        """Tell Snakemake and its user under which id jobs were submitted."""
        members = submission.members
        names = ", ".join(str(member.job.jobid) for member in members)
        log = show_path(submission.files.log)
        self.logger.info(f"divvy: submitted job{'s' * (len(members) > 1)} {names} as {submission.name}, log: {log}")
        for member in members:
            member.info.external_jobid = submission.id

    # --- what was not taken

    def _refuse(self, submission: Submission, error: SchedulerError) -> None:
        """Keep jobs that the scheduler did not take for another try, or give them up."""
        submission.move(Phase.REFUSED)
        del self.active[submission.files.name]
        self.journal.note_ended(submission.files)
        submission.files.remove()
        members, reason = submission.members, self.scheduler.classify(error)
        if reason in (Refusal.FULL, Refusal.AWAY):
            self._hold(members, str(error), is_full=reason is Refusal.FULL)
        elif reason is Refusal.REFUSED:
            self._fail(members, f"{self.scheduler.name} refused it: {error}", submission)
        else:
            self._try_later(submission, error)

    def _hold(self, members: list[Member], complaint: str, is_full: bool = False) -> None:
        """Put jobs back to the front of those that wait, until the scheduler takes some again."""
        if not self.gate.complaint:
            state = "is full" if is_full else "cannot be reached"
            self.logger.warning(f"divvy: {self.scheduler.name} {state}, jobs wait until it takes them: {complaint}")
        self.waiting.appendleft(members)
        if is_full:
            self.gate.note_full(self._count_occupied(), complaint)
        else:
            self.gate.note_away(complaint)

    def _try_later(self, submission: Submission, error: SchedulerError) -> None:
        members = submission.members
        tries = members[0].tries + 1
        if tries == TRIES:
            self._fail(members, f"could not be submitted in {tries} tries: {error}", submission)
            return
        delay = RETRY * 2 ** (tries - 1)
        self.logger.warning(f"divvy: a submission failed and is tried again in {delay:g} s: {error}")
        for member in members:
            member.tries = tries
        self.later.append((time.monotonic() + delay, members))

    def _give_up(self) -> None:
        """Let waiting jobs fail if the scheduler has taken none for too long while nothing runs."""
        now = time.monotonic()
        if self.active:
            self._had_jobs = now
        if not self.waiting or now < max(self.gate.closed_at, self._had_jobs) + self.times.outage:
            return
        waiting, self.waiting = self.waiting, deque()
        reason = f"no job could be submitted for {self.times.outage / 60:g} minutes: {self.gate.complaint}"
        for members in waiting:
            self._fail(members, reason)

    def _fail(self, members: Iterable[Member], reason: str, submission: Submission | None = None) -> None:
        for member in members:
            self.owner.report_failure(member, Failure("not submitted", reason), submission)
