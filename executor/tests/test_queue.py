"""The queue of submissions, with schedulers that say what a test lets them say."""

import errno
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.utils import TargetSpec

from snakemake_executor_plugin_divvy import submissions as module
from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.journal import Entry, Journal
from snakemake_executor_plugin_divvy.journal import journal as journal_module
from snakemake_executor_plugin_divvy.packs import Member
from snakemake_executor_plugin_divvy.packs.notes import write_note
from snakemake_executor_plugin_divvy.provenance import Ticket
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, Scheduler, SchedulerError, State
from snakemake_executor_plugin_divvy.schedulers.record import Unknown
from snakemake_executor_plugin_divvy.submissions import Failure, Timing, submitter, watch
from snakemake_executor_plugin_divvy.submissions import queue as queue_module
from snakemake_executor_plugin_divvy.submissions.gate import Gate
from snakemake_executor_plugin_divvy.submissions.submission import TRANSITIONS, Phase, Submission, TransitionError

Answer = dict[str, State] | SchedulerError
AT_ONCE = Timing(query=0.0)


@dataclass
class Owner:
    """Notes what the queue reports."""

    folder: Path
    state: Path
    done: list[str] = field(default_factory=list)
    lost: list[tuple[str, str, str]] = field(default_factory=list)
    written: int = 0
    cannot_write: OSError | None = None

    def write(self, members: list[Member]) -> JobFiles:
        if self.cannot_write:
            raise self.cannot_write
        self.written += 1
        return JobFiles(self.folder, self.state, f"s{self.written}")

    def report_success(self, member: Member, submission: Any) -> None:
        self.done.append(member.job.jobid)

    def report_failure(self, member: Member, failure: Failure, submission: Any = None) -> None:
        self.lost.append((member.job.jobid, *failure))

    def is_recorded(self, member: Member) -> bool:
        return member.job.jobid in self.done

    def prepare_again(self, member: Member) -> bool:
        return True

    def wake(self) -> None:
        pass


class Queue:
    """A queue whose scheduler gives the answers that the test puts into `says`."""

    def __init__(
        self,
        folder: Path,
        kind: Scheduler = SCHEDULERS["slurm"],
        cores: float = math.inf,
        times: Timing = AT_ONCE,
    ) -> None:
        self.says: Answer = {}
        self.asked: list[Sequence[str]] = []
        self.refuses: Callable[[int], SchedulerError | None] = lambda number: None
        self.submitted = 0
        self.canceled: list[str] = []
        self.cancel_fails = ""
        self.journal = Journal(folder / "state", "run")
        self.owner = Owner(folder / "logs", self.journal.state)
        names = "name commands query final pending stuck reasons full away refused"
        fields = {name: getattr(kind, name) for name in names.split()}
        self.scheduler = self._scheduler(type(kind), fields)
        self.queue = module.Queue(self.owner, self.scheduler, "submit", self.journal, logging.getLogger(), cores, times)

    def _scheduler(self, kind: type[Scheduler], fields: dict[str, Any]) -> Scheduler:
        outer = self

        class Scripted(kind):
            def submit(self, command: str, script: Path, log: Path | None = None) -> str:
                outer.submitted += 1
                if error := outer.refuses(outer.submitted):
                    raise error
                return str(outer.submitted)

            def states(self, ids: Sequence[str]) -> dict[str, State]:
                outer.asked.append(ids)
                if isinstance(outer.says, SchedulerError):
                    raise outer.says
                return {job: state for job, state in outer.says.items() if job in ids}

            def cancel_jobs(self, ids: Sequence[str]) -> None:
                outer.canceled += ids
                if outer.cancel_fails:
                    raise SchedulerError(outer.cancel_fails)

        return Scripted(**fields)

    def make(self, name: str, pack: int = 1) -> Member:
        job = SimpleNamespace(
            name="job",
            jobid=name,
            attempt=1,
            threads=1,
            resources={"pack": pack},
            is_group=lambda: False,
            get_target_spec=lambda: [TargetSpec("job", {"name": name})],
        )
        return Member(SubmittedJobInfo(job), Ticket((name,), "digest", {}, 1), pack)

    def add(self, *names: str, pack: int = 1) -> list[Member]:
        members = [self.make(name, pack) for name in names]
        self.queue.add(members)
        return members

    def adopt(self, *members: Member, id: str = "99", stale: bool = False) -> JobFiles:
        """Let the queue watch a submission of an earlier run, which has started."""
        files = JobFiles(self.owner.folder, self.journal.state, f"old{id}")
        files.start.write_text(f"1 {id} host 1\n")
        tickets = [member.ticket for member in members]
        self.journal.note_submitting(files, "slurm", tickets)
        for member in members:
            self.queue.adopt(Entry(files, "slurm", time.time(), tuple(tickets), id), member, stale)
        for submission in self.queue.active.values():
            submission.scheduler = self.scheduler
        return files

    def look(self, times: int = 1) -> None:
        """Look, and let all that is sent on errands come back each time."""
        for _ in range(times):
            self.queue.look()
            while self.queue.errands.under_way:
                time.sleep(0.002)
                self.queue.errands.collect()

    def ends(self, number: int | str, status: int) -> None:
        name = number if isinstance(number, str) else f"s{number}"
        (self.journal.state / "ends" / name).write_text(f"{status} {time.time():.0f}\n")

    def starts(self, number: int, id: str = "", **ended: int | None) -> None:
        """Let a submission start and, of a pack, these jobs, with the exit statuses of those that have ended."""
        path = self.journal.state / f"s{number}.start"
        path.write_text(f"1 {id or number} host 1\n")
        for name, status in ended.items():
            job = self.make(name).job
            write_note(path, job)
            if status is not None:
                write_note(path, job, status)


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(queue_module, "UNANSWERED", 0.5)
    monkeypatch.setattr(queue_module, "CANCELING", 1.0)
    return Queue(tmp_path)


RUNNING, PENDING = State("RUNNING"), State("PENDING")
UNKNOWN_SAID = "ended without an exit status (slurm: no longer known)"


def test_success_is_the_exit_status_whatever_the_scheduler_says(queue: Queue) -> None:
    queue.add("a", "b")
    queue.says = {"1": RUNNING, "2": State("COMPLETED")}
    queue.look(3)
    queue.ends(1, 0)
    queue.look(5)
    assert queue.owner.done == ["a"]
    assert queue.owner.lost == [("b", "unknown", "ended without an exit status (slurm: COMPLETED)")]
    assert not queue.queue


def test_a_failure_waits_a_moment_for_its_reason(queue: Queue) -> None:
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look(2)
    queue.ends(1, 137)
    queue.look(3)
    assert not queue.owner.lost
    queue.says = {"1": State("OUT_OF_MEMORY", "OutOfMemory")}
    queue.look(2)
    assert queue.owner.lost == [("a", "OUT_OF_MEMORY", "exit status 137 (slurm: OUT_OF_MEMORY, OutOfMemory)")]


def test_a_failure_without_a_reason_is_reported_all_the_same(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "REASON", 0.2)
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look(2)
    queue.ends(1, 3)
    queue.look()
    time.sleep(0.3)
    queue.look()
    assert queue.owner.lost == [("a", "exit status 3", "exit status 3")]


def test_a_job_that_is_put_back_is_followed(queue: Queue) -> None:
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look(2)
    queue.ends(1, 143)
    queue.says = {"1": State("PENDING", "BeginTime")}
    queue.look(5)
    queue.says = {"1": RUNNING}
    queue.look(5)
    queue.ends(1, 0)
    queue.look()
    assert (queue.owner.done, queue.owner.lost) == (["a"], [])


@pytest.mark.parametrize("silence", [{}, SchedulerError("away")])
def test_two_silent_answers_are_not_believed(queue: Queue, silence: Answer) -> None:
    names = list(map(str, range(200)))
    queue.add(*names)
    queue.says = dict.fromkeys((str(n) for n in range(1, 201)), RUNNING)
    while len(queue.asked[-1:] and queue.asked[-1]) < 200:
        queue.look()
    queue.says = silence
    queue.look(2)
    queue.says = {str(n): RUNNING for n in range(1, 201)}
    queue.look(3)
    assert not queue.owner.lost
    assert [len(ids) for ids in queue.asked[-5:]] == [200] * 5  # one command for all
    for number in range(1, 201):
        queue.ends(number, 0)
    queue.look()
    assert len(queue.owner.done) == 200


def test_a_job_that_nobody_knows_any_more_is_canceled_and_then_given_up(queue: Queue) -> None:
    queue.add("a")
    queue.look()
    queue.starts(1)
    queue.look(3)
    assert not queue.owner.lost
    queue.look(1)
    assert queue.canceled == ["1"]
    assert not queue.owner.lost
    queue.look(4)
    assert queue.owner.lost == [("a", "unknown", UNKNOWN_SAID)]


def test_a_job_that_nobody_knows_and_that_has_not_started_never_will(queue: Queue) -> None:
    queue.add("a")
    queue.look(6)
    assert queue.owner.lost == [("a", "unknown", UNKNOWN_SAID)]
    assert queue.canceled == ["1"]
    assert not JobFiles(queue.owner.folder, queue.journal.state, "s1").has_started()
    assert "taken-back" in (queue.journal.state / "s1.start").read_text()


def test_what_was_canceled_is_waited_for_until_it_has_gone(queue: Queue) -> None:
    """A job of an earlier run that does something else still runs: the new one must not run beside it."""
    queue.adopt(queue.make("a"), stale=True)
    queue.says = {"99": RUNNING}
    queue.look(20)
    assert queue.canceled[:1] == ["99"]
    assert queue.submitted == 0
    queue.says = {"99": State("CANCELLED")}
    queue.look(3)
    assert queue.submitted == 1
    queue.ends(1, 0)
    queue.look(2)
    assert (queue.owner.done, queue.owner.lost) == (["a"], [])


def test_a_stale_job_that_ends_well_meanwhile_is_stale_all_the_same(queue: Queue) -> None:
    queue.adopt(queue.make("a"), stale=True)
    queue.ends("old99", 0)
    queue.look(2)
    assert queue.owner.done == []
    assert queue.submitted == 1


def test_the_verdict_on_another_job_is_not_believed(queue: Queue) -> None:
    """What the command printed is another job's id: the job itself was told its own."""
    queue.add("a")
    queue.says = {"1": State("COMPLETED"), "77": RUNNING}
    queue.look()
    queue.starts(1, id="77")
    queue.look(5)
    assert queue.owner.lost == []
    assert queue.asked[-1] == ["77"]
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]


def test_slow_file_systems_get_their_time(tmp_path: Path) -> None:
    queue = Queue(tmp_path, times=Timing(query=0.0, latency=0.5))
    queue.add("a")
    queue.says = {"1": State("COMPLETED")}
    queue.look(4)
    assert not queue.owner.lost
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]


def test_queries_back_off_while_nothing_changes_and_when_they_fail(tmp_path: Path) -> None:
    queue = Queue(tmp_path, times=Timing(query=1.0))
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look(2)
    seen = queue.queue.watch
    waits = []
    for _ in range(12):
        seen._asked_at -= 100
        queue.look()
        waits.append(seen._interval)
    assert waits == sorted(waits)
    assert waits[0] < 3
    assert waits[-1] == 6
    seen.note_change()
    assert seen._interval == 1
    queue.says = SchedulerError("away")
    seen._asked_at -= 100
    queue.look()
    assert seen._interval == 2


def test_a_query_that_hangs_holds_up_nothing(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(type(queue.scheduler), "states", lambda self, ids: hanging.wait(30) and {})
    queue.add("a", "b")
    begin = time.monotonic()
    while queue.submitted < 2:
        queue.queue.look()
    time.sleep(0.1)
    queue.ends(1, 0)
    queue.queue.look()
    queue.queue.look()
    assert queue.owner.done == ["a"]
    left = queue.queue.cancel()
    assert time.monotonic() - begin < 10
    assert [submission.id for submission in left] == []  # the other had not started
    hanging.set()


def test_a_job_that_may_wait_forever_is_reported_once(queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    queue.add("a", "b")
    queue.says = dict.fromkeys("12", State("PENDING", "PartitionTimeLimit"))
    queue.look(6)
    assert caplog.text.count("may stay in the queue forever (slurm: PENDING, PartitionTimeLimit)") == 1


def test_a_submission_that_fails_is_tried_again_and_then_fails_alone(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitter, "RETRY", 0.0)
    queue.refuses = lambda number: SchedulerError("who knows") if number != 2 else None
    queue.says = {"2": RUNNING}
    queue.add("a", "b")
    queue.look(9)
    assert queue.owner.lost == [("a", "not submitted", "could not be submitted in 4 tries: who knows")]
    assert queue.submitted == 5
    queue.ends(2, 0)
    queue.look()
    assert queue.owner.done == ["b"]


def test_what_the_scheduler_refuses_for_good_is_tried_once(queue: Queue) -> None:
    queue.refuses = lambda number: SchedulerError("invalid partition specified: x") if number == 1 else None
    queue.add("a", "b")
    queue.look(4)
    assert queue.owner.lost == [("a", "not submitted", "slurm refused it: invalid partition specified: x")]
    assert queue.submitted == 2


def test_jobs_wait_for_a_scheduler_that_is_full(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes three: no more are tried until some have ended, and few are tried in vain."""
    monkeypatch.setattr(submitter, "SETTLING", 0.0)
    running: set[int] = set()
    refused = []

    def refuse(number: int) -> SchedulerError | None:
        if len(running) == 3:
            refused.append(number)
            return SchedulerError("QOSMaxSubmitJobPerUserLimit")
        running.add(number)
        return None

    queue.refuses = refuse
    queue.add(*map(str, range(30)))
    while len(queue.owner.done) < 27:
        queue.says = dict.fromkeys(map(str, running), RUNNING)
        queue.look()
        if len(running) == 3:
            id = str(
                running.pop()
            )  # of those under way together, the first that was written need not be the first taken
            queue.ends(next(name for name, each in queue.queue.active.items() if each.id == id), 0)
    assert queue.owner.lost == []
    assert len(refused) <= 12  # two for each five that were taken


def test_jobs_wait_for_a_scheduler_that_is_away_and_then_for_a_limited_time(tmp_path: Path) -> None:
    queue = Queue(tmp_path, times=Timing(query=0.0, outage=0.3))
    queue.says = {"1": RUNNING}
    queue.refuses = lambda number: SchedulerError("Unable to contact slurm controller") if number > 1 else None
    queue.add("a", "b", "c")
    queue.look(4)
    tried = queue.submitted
    time.sleep(0.5)
    queue.look(3)
    assert queue.submitted == tried <= 3
    assert not queue.owner.lost  # a job still runs
    queue.ends(1, 0)
    queue.look(2)
    assert not queue.owner.lost  # it has just ended
    time.sleep(0.5)
    queue.look()
    said = "no job could be submitted for 0.005 minutes: Unable to contact slurm controller"
    assert sorted(queue.owner.lost) == [("b", "not submitted", said), ("c", "not submitted", said)]


def test_jobs_wait_while_the_disk_is_full_but_not_for_a_folder_that_cannot_be_written(queue: Queue) -> None:
    queue.owner.cannot_write = OSError(errno.ENOSPC, "No space left on device")
    queue.add("a")
    queue.look(2)
    assert not queue.owner.lost
    queue.owner.cannot_write = None
    queue.queue.submitter.gate._probe_at = 0.0
    queue.look()
    assert queue.submitted == 1
    queue.owner.cannot_write = PermissionError(errno.EACCES, "Permission denied")
    queue.add("b")
    queue.look()
    assert [(name, word) for name, word, _ in queue.owner.lost] == [("b", "not submitted")]


def test_a_submission_that_only_seemed_to_fail_is_not_made_twice(queue: Queue) -> None:
    """The command fails, but the job is there and has started."""

    def late(number: int) -> SchedulerError:
        queue.starts(number, id="55")
        return SchedulerError("Socket timed out")

    queue.refuses = late
    queue.says = {"55": RUNNING}
    queue.add("a")
    queue.look(5)
    assert queue.submitted == 1
    assert queue.asked[-1] == ["55"]
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]


def test_a_file_system_that_fails_for_a_while_is_survived(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look(2)
    queue.ends(1, 0)

    def fail(path: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    with monkeypatch.context() as patch:
        patch.setattr(watch.os, "scandir", fail)
        queue.look(3)
    assert (queue.owner.done, queue.owner.lost) == ([], [])
    queue.look()
    assert queue.owner.done == ["a"]


def test_the_jobs_of_a_pack_end_each_for_itself(queue: Queue) -> None:
    queue.add(*"abcde", pack=5)
    queue.says = {"1": RUNNING}
    queue.look(2)
    assert queue.submitted == 1
    queue.starts(1, a=0, b=0, c=None)
    queue.says = {"1": State("TIMEOUT", "TimeLimit")}
    queue.look(2)
    assert queue.owner.done == ["a", "b"]
    said = "ended without an exit status (slurm: TIMEOUT, TimeLimit)"
    assert queue.owner.lost == [("c", "TIMEOUT", said)]
    queue.look()
    assert queue.submitted == 2
    queue.ends(2, 0)
    queue.look()
    assert queue.owner.done == ["a", "b", "d", "e"]


def test_a_job_of_a_pack_has_failed_whatever_the_others_did(queue: Queue) -> None:
    """Its outputs may be there all the same, so they tell nothing."""
    queue.add(*"abc", pack=5)
    queue.says = {"1": RUNNING}
    queue.look(2)
    queue.starts(1, a=0, b=1, c=0)
    queue.ends(1, 1)
    queue.says = {"1": State("FAILED")}
    queue.look(2)
    assert queue.owner.done == ["a", "c"]
    assert queue.owner.lost == [("b", "exit status 1", "exit status 1")]


def test_a_pack_that_never_got_to_a_job_is_not_submitted_forever(queue: Queue) -> None:
    queue.says = {"1": State("NODE_FAIL")}
    queue.add(*"abc", pack=5)
    queue.look(6)
    assert [name for name, *_ in queue.owner.lost] == ["a", "b", "c"]
    assert queue.submitted == 1


def test_no_more_cores_are_used_than_there_are(tmp_path: Path) -> None:
    queue = Queue(tmp_path, cores=2)
    queue.add(*"abcdef")
    queue.says = dict.fromkeys(map(str, range(9)), RUNNING)
    queue.look(5)
    assert queue.submitted == 2
    queue.ends(1, 0)
    queue.look()
    assert queue.submitted == 3


def test_packs_leave_no_core_idle(tmp_path: Path) -> None:
    queue = Queue(tmp_path, cores=4)
    queue.add(*"abcdefghij", pack=100)
    queue.says = dict.fromkeys("1234", RUNNING)
    queue.look(4)
    assert [len(submission.members) for submission in queue.queue.active.values()] == [3, 3, 3, 1]


def test_a_job_of_an_earlier_run_that_is_dead_is_submitted_again(queue: Queue) -> None:
    queue.adopt(queue.make("a"))
    queue.look(8)
    assert not queue.owner.lost
    assert queue.submitted == 1
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]


def test_a_job_of_an_earlier_run_that_fails_has_failed(queue: Queue) -> None:
    files = queue.adopt(queue.make("a"))
    queue.says = {"99": RUNNING}
    queue.look(2)
    queue.ends(files.name, 3)
    queue.says = {"99": State("FAILED", "NonZeroExitCode")}
    queue.look(2)
    assert queue.owner.lost == [("a", "exit status 3", "exit status 3")]
    assert queue.submitted == 0


def test_files_of_a_job_stay_until_snakemake_has_recorded_its_end(queue: Queue) -> None:
    """A run that is killed in between must find it again."""
    queue.add("a")
    queue.look()
    queue.owner.report_success = lambda member, submission: None  # type: ignore[method-assign]
    queue.starts(1)
    queue.ends(1, 0)
    queue.look(2)
    assert (queue.journal.state / "ends" / "s1").exists()
    assert queue.queue
    queue.owner.done.append("a")
    queue.look()
    assert sorted(path.name for path in queue.journal.state.rglob("*")) == ["ends", "journal.jsonl"]
    assert not queue.queue


def test_without_a_scheduler_a_silent_job_is_given_up_in_the_end(tmp_path: Path) -> None:
    queue = Queue(tmp_path, SCHEDULERS["unknown"], times=Timing(query=0.0, lost=0.5))
    assert isinstance(queue.queue.scheduler, Unknown)
    queue.add("a", "b")
    queue.says = dict.fromkeys("12", State("UNKNOWN"))
    queue.look(5)
    assert not queue.owner.lost
    queue.ends(1, 0)
    time.sleep(0.6)
    queue.look(3)
    assert queue.owner.done == ["a"]
    assert [(name, word) for name, word, _ in queue.owner.lost] == [("b", "unknown")]


# --- canceling


def test_canceling_takes_back_what_has_not_started(queue: Queue) -> None:
    queue.says = {"1": RUNNING, "2": PENDING}
    queue.add("a", "b")
    queue.look(3)
    queue.starts(1)
    queue.add("c")
    queue.says = {"1": State("CANCELLED"), "2": State("CANCELLED")}
    assert queue.queue.cancel() == []
    assert sorted(queue.canceled) == ["1", "2"]
    assert queue.submitted == 2
    assert "taken-back" in (queue.journal.state / "s2.start").read_text()
    assert not queue.queue.active
    queue.journal.close(keep=False)
    assert not queue.journal.state.exists()


@pytest.mark.parametrize("answer", [{"1": RUNNING}, SchedulerError("away")])
def test_a_cancellation_that_failed_is_not_forgotten(queue: Queue, answer: Answer) -> None:
    queue.says = {"1": RUNNING}
    queue.add("a")
    queue.look(2)
    queue.starts(1)
    queue.says, queue.cancel_fails = answer, "scancel: error: away"
    assert [submission.id for submission in queue.queue.cancel()] == ["1"]
    queue.journal.close(keep=False)
    assert "ended" not in (queue.journal.state / "journal.jsonl").read_text()


@pytest.mark.parametrize(("fails", "left"), [("", []), ("scancel: error: away", ["1", "2"])])
def test_what_was_taken_back_is_left_unless_the_scheduler_has_canceled_it(
    queue: Queue, fails: str, left: list[str]
) -> None:
    """It would do nothing, but stays in the queue."""
    queue.says = dict.fromkeys("12", PENDING)
    queue.add("a", "b")
    queue.look(3)
    queue.cancel_fails = fails
    hurry = threading.Event()
    threading.Timer(1, hurry.set).start()
    began = time.monotonic()
    assert sorted(submission.id for submission in queue.queue.cancel(hurry)) == left
    assert time.monotonic() - began < 5
    assert all(
        files.is_taken_back for files in (JobFiles(queue.owner.folder, queue.journal.state, n) for n in ("s1", "s2"))
    )


def test_who_is_in_a_hurry_leaves_what_is_being_canceled_and_submitted(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, hurry = threading.Event(), threading.Event()
    queue.says = {"1": RUNNING}
    queue.add("a")
    queue.look(2)
    queue.starts(1)
    monkeypatch.setattr(type(queue.scheduler), "submit", lambda *_: str(hanging.wait(30)))
    monkeypatch.setattr(type(queue.scheduler), "cancel_jobs", lambda *_: hanging.wait(30))
    queue.add("b")
    queue.queue.look()
    hurry.set()
    assert [submission.id for submission in queue.queue.cancel(hurry)] == ["1", ""]
    queue.journal.close(keep=False)
    assert "ended" not in (queue.journal.state / "journal.jsonl").read_text()
    hanging.set()


def test_what_has_ended_is_not_canceled_and_stays_known_until_it_is_recorded(queue: Queue) -> None:
    queue.says = {"1": RUNNING, "2": RUNNING}
    queue.add("a", "b")
    queue.look(3)
    queue.ends(1, 0)
    queue.says = {"2": State("CANCELLED")}
    assert queue.queue.cancel() == []
    assert queue.canceled == ["2"]
    queue.journal.close(keep=False)
    assert (queue.journal.state / "ends" / "s1").exists()


def test_of_a_job_that_ended_well_only_the_status_stays_until_that_is_recorded(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[str] = []
    monkeypatch.setattr(queue.owner, "is_recorded", lambda member: member.job.jobid in recorded)
    queue.says = {"1": RUNNING}
    queue.add("a")
    queue.look(3)
    queue.starts(1)
    files = queue.queue.active["s1"].files
    files.job_script.touch()
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]
    assert [path.exists() for path in (files.job_script, files.start, files.status)] == [False, False, True]
    recorded.append("a")
    queue.look()
    assert not files.status.exists()


def test_what_ended_well_in_a_pack_that_failed_stays_known_until_it_is_recorded(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[str] = []
    monkeypatch.setattr(queue.owner, "is_recorded", lambda member: member.job.jobid in recorded)
    members = [queue.make(name, pack=3) for name in "abc"]
    queue.queue.add(members)
    queue.look(3)
    queue.starts(1, a=0, b=None)
    queue.ends(1, 1)
    queue.says = {"1": State("FAILED")}
    queue.look(4)
    assert queue.owner.done == ["a"]
    assert [name for name, *_ in queue.owner.lost] == ["b"]

    def list_known() -> list[str]:
        _, entries = journal_module._read(queue.journal.state)
        return [output for entry in entries if entry.files.name == "s1" for output in sorted(entry.outputs)]

    assert list_known() == list(members[0].ticket.outputs)
    recorded.append("a")
    queue.look()
    assert list_known() == []


@pytest.mark.parametrize("exit", [None, 1])
def test_what_ended_well_in_a_pack_that_is_canceled_is_for_the_next_run(queue: Queue, exit: int | None) -> None:
    members = [queue.make(name, pack=3) for name in "abc"]
    queue.queue.add(members)
    queue.says = {"1": RUNNING}
    queue.look(3)
    queue.starts(1, a=0, b=1)
    if exit is not None:
        queue.ends(1, exit)
    queue.says = {"1": State("CANCELLED")}
    assert queue.queue.cancel() == []
    queue.journal.close(keep=False)
    _, (entry,) = journal_module._read(queue.journal.state)
    assert entry.outputs == set(members[0].ticket.outputs)


# --- the gate


def test_the_gate_opens_a_little_at_a_time_and_probes_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    gate, probes = Gate(), []
    assert [gate.admit(0, under_way) for under_way in (0, 1)] == [True, False]
    gate.note_away("away")
    while now[0] < 2000:
        now[0] += 1
        if gate.admit(0, 0):
            probes.append(now[0])
            gate.note_away("away")
    waits = [after - before for before, after in zip([0.0, *probes], probes, strict=False)]
    assert waits[:7] == [5, 10, 20, 40, 80, 160, 300]
    assert set(waits[7:]) == {300}


def test_refusals_of_what_was_under_way_together_close_the_gate_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    gate = Gate()
    for taken in range(8):
        gate.note_taken(taken + 1)
    assert gate.admit(8, 7)
    for _ in range(8):
        gate.note_away("away")
    now[0] = 4.9
    assert not gate.admit(8, 0)
    now[0] = 5.1
    assert gate.admit(8, 0)


def test_a_job_that_is_taken_for_one_that_ended_does_not_open_a_full_gate_wider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    gate = Gate()
    gate.note_full(5, "full")
    now[0] = 6
    for running in (1, 2):  # the other ones have ended, but may still be counted
        assert gate.admit(5, 0)
        gate.note_taken(running)
        assert not gate.admit(5, 1)
    assert gate.admit(4, 0)
    assert gate.admit(5, 0)
    gate.note_taken(6)
    assert gate.admit(11, 0)
    assert gate.admit(10, 1)


# --- phases


def test_every_phase_follows_another_and_ends_lead_nowhere() -> None:
    assert {Phase.NEW}.union(*TRANSITIONS.values()) == set(Phase)
    assert set(Phase) - set(TRANSITIONS) == {Phase.DONE, Phase.FAILED, Phase.REFUSED}


@pytest.mark.parametrize("before", Phase)
@pytest.mark.parametrize("after", Phase)
def test_only_transitions_of_the_table_are_possible(tmp_path: Path, before: Phase, after: Phase) -> None:
    submission = Submission([], JobFiles(tmp_path, tmp_path, "s1"), SCHEDULERS["slurm"], phase=before)
    if after in TRANSITIONS.get(before, ()):
        submission.move(after)
        assert submission.phase is after
    else:
        with pytest.raises(TransitionError, match=f"s1: {before.name} is not followed by {after.name}"):
            submission.move(after)
        assert submission.phase is before


def test_the_table_in_the_documentation_is_the_one_that_holds() -> None:
    rows = re.findall(r"^    ([A-Z_]+)  .*  ((?:[A-Z_]+, )*[A-Z_]+)$", Phase.__doc__ or "", re.MULTILINE)
    assert {row[0]: set(row[1].split(", ")) for row in rows} == {
        phase.name: {each.name for each in following} for phase, following in TRANSITIONS.items()
    }
