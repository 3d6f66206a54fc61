"""The journal: what a run leaves behind that was killed."""

import json
import os
import time
from pathlib import Path

from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.journal import NAME, Entry, Journal, Ticket

TICKETS = [Ticket("count:sample=a", "digest a", "marker a"), Ticket("count:sample=b", "digest b", "marker b")]


def begin(root: Path, run: str, since: float = 0.0) -> Journal:
    return Journal(root, run, since)


def die(journal: Journal) -> None:
    """Let go of a journal as the end of its process does."""
    for file in journal._files.values():
        os.close(file.fileno())
    journal._files.clear()


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
    entry = second.find("count:sample=b")
    assert entry is not None
    assert time.time() - 60 < entry.time <= time.time()
    assert entry == Entry(files, "slurm", entry.time, tuple(TICKETS), "17")
    assert second.find("count:sample=c") is None
    second.note_ended(files)
    die(second)
    third = begin(tmp_path, "3")
    assert not third.left
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


def test_a_run_that_was_killed_while_it_wrote(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    submit(first, tmp_path, id=None)
    path = first.state / NAME
    die(first)
    path.write_text(path.read_text() + json.dumps({"submitted": "run.1", "id": "17"})[:-5])
    entry = begin(tmp_path, "2").find("count:sample=a")
    assert entry is not None
    assert entry.id is None


def test_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    submit(first, tmp_path)
    second = begin(tmp_path, "2")
    assert second.find("count:sample=a") is None
    second.close(keep=False)
    assert first.state.exists()
    assert not second.state.exists()


def test_what_ended_before_the_plan_was_made_is_not_taken_over(tmp_path: Path) -> None:
    first = begin(tmp_path, "1")
    files = submit(first, tmp_path)
    files.status.write_text("0 1\n")
    die(first)
    second = begin(tmp_path, "2", since=time.time() - 60)
    assert second.find("count:sample=a") is not None
    die(second)
    third = begin(tmp_path, "3", since=time.time() + 60)
    assert third.find("count:sample=a") is None


def test_a_folder_is_kept_for_people_if_something_failed(tmp_path: Path) -> None:
    journal = begin(tmp_path, "1")
    journal.close(keep=True)
    assert (tmp_path / "1").exists()
