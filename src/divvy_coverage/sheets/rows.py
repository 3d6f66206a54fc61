"""The rows of a sample sheet, which are those of a plain table, or what a PEP makes of them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divvy_coverage.errors import UserError
from divvy_coverage.sheets.tables import Table, read_table

NAME_COLUMN = "sample_name"  # unless a PEP names another one


@dataclass(frozen=True)
class Row:
    """A row of the sample table with all that the PEP adds to it."""

    number: int  # from 1, in lines below the header
    name: str
    attributes: dict[str, list[str]]  # without the name; no value has blanks around it
    unfilled: dict[str, str]  # derived attribute -> why it is as it was


@dataclass(frozen=True)
class Sheet:
    """The rows of a sample sheet, in the order of the sample table."""

    rows: list[Row]
    name_column: str
    folder: Path  # relative paths start here
    notes: list[str]  # what of the tables is not used


def read_plain_sheet(path: Path) -> Sheet:
    """Read a sample table (CSV, TSV) that no PEP adds anything to. Raises UserError if it cannot be used as a whole."""
    table = read_sample_table(path, str(path))
    if NAME_COLUMN not in table.columns:
        raise UserError(explain_missing_names(path, NAME_COLUMN, table.columns))
    rows = []
    for number, cells in table.rows:
        attributes = {column: get_values(cell) for column, cell in cells.items()}
        rows.append(Row(number, " ".join(attributes.pop(NAME_COLUMN)), attributes, {}))
    return Sheet(rows, NAME_COLUMN, find_folder(path), table.notes)


def read_sample_table(sheet: Path, path: str) -> Table:
    """Read the sample table of a sheet; UserError if it has no rows."""
    table = read_table(path)
    if not table.rows:
        raise UserError(f"{sheet}: expected at least one sample, found none; the sample table holds no rows")
    return table


def find_folder(sheet: Path) -> Path:
    """Return the folder where relative paths in a sheet start, which is the one of its file, as for peppy."""
    return Path(os.path.realpath(sheet)).parent if sheet.is_symlink() else sheet.parent


def get_values(value: Any) -> list[str]:
    """Return the values of an attribute without blanks around them, and without those that are empty."""
    values = value if isinstance(value, list) else [value]
    return [text for v in values if v is not None and (text := str(v).strip())]


def explain_missing_names(sheet: Path, name: str, columns: Iterable[str]) -> str:
    """Say that there is no column with the names of the samples."""
    found = ", ".join(map(repr, columns))
    return (
        f"{sheet}: no column {name!r}, which has to hold the names of the samples; found: {found}"
        " (sample_table_index in the PEP names another column)"
    )
