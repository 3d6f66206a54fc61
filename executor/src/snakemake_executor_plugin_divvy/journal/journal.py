"""The journal: what was submitted and has not been seen to end, so that a later run finds the jobs of a killed one.

Each run has a folder with its journal (JSON lines, which are only appended to) and the files of its submissions. A
submission is written down before it is made, and its id afterwards: a run that was killed in between leaves one without
an id, which can be taken back as long as it has not started, and which tells its id once it has. What a dead run has
left is taken over; the journal of a run that lives is only read.
"""

import os
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_divvy.jobscript import ENDS, JobFiles
from snakemake_executor_plugin_divvy.journal.lease import Heartbeat, describe_owner, is_alive
from snakemake_executor_plugin_divvy.journal.records import Records, read_records
from snakemake_executor_plugin_divvy.provenance import Ticket

NAME = "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """A submission that has not been seen to end; `id` is "" if the run was killed before it knew it.

    `tickets` are those of its jobs whose end nobody has seen.
    """

    files: JobFiles
    scheduler: str
    time: float
    tickets: tuple[Ticket, ...]
    id: str = ""

    @property
    def outputs(self) -> set[str]:
        """What its jobs make."""
        return {output for ticket in self.tickets for output in ticket.outputs}


class Journal:
    """The journal of this run, and the open submissions of earlier ones.

    Attributes
    ----------
    state
        Folder of this run: the journal, and what the executor works with.
    left
        Open submissions of dead runs, by name.
    foreign
        Folders of other users' runs, which cannot be read.
    """

    def __init__(self, root: Path, run: str) -> None:
        """Begin the journal of `run` in the folder `root`, and take over what dead runs have left there."""
        self.state = root / run
        root.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(mode=0o700)
        (self.state / ENDS).mkdir()
        self.left: dict[str, Entry] = {}
        self.foreign: list[Path] = []
        self._alive: list[Path] = []
        self._outputs: dict[Path, tuple[int, set[str]]] = {}
        self._lock = threading.Lock()
        self._records = {self.state: Records(self.state / NAME)}
        self._open: dict[str, set[str]] = {}  # outputs by name
        self._records[self.state].write({"owner": describe_owner()})
        now = os.stat(self.state / NAME).st_mtime
        for folder in root.iterdir():
            if folder != self.state:
                self._look_at(folder, now)
        self._names = {output: name for name, entry in self.left.items() for output in entry.outputs}
        self._heartbeat = Heartbeat([folder / NAME for folder in self._records])
        self._heartbeat.start()

    def _look_at(self, folder: Path, now: float) -> None:
        """Take over what an earlier run has left, unless it still lives (or is just being born)."""
        try:
            records = Records(folder / NAME, new=False)
            owner, entries = _read(folder)
        except FileNotFoundError:
            return
        except PermissionError:
            self.foreign.append(folder)
            return
        if not records.is_locked or is_alive(owner, folder / NAME, now):
            self._alive.append(folder)
            records.close()
            return
        self._records[folder] = records
        records.write({"owner": describe_owner()})
        self.left |= {entry.files.name: entry for entry in entries}
        if not entries:
            self._forget(folder)

    # --- what this run submits

    def note_submitting(self, files: JobFiles, scheduler: str, tickets: Iterable[Ticket]) -> None:
        """Write down that a submission is about to be made; OSError if that is not possible."""
        tickets = list(tickets)
        jobs = [[t.outputs, t.digest, dict(t.inputs), t.attempt] for t in tickets]
        logs = os.fspath(files.logs)
        record = {"submitting": files.name, "logs": logs, "scheduler": scheduler, "time": time.time(), "jobs": jobs}
        self._open[files.name] = {output for ticket in tickets for output in ticket.outputs}
        with self._lock:
            self._records[self.state].write(record)
            if complaint := self._records[self.state].complaint:
                raise OSError(*complaint)

    def sync(self) -> None:
        """Make sure that what was written is there even if this machine goes down; OSError if that is not possible."""
        self._records[self.state].sync()

    def note_submitted(self, files: JobFiles, id: str) -> None:
        """Write down that a submission was made, or that its id was found."""
        self._write(files, {"submitted": files.name, "id": id})

    def note_ended(self, files: JobFiles, tickets: Iterable[Ticket] | None = None) -> None:
        """Write down that a submission has ended or was never made, for these of its jobs or for all."""
        ended = {output for ticket in tickets or () for output in ticket.outputs}
        entry, others = self.left.pop(files.name, None), self._open.pop(files.name, set()) - ended
        if tickets is not None and entry and (rest := _without(entry, ended)).tickets:
            self.left[files.name] = rest
        elif tickets is not None and others:
            self._open[files.name] = others
        else:
            self._write(files, {"ended": files.name})
            return
        self._write(files, {"ended": files.name, "outputs": sorted(ended)})

    def flush(self) -> str:
        """Write what could not be written before; return why that is still not possible, or ""."""
        with self._lock:
            for records in self._records.values():
                records.flush()
        return next((str(OSError(*r.complaint)) for r in self._records.values() if r.complaint), "")

    # --- what others have submitted

    def find(self, outputs: Iterable[str]) -> Entry | None:
        """Return a submission of a dead run that makes one of these outputs."""
        outputs = list(outputs)
        found = [self.left[self._names[o]] for o in outputs if self._names.get(o) in self.left]
        return next((entry for entry in found if entry.outputs.intersection(outputs)), None)

    def find_elsewhere(self, outputs: Iterable[str]) -> Path | None:
        """Return the folder of a living run that has submitted a job for one of these outputs."""
        wanted = set(outputs)
        return next((folder for folder in self._alive if wanted & self._read_outputs(folder)), None)

    def _read_outputs(self, folder: Path) -> set[str]:
        """Return the outputs of the open jobs of a living run; its journal is read again when it has grown."""
        with suppress(OSError):
            size = (folder / NAME).stat().st_size
            if size != self._outputs.get(folder, (0, set()))[0]:
                self._outputs[folder] = size, {output for entry in _read(folder)[1] for output in entry.outputs}
        return self._outputs.get(folder, (0, set()))[1]

    def close(self, keep: bool) -> list[Entry]:
        """End the journal; return the submissions of earlier runs that may still run and that nobody asked for.

        It is kept for these, for what this run left, and if `keep` says that people may want to look into it.
        """
        for entry in [entry for entry in self.left.values() if entry.files.exit_status() is not None]:
            self.note_ended(entry.files)
        self.flush()
        self._heartbeat.ended.set()
        still_open = {entry.files.state for entry in self.left.values()} | ({self.state} if self._open else set())
        for folder in set() if keep else set(self._records) - still_open:
            self._forget(folder)
        for records in self._records.values():
            records.close()
        return list(self.left.values())

    def _forget(self, folder: Path) -> None:
        self._records.pop(folder).close()
        shutil.rmtree(folder, ignore_errors=True)

    def _write(self, files: JobFiles, record: Mapping[str, Any]) -> None:
        with self._lock:
            self._records[files.state].write(record)


def _without(entry: Entry, outputs: set[str]) -> Entry:
    return replace(entry, tickets=tuple(ticket for ticket in entry.tickets if not outputs.intersection(ticket.outputs)))


def _read(state: Path) -> tuple[Mapping[str, Any], list[Entry]]:
    """Read a journal; return who owns it, and what has not ended."""
    owner: Mapping[str, Any] = {}
    entries: dict[str, Entry] = {}
    for record in read_records(state / NAME):
        name = record.get("submitted", record.get("ended", ""))
        if "owner" in record:
            owner = record["owner"]
        elif "submitting" in record:
            files = JobFiles(Path(record["logs"]), state, record["submitting"])
            tickets = tuple(Ticket(tuple(outputs), *others) for outputs, *others in record["jobs"])
            entries[files.name] = Entry(files, record["scheduler"], record["time"], tickets)
        elif name in entries:
            entry = entries.pop(name)
            if "id" in record:
                entries[name] = replace(entry, id=record["id"])
            elif (others := _without(entry, set(record.get("outputs", entry.outputs)))).tickets:
                entries[name] = others
    return owner, list(entries.values())
