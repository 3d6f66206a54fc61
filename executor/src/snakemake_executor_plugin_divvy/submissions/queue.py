"""The queue of submissions: from their first try to their end, with any scheduler."""

import math
import threading
import time
from collections import deque
from typing import Any

from snakemake_executor_plugin_divvy.journal import Entry, Journal
from snakemake_executor_plugin_divvy.packs import Member
from snakemake_executor_plugin_divvy.packs.notes import find_outcomes
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, Scheduler, SchedulerError, States
from snakemake_executor_plugin_divvy.submissions.errands import Errands
from snakemake_executor_plugin_divvy.submissions.submission import (
    Failure,
    Owner,
    Phase,
    Submission,
    group_by_scheduler,
    shorten_ids,
)
from snakemake_executor_plugin_divvy.submissions.submitter import Submitter
from snakemake_executor_plugin_divvy.submissions.timing import CANCEL_AGAIN, CANCELING, UNANSWERED, Timing
from snakemake_executor_plugin_divvy.submissions.watch import Watch, can_be_asked


class Queue:
    """All submissions of a run. `add` may be called from any thread, `look` is called again and again in one.

    `look` and what it calls change submissions, and never wait: what takes its time is sent on errands.
    """

    def __init__(
        self,
        owner: Owner,
        scheduler: Scheduler,
        command: str,
        journal: Journal,
        logger: Any,
        cores: float = math.inf,
        times: Timing | None = None,
    ) -> None:
        """`command` submits a script; jobs may use `cores` at a time."""
        self.owner, self.scheduler, self.journal, self.logger = owner, scheduler, journal, logger
        times = times or Timing()
        self.watch = Watch(times, logger)
        self.errands = Errands(owner.wake)
        self.active: dict[str, Submission] = {}  # by name
        self.submitter = Submitter(owner, scheduler, command, journal, logger, self.errands, self.active, cores, times)
        self.lock = threading.RLock()
        self.new: deque[list[Member]] = deque()
        self.reported: list[Submission] = []  # ended well, and not yet recorded by Snakemake
        self.asking = 0  # schedulers that have not answered yet
        self.stopped = False
        self.complaint = ""  # about files that could not be read or written

    def add(self, members: list[Member]) -> None:
        """Queue jobs; those that can share submissions with each other have to come together."""
        self.new.append(members)  # without the lock: this may be called while a look is under way

    def adopt(self, entry: Entry, member: Member, stale: bool) -> None:
        """Watch a submission of an earlier run; if it is stale for this job, that is submitted again afterwards."""
        with self.lock:
            submission = self.active.get(entry.files.name)
            if submission is None:
                scheduler = SCHEDULERS.get(entry.scheduler, self.scheduler)
                cores, id = self.submitter.count_cores(member), entry.id or entry.files.started_id()
                submission = Submission([], entry.files, scheduler, cores, id, entry.time, Phase.LIVE, left=True)
                self.active[entry.files.name] = submission
            submission.members.append(member)
            if stale:
                submission.stale.add(member)
                self._send_away(submission)

    def __bool__(self) -> bool:
        return bool(self.active or self.submitter or self.new or self.reported)

    def look(self) -> bool:
        """Look after everything once; return whether anything has changed."""
        with self.lock:
            if self.stopped:
                return False
            before = set(self.active)
            collected = self.errands.collect()
            while self.new:
                self.submitter.add(self.new.popleft())
            self._look_after_active()
            self.submitter.submit()
            self.forget_recorded()
            changed = before != set(self.active)
            if changed:
                self.watch.note_change()
            return changed or collected

    def _look_after_active(self) -> None:
        try:
            complaint = self.journal.flush()
            self.watch.read_ends(self.active)
        except OSError as error:
            complaint = str(error)
        if complaint and not self.complaint:
            self.logger.warning(f"divvy: {complaint}; will try again")
        self.complaint = complaint
        for submission in list(self.active.values()):
            self._judge(submission)
        self._cancel_leaving()
        self._ask_schedulers()

    # --- how submissions end

    def _judge(self, submission: Submission) -> None:
        if submission.phase is Phase.NEW:
            return
        if submission.exit == 0:
            self._finish(submission, None)
        elif submission.phase is Phase.LEAVING:
            if self.watch.has_gone(submission) or submission.does_nothing:
                self._finish(submission, submission.failure)
        elif failure := self.watch.find_failure(submission):
            self._end(submission, failure)

    def _end(self, submission: Submission, failure: Failure) -> None:
        """End a submission that seems to have ended, once it can do nothing any more."""
        submission.failure = failure
        if submission.exit is None and not submission.files.take_back() and self._correct_id(submission):
            return
        if submission.exit is None and submission.verdict is None:
            self._send_away(submission)
        else:
            self._finish(submission, failure)

    def _correct_id(self, submission: Submission) -> bool:
        """Take the id that the job itself was told; return whether it is another than was known."""
        number, _, cluster = submission.id.partition(";")
        told = submission.files.started_id()
        if not told or told.partition(".")[0] == number.partition(".")[0]:
            return False
        self.logger.warning(f"divvy: what was taken for {submission.name} is in fact job {told}")
        submission.id = f"{told};{cluster}" if cluster else told
        self.journal.note_submitted(submission.files, submission.id)
        submission.forget()
        return True

    def _send_away(self, submission: Submission) -> None:
        """Have a submission leave the scheduler; one that has not started does nothing any more."""
        if submission.phase is not Phase.LEAVING:
            submission.move(Phase.LEAVING)
            submission.forget()
            submission.harmless = submission.files.take_back()

    def _finish(self, submission: Submission, failure: Failure | None) -> None:
        """Report the end of a submission's jobs, or queue them again."""
        outcomes = self._find_outcomes(submission)
        submission.move(Phase.DONE if submission.exit == 0 else Phase.FAILED)
        del self.active[submission.files.name]
        self.submitter.note_end()
        done: list[Member] = []
        again, failed = [], False
        earlier = submission.left or submission.stale  # what it did not do is no failure of this run
        for member, outcome in zip(submission.members, outcomes, strict=True):
            if member in submission.stale or outcome == "waiting" or (outcome == "started" and earlier):
                again.append(member)
            elif outcome == "done":
                done.append(member)
                self.owner.report_success(member, submission)
            else:
                failed = True
                self.owner.report_failure(member, failure or Failure("unknown", "canceled"), submission)
        self._keep(submission, done) if done else self._forget(submission, keep=failed)
        if again:
            self._queue_again(submission, again)

    def _find_outcomes(self, submission: Submission) -> list[str]:
        """Return what became of each job of a submission."""
        members = submission.members
        if submission.exit == 0:
            return ["done"] * len(members)
        if members[0].pack == 1:
            return ["started"] * len(members)
        return find_outcomes(submission.files.start, [member.job for member in members])

    def _queue_again(self, submission: Submission, members: list[Member]) -> None:
        if submission.stale:
            self.logger.info(f"divvy: {submission.name} of an earlier run has gone")
        elif submission.left:
            self.logger.info(f"divvy: {submission.name} of an earlier run is dead, its jobs are submitted again")
        else:
            count = f"{len(members)} jobs of the pack {submission.id or '(id unknown)'}"
            self.logger.info(f"divvy: {count} had not started and are submitted again")
        self.submitter.add([member for member in members if self.owner.prepare_again(member)])

    def _keep(self, submission: Submission, done: list[Member]) -> None:
        """Keep in the journal which jobs have ended well, until Snakemake has recorded it: a later run may ask."""
        if others := [member.ticket for member in submission.members if member not in done]:
            self.journal.note_ended(submission.files, others)
        submission.members = done
        if submission.id and submission.phase is Phase.DONE:  # by this and its status it is known
            submission.files.remove(but_status=True)
        self.reported.append(submission)

    def forget_recorded(self) -> None:
        """Forget jobs that have ended well, once Snakemake has recorded that."""
        waiting, self.reported = self.reported, []
        for submission in waiting:
            if all(self.owner.is_recorded(member) for member in submission.members):
                self._forget(submission, keep=submission.phase is Phase.FAILED)
            else:
                self.reported.append(submission)

    def _forget(self, submission: Submission, keep: bool) -> None:
        """Close a submission in the journal; `keep` what people may want to look into."""
        self.journal.note_ended(submission.files, [member.ticket for member in submission.members])
        if keep:
            submission.files.remove_inputs()
        elif submission.files.name not in self.journal.left:
            submission.files.remove()

    # --- what is asked and told meanwhile

    def _ask_schedulers(self) -> None:
        asked = [submission for submission in self.active.values() if can_be_asked(submission)]
        if asked and not self.asking and self.watch.must_ask(asked):
            self.watch.note_asked()
            for scheduler, group in group_by_scheduler(asked):
                self._ask(scheduler, [(submission, submission.id) for submission in group])

    def _ask(self, scheduler: Scheduler, asked: list[tuple[Submission, str]]) -> None:
        began = time.monotonic()
        self.asking += 1

        def note(states: States | SchedulerError) -> None:
            self.asking -= 1
            if isinstance(states, SchedulerError):
                self.watch.note_silence(scheduler, states)
            else:
                self.watch.note_answer(asked, states, began)

        self.errands.send(lambda: scheduler.states([id for _, id in asked]), note)

    def _cancel_leaving(self) -> None:
        now = time.monotonic()
        leaving = [each for each in self.active.values() if each.phase is Phase.LEAVING and each.id]
        for scheduler, group in group_by_scheduler(each for each in leaving if each.cancel_at <= now):
            self._cancel(scheduler, group)

    def _cancel(self, scheduler: Scheduler, submissions: list[Submission]) -> None:
        ids = [submission.id for submission in submissions]
        if new := [submission.id for submission in submissions if math.isinf(submission.canceled_at)]:
            self.logger.info(f"divvy: canceling {len(new)} job{'s' * (len(new) > 1)}: {shorten_ids(new)}")
        for submission in submissions:
            submission.cancel_at = math.inf

        def note(error: SchedulerError | None) -> None:
            now = time.monotonic()
            if error:
                self.logger.warning(f"divvy: {scheduler.name} did not cancel all of {shorten_ids(ids)}: {error}")
            for submission in submissions:
                submission.is_canceled = submission.is_canceled or error is None
                submission.cancel_at = now + CANCEL_AGAIN
                submission.canceled_at = min(submission.canceled_at, now)

        self.errands.send(lambda: scheduler.cancel_jobs(ids), note)

    # --- how everything is stopped

    def cancel(self, hurry: threading.Event | None = None) -> list[Submission]:
        """Cancel everything, and wait until it has gone, or somebody is in a hurry.

        Return what may still be there, which the journal keeps for the next run.
        """
        hurry = hurry or threading.Event()
        self.stopped = True  # a look that is under way is the last
        with self.lock:
            began = time.monotonic()
            while self.active and time.monotonic() < began + self._get_patience(began):
                self.errands.collect()
                self.watch.read_ends(self.active)
                for submission in list(self.active.values()):
                    self._stop(submission)
                self._cancel_leaving()
                self._ask_schedulers()
                if hurry.wait(0.1):
                    break
            left = [submission for submission in self.active.values() if not submission.is_settled]
            for submission in set(self.active.values()) - set(left):
                self._forget(submission, keep=False)
            self.active.clear()
            return left

    def _get_patience(self, began: float) -> float:
        """Return how long to wait for what was canceled then: not long if the scheduler does not even answer."""
        return CANCELING if self.watch.answered_at > began else UNANSWERED

    def _stop(self, submission: Submission) -> None:
        """Send a submission away, or close it if it has gone; what ended well is for the next run to find."""
        if submission.exit == 0:
            del self.active[submission.files.name]
        elif submission.exit is None and submission.phase is Phase.LIVE:
            self._send_away(submission)
        elif submission.exit is not None or (submission.phase is Phase.LEAVING and self._is_gone(submission)):
            del self.active[submission.files.name]
            outcomes = zip(submission.members, self._find_outcomes(submission), strict=True)
            done = [member for member, outcome in outcomes if outcome == "done"]
            self._keep(submission, done) if done else self._forget(submission, keep=False)

    def _is_gone(self, each: Submission) -> bool:
        return self.watch.has_gone(each) or (each.harmless and (each.misses > 0 or not can_be_asked(each)))
