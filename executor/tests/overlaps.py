"""Whether a job ever ran twice at the same time, as Slurm's accounting tells."""

import itertools
import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from one_host_slurm import OneHostSlurm

TOLERANCE = 1  # seconds: accounting has whole ones, and a job that finds itself taken back ends within one
# what a node notes when a job has ended and Slurm's controller is away
UNTOLD = re.compile(r"^\[([^]]+)\] \[(\d+)\.batch\] Retrying job complete RPC", re.MULTILINE)
FIELDS = ("JobIDRaw", "WorkDir", "Start", "End", "State", "JobName")


@dataclass(frozen=True)
class Allocation:
    """A job of Slurm that has started; times in whole seconds since 1970, `end` is None while it runs."""

    id: str
    folder: str
    start: int
    end: int | None
    state: str
    name: str

    @property
    def members(self) -> set[str]:
        """What it makes: rule and wildcards of each job in it, as its name has them."""
        rule, dot, names = self.name.partition(".")
        return {f"{rule}{dot}{name}" for name in names.split("+")}

    def __str__(self) -> str:
        return f"job {self.id} ({self.name}, {self.state}, {self.start} to {self.end})"


def read_allocations(text: str) -> list[Allocation]:
    """Read what sacct prints about FIELDS; jobs that never started are left out."""
    found = []
    for line in text.splitlines():
        id, folder, start, end, state, name = line.split("|", len(FIELDS) - 1)
        if start.isdigit():
            found.append(Allocation(id, folder, int(start), int(end) if end.isdigit() else None, state, name))
    return found


def read_untold_ends(log: str) -> dict[str, int]:
    """Return when jobs, by their ids, had ended at the latest that a node could not tell of at once, from its log."""
    found: dict[str, int] = {}
    for when, id in UNTOLD.findall(log):
        found.setdefault(id, math.ceil(datetime.fromisoformat(when).timestamp()))
    return found


def correct_end(allocation: Allocation, untold: Mapping[str, int]) -> Allocation:
    """Return an allocation with its end by the node's log where accounting has only when the controller came back."""
    end = untold.get(allocation.id, math.inf)
    return replace(allocation, end=int(end)) if allocation.start <= end < _end(allocation) else allocation


def find_overlaps(allocations: Iterable[Allocation]) -> list[tuple[Allocation, Allocation]]:
    """Return pairs of allocations that made the same thing in the same folder at the same time."""
    return [
        (one, other)
        for one, other in itertools.combinations(allocations, 2)
        if one.folder == other.folder
        and one.members & other.members
        and min(_end(one), _end(other)) - max(one.start, other.start) > TOLERANCE
    ]


def _end(allocation: Allocation) -> float:
    return float("inf") if allocation.end is None else allocation.end


def list_allocations(slurm: OneHostSlurm, folder: Path) -> list[Allocation]:
    """Return all allocations of jobs that were submitted in a folder or below; requeued jobs have several."""
    command = ["sacct", "--allocations", "--duplicates", "--noheader", "--parsable2", "--starttime=now-1days"]
    said = slurm.run("env", "SLURM_TIME_FORMAT=%s", *command, f"--format={','.join(FIELDS)}")
    allocations = [each for each in read_allocations(said) if Path(each.folder).is_relative_to(folder)]
    untold: dict[str, int] = {}
    for log in slurm.root.glob("slurmd-*.log"):
        untold |= read_untold_ends(log.read_text(errors="replace"))
    return [correct_end(each, untold) for each in allocations]


def describe_overlaps(slurm: OneHostSlurm, folder: Path, seconds: float = 20) -> list[str]:
    """Return the overlaps of a folder's jobs, none of which may be in the queue any more.

    Accounting learns of a job's end somewhat later than the queue.
    """
    end = time.monotonic() + seconds
    allocations = list_allocations(slurm, folder)
    while any(each.end is None for each in allocations) and time.monotonic() < end:
        time.sleep(0.2)
        allocations = list_allocations(slurm, folder)
    return [f"at the same time: {one} and {other}" for one, other in find_overlaps(allocations)]
