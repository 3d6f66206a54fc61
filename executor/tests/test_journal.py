"""The journal: what a run leaves behind that was killed."""

import errno
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.journal import NAME, Entry, Journal, lease
from snakemake_executor_plugin_divvy.provenance import Ticket

TICKETS = [
    Ticket(("a.txt",), "digest a", {}, 1),
    Ticket(("b.txt", "b.log"), "digest b", {"x": "1"}, 2),
]
DEAD = {"host": "elsewhere", "boot": "long ago", "pid": 1, "birth": "1"}


def begin(root: Path, run: str) -> Journal:
    return Journal(root, run)


def die(journal: Journal, owner: dict[str, object] = DEAD) -> None:
    """Let go of a journal as the end of its process on another host does, long ago."""
    journal._heartbeat.ended.set()
    for folder, records in journal._records.items():
        records.close()
        path = folder / NAME
        path.write_text(path.read_text() + json.dumps({"owner": owner}) + "\n")
        os.utime(path, (1, 1))


def submit(journal: Journal, folder: Path, name: str = "run.1", id: str | None = "17") -> JobFiles:
    files = JobFiles(folder / "logs", journal.state, name)
    journal.note_submitting(files, "slurm", TICKETS)
    if id:
        journal.note_submitted(files, id)
    return files


def test_what_has_not_ended_is_found_again(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    files = submit(first, tmp_path)
    gone = submit(first, tmp_path, "run.2", "18")
    first.note_ended(gone)
    die(first)
    second = begin(tmp_path, "2")
    entry = second.find(["b.log"])
    assert entry is not None
    assert time.time() - 60 < entry.time <= time.time()
    assert entry == Entry(files, "slurm", entry.time, tuple(TICKETS), "17")
    assert second.find(["c.txt"]) is None
    second.note_ended(files)
    die(second)
    third = begin(tmp_path, "3")
    assert not third.left
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


def test_the_jobs_of_a_pack_end_each_for_itself(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    files = submit(first, tmp_path)
    die(first)
    second = begin(tmp_path, "2")
    second.note_ended(files, TICKETS[:1])
    assert second.find(["a.txt"]) is None
    assert second.find(["b.txt"]) is not None
    die(second)
    third = begin(tmp_path, "3")
    assert third.find(["a.txt"]) is None
    entry = third.find(["b.txt"])
    assert entry is not None
    assert entry.tickets == (TICKETS[1],)
    third.note_ended(files, TICKETS[1:])
    assert not third.left


def test_a_run_that_was_killed_while_it_wrote(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    submit(first, tmp_path, id=None)
    path = first.state / NAME
    die(first)
    path.write_text(path.read_text() + json.dumps({"submitted": "run.1", "id": "17"})[:-5])
    os.utime(path, (1, 1))
    second = begin(tmp_path, "2")
    entry = second.find(["a.txt"])
    assert entry is not None
    assert entry.id == ""
    second.note_submitted(entry.files, "17")
    die(second)
    entry = begin(tmp_path, "3").find(["a.txt"])
    assert entry is not None
    assert entry.id == "17"


def test_a_run_that_lives_is_left_alone_and_its_jobs_are_known(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    files = submit(first, tmp_path)
    second = begin(tmp_path, "2")
    assert second.find(["a.txt"]) is None
    assert second.find_elsewhere(["a.txt"]) == first.state
    assert second.find_elsewhere(["c.txt"]) is None
    first.note_ended(files)
    assert second.find_elsewhere(["a.txt"]) is None
    second.close(keep=False)
    assert first.state.exists()
    assert not second.state.exists()


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on many parallel file systems."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(lease.fcntl, "flock", refuse)


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_process_of_this_host_is_known_to_live(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    submit(first, tmp_path)
    second = begin(tmp_path, "2")
    assert second.find_elsewhere(["a.txt"]) == first.state


@pytest.mark.usefixtures("without_locks")
def test_without_locks_the_dead_process_of_this_host_is_known_to_be_dead(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    submit(first, tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    owner = dict(lease.describe_owner()) | {"pid": dead.pid}
    dead.wait()
    die(first, owner)
    os.utime(first.state / NAME)  # just now
    assert begin(tmp_path, "2").find(["a.txt"]) is not None


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize("lives", [True, False])
def test_without_locks_a_run_of_another_host_lives_if_its_heart_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lives: bool
) -> None:
    monkeypatch.setattr(lease, "OVERDUE", 4.0)
    monkeypatch.setattr(lease, "HEARTBEAT", 0.5)
    first = begin(tmp_path, "1")
    submit(first, tmp_path)
    if not lives:
        die(first)
    path = first.state / NAME
    path.write_text(path.read_text() + json.dumps({"owner": DEAD}) + "\n")  # touched just now
    second = begin(tmp_path, "2")
    assert (second.find_elsewhere(["a.txt"]) is not None) == lives
    assert (second.find(["a.txt"]) is not None) != lives


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    os.umask(0o022)
    journal = begin(tmp_path, "1")
    submit(journal, tmp_path)
    assert stat.S_IMODE(journal.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((journal.state / NAME).stat().st_mode) == 0o600


def test_a_folder_is_kept_for_people_if_something_failed(tmp_path: Path) -> None:
    journal = begin(tmp_path, "1")
    journal.close(keep=True)
    assert (tmp_path / "1").exists()


def test_a_folder_is_kept_while_something_may_run(tmp_path: Path) -> None:
    journal = begin(tmp_path, "1")
    submit(journal, tmp_path)
    assert journal.close(keep=False) == []
    assert (tmp_path / "1").exists()


def test_what_nobody_asks_for_is_told_in_the_end_unless_it_has_ended(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    submit(first, tmp_path)
    ended = submit(first, tmp_path, "run.2", "18")
    ended.status.write_text("0 1\n")
    die(first)
    second = begin(tmp_path, "2")
    assert [entry.id for entry in second.close(keep=False)] == ["17"]
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    die(second)
    assert list(begin(tmp_path, "3").left) == ["run.1"]


def test_a_full_disk_delays_what_is_written_and_loses_nothing(small_disk: Path) -> None:
    journal = begin(small_disk, "1")
    files = submit(journal, small_disk)
    fill = small_disk / "fill"
    with suppress_full(), fill.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    with suppress_full():  # the last block of the journal is not full yet
        for _ in range(100):
            submit(journal, small_disk, "run.2", None)
        raise AssertionError("expected that no more can be written")
    journal.note_ended(files)
    assert "No space left" in journal.flush()
    fill.unlink()
    assert journal.flush() == ""
    die(journal)
    assert list(begin(small_disk, "2").left) == ["run.2"]


class suppress_full:  # noqa: N801
    """Suppress that there is no space left, and nothing else."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        return isinstance(error, OSError) and error.errno == errno.ENOSPC
