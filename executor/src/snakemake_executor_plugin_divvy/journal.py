"""The journal: what was submitted and has not been seen to end, so that a later run finds the jobs of a killed one.

Each run has a folder with its journal (JSON lines, which are only appended to) and the files of its submissions. While
a run lives it holds a lock on its journal; journals that nobody holds are taken over. A submission is written down
before it is made, and its id afterwards: a run that was killed in between leaves one without an id, which nobody can
ask about but which can be taken back as long as it has not started.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from snakemake_executor_plugin_divvy.jobscript import JobFiles

NAME = "journal.jsonl"


@dataclass(frozen=True)
class Ticket:
    """A job of Snakemake in a submission: its name in any run, a digest of what it does, and its marker."""

    key: str
    digest: str
    marker: str


@dataclass(frozen=True)
class Entry:
    """A submission that has not been seen to end; `id` is None if the run was killed before it knew it."""

    files: JobFiles
    scheduler: str
    time: float
    tickets: tuple[Ticket, ...]
    id: str | None = None


class Journal:
    """The journal of this run, and the open submissions of earlier ones."""

    def __init__(self, root: Path, run: str, since: float) -> None:
        """Begin the journal of `run` in the folder `root`, and take over what dead runs have left there.

        What ended before `since` (seconds since 1970) is not taken over: whoever planned after that has seen its
        outputs.
        """
        self.state = root / run
        self.state.mkdir(parents=True)
        self.left: dict[str, Entry] = {}
        self._files: dict[Path, IO[str]] = {}
        own = _open_locked(self.state / NAME, "w")
        assert own is not None, "nobody else has this run's name"
        self._files[self.state] = own
        for folder in root.iterdir():
            if folder != self.state and (folder / NAME).exists():
                self._take_over(folder, since)
        self._names = {ticket.key: name for name, entry in self.left.items() for ticket in entry.tickets}

    def _take_over(self, folder: Path, since: float) -> None:
        """Take over what an earlier run has left, unless it still lives (or is just being born)."""
        file = _open_locked(folder / NAME, "r+")
        if file is None:
            return
        self._files[folder] = file
        entries = list(_read_open_entries(file, folder))
        for entry in entries:
            if _ended_before(entry, since):
                self.note_ended(entry.files)
            else:
                self.left[entry.files.name] = entry
        if not entries:
            self._files.pop(folder)
            shutil.rmtree(folder, ignore_errors=True)

    def note_submitting(self, files: JobFiles, scheduler: str, tickets: list[Ticket]) -> None:
        """Write down that a submission is about to be made."""
        jobs = [[ticket.key, ticket.digest, ticket.marker] for ticket in tickets]
        logs = os.fspath(files.logs)
        record = {"submitting": files.name, "logs": logs, "scheduler": scheduler, "time": time.time(), "jobs": jobs}
        self._write(files, record)

    def note_submitted(self, files: JobFiles, id: str) -> None:
        """Write down that a submission was made."""
        self._write(files, {"submitted": files.name, "id": id})

    def note_ended(self, files: JobFiles) -> None:
        """Write down that a submission has ended, or was never made."""
        self.left.pop(files.name, None)
        self._write(files, {"ended": files.name})

    def find(self, key: str) -> Entry | None:
        """Return the submission of an earlier run that holds this job."""
        return self.left.get(self._names.get(key, ""))

    def close(self, keep: bool) -> None:
        """End the journal; its folder is removed unless it is to be kept for people to look into."""
        for file in self._files.values():
            file.close()
        if not keep:
            shutil.rmtree(self.state, ignore_errors=True)

    def _write(self, files: JobFiles, record: Mapping[str, Any]) -> None:
        file = self._files[files.state]
        file.write(json.dumps(record) + "\n")
        file.flush()


def _open_locked(path: Path, mode: str) -> IO[str] | None:
    """Open a file that no other process has locked, and lock it; None if one has."""
    file = path.open(mode)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        pass  # a file system without locks; then Snakemake's own lock has to do
    return file


def _read_open_entries(file: IO[str], state: Path) -> Iterator[Entry]:
    """Read a journal; yield what has not ended."""
    entries: dict[str, Entry] = {}
    for line in file:
        try:
            record: Mapping[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a run that was killed while writing it
        if "submitting" in record:
            files = JobFiles(Path(record["logs"]), state, record["submitting"])
            tickets = tuple(Ticket(*ticket) for ticket in record["jobs"])
            entries[files.name] = Entry(files, record["scheduler"], record["time"], tickets)
        elif record.get("submitted") in entries:
            entries[record["submitted"]] = replace(entries[record["submitted"]], id=record["id"])
        else:
            entries.pop(record.get("ended", ""), None)
    yield from entries.values()


def _ended_before(entry: Entry, since: float) -> bool:
    try:
        return entry.files.status.stat().st_mtime < since
    except OSError:
        return False
