"""What is wrong with the inputs of a run, as data: errors that stop it, and warnings that may be no mistake at all."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from divvy_coverage.errors import listing
from divvy_coverage.files import replacing

COLUMNS = ("sample_name", "row", "kind", "problem")


@dataclass(frozen=True)
class Problem:
    """Something wrong with one sample or, without a name, with several or with what they share."""

    sample: str  # its name as the sheet has it; "" if the problem is not of a single sample
    row: int | None  # of the sample in the sheet, from 1, the header not counted; None if not of a single sample
    kind: str  # the group that messages list it in: "paths", "genome" …
    severity: Literal["error", "warning"]
    text: str  # what was expected, what was found, and what to do

    @property
    def place(self) -> str:
        """Return what messages call the sample: 'x' (row 3)."""
        return f"{self.sample!r} (row {self.row})" if self.row else self.sample


def list_by_kind(problems: Iterable[Problem]) -> str:
    """List problems in groups, one per line."""
    groups: dict[str, list[str]] = {}
    for problem in problems:
        groups.setdefault(problem.kind, []).append(": ".join(filter(None, (problem.place, problem.text))))
    return "".join(f"\n{kind} ({len(lines)}):{listing(lines)}" for kind, lines in groups.items())


def write_problems(problems: Sequence[Problem], path: Path) -> None:
    """Write a table with one row per problem (COLUMNS, tab-separated)."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((p.sample, p.row, p.kind, " ".join(p.text.split())) for p in problems)


def read_problems(path: Path) -> list[dict[str, str]]:
    """Read the table that `write_problems` wrote, each row by column; nothing if there is no such file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))
