"""What is wrong with the inputs of a run, as data: errors that stop it, and warnings that may be no mistake at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from divvy_coverage.errors import listing
from divvy_coverage.files import Row, read_table, write_table_if_changed

COLUMNS = ("sample_name", "row", "kind", "problem")


@dataclass(frozen=True)
class Problem:
    """Something wrong with one sample or, without a name and a row, with several or with what they share."""

    sample: str  # its name as the sheet has it; "" if the problem is not of a single sample
    row: int | None  # of the sample in the sheet, from 1, in lines below the header; None if not known
    kind: str  # the group that messages list it in: "paths", "genome" …
    severity: Literal["error", "warning"]
    text: str  # what was expected, what was found, and what to do

    @property
    def place(self) -> str:
        """What messages call the sample: 'x' (row 3); empty if the problem is not of a single sample."""
        if self.row is None:
            return repr(self.sample) if self.sample else ""
        return f"{self.sample!r} (row {self.row})"

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.place, self.text)))


def select_errors(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that are errors."""
    return [problem for problem in problems if problem.severity == "error"]


def select_warnings(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that are warnings."""
    return [problem for problem in problems if problem.severity == "warning"]


def list_by_kind(problems: Iterable[Problem]) -> str:
    """List problems in groups, each below its kind; further lines of a text are indented below the first."""
    groups: dict[str, list[str]] = {}
    for problem in problems:
        groups.setdefault(problem.kind, []).append(str(problem).replace("\n", "\n    "))
    return "".join(f"\n{kind} ({len(lines)}):{listing(lines)}" for kind, lines in groups.items())


def write_problems(problems: Sequence[Problem], path: Path) -> None:
    """Write a table with one row per problem (COLUMNS, tab-separated), only if its content changed."""
    rows = [(p.sample, p.row, p.kind, " ".join(p.text.split())) for p in problems]
    write_table_if_changed(path, [COLUMNS, *rows])


def read_problems(path: Path) -> list[Row]:
    """Read the table that `write_problems` wrote, each row by column; nothing if there is no such file.

    Raises
    ------
    UserError
        For another table, or for a file that cannot be read.
    """
    return [row for _, row in read_table(path, "problems", COLUMNS)] if path.is_file() else []
