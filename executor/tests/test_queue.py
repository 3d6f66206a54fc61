"""The queue of submissions, with schedulers that say what a test lets them say."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from snakemake_executor_plugin_divvy import queue as module
from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.journal import Journal, Ticket
from snakemake_executor_plugin_divvy.packs import Member
from snakemake_executor_plugin_divvy.queue import Limits
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, Scheduler, SchedulerError, State
from snakemake_executor_plugin_divvy.schedulers.record import Unknown
from snakemake_executor_plugin_divvy.submission import TRANSITIONS, Phase, Submission, TransitionError
from snakemake_executor_plugin_divvy.watch import Failure, Patience

Answer = dict[str, State] | SchedulerError
AT_ONCE = Patience(interval=0.0)


@dataclass
class Owner:
    """Notes what the queue reports."""

    folder: Path
    state: Path
    outcomes: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    lost: list[tuple[str, str, str]] = field(default_factory=list)
    written: int = 0

    def write(self, members: list[Member]) -> JobFiles:
        self.written += 1
        return JobFiles(self.folder, self.state, f"s{self.written}")

    def report_success(self, member: Member, submission: Any) -> None:
        self.done.append(member.ticket.key)

    def report_failure(self, member: Member, failure: Failure, submission: Any = None) -> None:
        self.lost.append((member.ticket.key, *failure))

    def find_outcome(self, member: Member) -> str:
        return self.outcomes[member.ticket.key]


class Queue:
    """A queue whose scheduler gives the answers that the test puts into `says`."""

    def __init__(
        self,
        folder: Path,
        kind: Scheduler = SCHEDULERS["slurm"],
        limits: Limits | None = None,
        patience: Patience = AT_ONCE,
    ) -> None:
        self.says: Answer = {}
        self.asked: list[Sequence[str]] = []
        self.refuses: Callable[[int], SchedulerError | None] = lambda number: None
        self.submitted = 0
        self.canceled: list[str] = []
        self.journal = Journal(folder / "state", "run", 0.0)
        self.owner = Owner(folder / "logs", self.journal.state)
        fields = {
            name: getattr(kind, name) for name in ("name", "commands", "query", "final", "pending", "stuck", "reasons")
        }
        scheduler = self._scheduler(type(kind), fields)
        self.queue = module.Queue(
            self.owner, scheduler, "submit", self.journal, logging.getLogger(), limits or Limits(), patience
        )

    def _scheduler(self, kind: type[Scheduler], fields: dict[str, Any]) -> Scheduler:
        outer = self

        class Scripted(kind):
            def submit(self, command: str, script: Path) -> str:
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

        return Scripted(**fields)

    def add(self, *keys: str, share: int = 1) -> list[Member]:
        members = []
        for key in keys:
            job = SimpleNamespace(
                name="job", jobid=key, attempt=1, threads=1, resources={"pack": share}, is_group=lambda: False
            )
            members.append(Member(SubmittedJobInfo(job), Ticket(key, "digest", key), Fraction(1, share)))
        self.queue.add(members)
        return members

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.queue.watch.ask_soon()
            self.queue.look()

    def ends(self, number: int, status: int) -> None:
        (self.journal.state / f"s{number}.status").write_text(f"{status} {time.time():.0f}\n")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


RUNNING, PENDING = State("RUNNING"), State("PENDING")


def test_success_is_the_exit_status_whatever_the_scheduler_says(queue: Queue) -> None:
    queue.add("a", "b")
    queue.says = {"1": RUNNING, "2": State("COMPLETED")}
    queue.look()
    queue.ends(1, 0)
    queue.look(5)
    assert queue.owner.done == ["a"]
    assert queue.owner.lost == [("b", "unknown", "ended without an exit status (slurm: COMPLETED)")]
    assert not queue.queue


def test_a_failure_waits_a_moment_for_its_reason(queue: Queue) -> None:
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look()
    queue.ends(1, 137)
    queue.look(3)
    assert not queue.owner.lost
    queue.says = {"1": State("OUT_OF_MEMORY", "OutOfMemory")}
    queue.look()
    assert queue.owner.lost == [("a", "OUT_OF_MEMORY", "exit status 137 (slurm: OUT_OF_MEMORY, OutOfMemory)")]


def test_a_failure_without_a_reason_is_reported_all_the_same(tmp_path: Path) -> None:
    queue = Queue(tmp_path, patience=Patience(interval=0.0, reason=0.2))
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look()
    queue.ends(1, 3)
    queue.look()
    time.sleep(0.3)
    queue.look()
    assert queue.owner.lost == [("a", "exit status 3", "exit status 3")]


def test_a_job_that_is_put_back_is_followed(queue: Queue) -> None:
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look()
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
    queue.add(*map(str, range(200)))
    queue.says = silence
    queue.look(2)
    queue.says = {str(n): RUNNING for n in range(1, 201)}
    queue.look(3)
    assert not queue.owner.lost
    assert {len(ids) for ids in queue.asked} == {200}  # one command for all
    for number in range(1, 201):
        queue.ends(number, 0)
    queue.look()
    assert len(queue.owner.done) == 200


def test_a_job_that_nobody_knows_any_more_is_given_up(queue: Queue) -> None:
    queue.add("a")
    queue.look(2)
    assert not queue.owner.lost
    queue.look(2)
    assert queue.owner.lost == [("a", "unknown", "ended without an exit status (slurm: no longer known)")]


def test_slow_file_systems_get_their_time(tmp_path: Path) -> None:
    queue = Queue(tmp_path, patience=Patience(interval=0.0, grace=0.5))
    queue.add("a")
    queue.says = {"1": State("COMPLETED")}
    queue.look(3)
    assert not queue.owner.lost
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]


def test_queries_back_off_while_nothing_changes_and_when_they_fail(tmp_path: Path) -> None:
    queue = Queue(tmp_path, patience=Patience(interval=1.0))
    queue.add("a")
    queue.says = {"1": RUNNING}
    queue.look()
    waits = []
    for _ in range(12):
        queue.look()
        waits.append(round(queue.queue.watch.next_query - time.monotonic(), 1))
    assert waits == sorted(waits)
    assert waits[0] < 2
    assert 5 < waits[-1] < 6.1
    queue.says = SchedulerError("away")
    queue.look()
    assert queue.queue.watch.next_query - time.monotonic() > 1


def test_a_job_that_may_wait_forever_is_reported_once(queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    queue.add("a", "b")
    queue.says = dict.fromkeys("12", State("PENDING", "PartitionTimeLimit"))
    queue.look(3)
    assert caplog.text.count("may stay in the queue forever (slurm: PENDING, PartitionTimeLimit)") == 1


def test_a_submission_that_fails_is_tried_again_and_then_fails_alone(tmp_path: Path) -> None:
    queue = Queue(tmp_path, limits=Limits(first_delay=0.0))
    queue.refuses = lambda number: SchedulerError("no such partition") if number != 2 else None
    queue.add("a", "b")
    queue.says = {"2": RUNNING}
    queue.look(5)
    assert queue.owner.lost == [("a", "not submitted", "could not be submitted in 4 tries: no such partition")]
    assert queue.submitted == 5
    queue.ends(2, 0)
    queue.look()
    assert queue.owner.done == ["b"]


def test_a_submission_that_only_seemed_to_fail_is_not_made_twice(queue: Queue) -> None:
    """The command fails, but the job is there and has started."""

    def late(number: int) -> SchedulerError:
        (queue.journal.state / f"s{number}.start").write_text("1\n")
        return SchedulerError("Socket timed out")

    queue.refuses = late
    queue.add("a")
    queue.look(5)
    assert queue.submitted == 1
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]


def test_the_jobs_of_a_pack_end_each_for_itself(queue: Queue) -> None:
    queue.add(*"abcde", share=5)
    queue.says = {"1": RUNNING}
    queue.look()
    assert queue.submitted == 1
    queue.owner.outcomes = {"a": "done", "b": "done", "c": "started", "d": "waiting", "e": "waiting"}
    queue.says = {"1": State("TIMEOUT", "TimeLimit")}
    queue.look()
    assert queue.owner.done == ["a", "b"]
    said = "ended without an exit status (slurm: TIMEOUT, TimeLimit)"
    assert queue.owner.lost == [("c", "TIMEOUT", said)]
    assert queue.submitted == 2
    queue.ends(2, 0)
    queue.look()
    assert queue.owner.done == ["a", "b", "d", "e"]


def test_a_pack_that_never_got_to_a_job_is_not_submitted_forever(queue: Queue) -> None:
    queue.add(*"abc", share=5)
    queue.says = {"1": State("NODE_FAIL")}
    queue.look()
    queue.owner.outcomes = dict.fromkeys("abc", "waiting")
    queue.look(5)
    assert [key for key, *_ in queue.owner.lost] == ["a", "b", "c"]
    assert queue.submitted == 1


def test_no_more_cores_are_used_than_there_are(tmp_path: Path) -> None:
    queue = Queue(tmp_path, limits=Limits(cores=2))
    queue.add(*"abcdef")
    queue.says = dict.fromkeys(map(str, range(9)), RUNNING)
    queue.look(3)
    assert queue.submitted == 2
    queue.ends(1, 0)
    queue.look()
    assert queue.submitted == 3


def test_packs_leave_no_core_idle(tmp_path: Path) -> None:
    queue = Queue(tmp_path, limits=Limits(cores=4))
    queue.add(*"abcdefghij", share=100)
    queue.look()
    assert [len(s.members) for s in queue.queue.active] == [3, 3, 3, 1]


def test_a_job_of_an_earlier_run_that_is_dead_is_submitted_again(queue: Queue) -> None:
    (member,) = queue.add("a")
    queue.queue.new.clear()
    files = JobFiles(queue.owner.folder, queue.journal.state, "old")
    queue.journal.note_submitting(files, "slurm", [member.ticket])
    queue.journal.note_submitted(files, "99")
    queue.queue.adopt(SimpleNamespace(files=files, id="99", time=time.time()), member)
    queue.look(4)
    assert not queue.owner.lost
    assert queue.submitted == 1
    queue.ends(1, 0)
    queue.look()
    assert queue.owner.done == ["a"]


def test_a_job_of_an_earlier_run_that_fails_has_failed(queue: Queue) -> None:
    (member,) = queue.add("a")
    queue.queue.new.clear()
    files = JobFiles(queue.owner.folder, queue.journal.state, "old")
    queue.queue.adopt(SimpleNamespace(files=files, id="99", time=time.time()), member)
    queue.says = {"99": RUNNING}
    queue.look()
    files.status.write_text("3 1\n")
    queue.says = {"99": State("FAILED", "NonZeroExitCode")}
    queue.look()
    assert queue.owner.lost == [("a", "exit status 3", "exit status 3")]
    assert queue.submitted == 0


def test_without_a_scheduler_a_silent_job_is_given_up_in_the_end(tmp_path: Path) -> None:
    queue = Queue(tmp_path, SCHEDULERS["unknown"], patience=Patience(interval=0.0, lost=0.5))
    assert isinstance(queue.queue.scheduler, Unknown)
    queue.add("a", "b")
    queue.says = dict.fromkeys("12", State("UNKNOWN"))
    queue.look(5)
    assert not queue.owner.lost
    queue.ends(1, 0)
    time.sleep(0.6)
    queue.look()
    assert queue.owner.done == ["a"]
    assert [(key, word) for key, word, _ in queue.owner.lost] == [("b", "unknown")]


def test_canceling_takes_back_what_has_not_started(queue: Queue) -> None:
    queue.add("a", "b")
    queue.look()
    (queue.journal.state / "s1.start").write_text("1\n")
    queue.add("c")
    queue.queue.cancel()
    assert queue.canceled == ["1", "2"]
    assert queue.submitted == 2
    assert (queue.journal.state / "s1.start").read_text() == "1\n"
    assert (queue.journal.state / "s2.start").read_text() == "taken back"
    assert not queue.queue


# --- phases


def test_every_phase_follows_another_and_ends_lead_nowhere() -> None:
    reachable = {Phase.NEW, Phase.LEFT}.union(*TRANSITIONS.values())
    assert reachable == set(Phase)
    assert set(Phase) - set(TRANSITIONS) == {Phase.DONE, Phase.FAILED, Phase.DEAD, Phase.REFUSED, Phase.CANCELED}


@pytest.mark.parametrize("before", Phase)
@pytest.mark.parametrize("after", Phase)
def test_only_transitions_of_the_table_are_possible(tmp_path: Path, before: Phase, after: Phase) -> None:
    submission = Submission([], JobFiles(tmp_path, tmp_path, "s1"), 1, phase=before)
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


def test_what_has_ended_is_not_canceled(queue: Queue) -> None:
    """An executor that fails while it reports ends leaves submissions that are done in the list."""
    queue.add("a", "b")
    queue.look()
    queue.queue.active[0].move(Phase.DONE)
    queue.queue.cancel()
    assert queue.canceled == ["2"]
