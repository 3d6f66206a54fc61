"""Samples, and the table of them that all jobs read.

The table is tab-separated with one row per sample: `sample_name`, `bam`, `peaks` if the sheet has an attribute for
peak files, then the other attributes of the sheet. An attribute with several values (of a subsample table) holds them
one per line within its cell.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from divvy_coverage.files import Row, read_table, write_table_if_changed
from divvy_coverage.naming import check_name

NAME, FILES, PEAKS = "sample_name", "bam", "peaks"  # the first columns of the table
SEPARATOR = re.compile(r"[\t\r\n]+")  # of the table: no value holds one


@dataclass(frozen=True)
class Sample:
    """A sample of the sheet: its name, its files, and the values of each other attribute.

    Attributes
    ----------
    name
        Unique among the samples.
    files
        Its alignment files; paths are relative to the folder where Snakemake runs.
    peaks
        Its peak files, likewise; None if the sheet has no attribute for them.
    attributes
        The values of each other attribute, in the order of the sheet.
    row
        Its row in the sheet, from 1, in lines below the header; None if not known, as the table does not keep it.
    """

    name: str
    files: Sequence[str] = ()
    peaks: Sequence[str] | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    row: int | None = field(default=None, compare=False)

    def get_columns(self) -> dict[str, Sequence[str]]:
        """Return its values by column of the table, in the order of the columns."""
        peaks = {} if self.peaks is None else {PEAKS: self.peaks}
        return {NAME: [self.name], FILES: self.files, **peaks, **self.attributes}


def write_samples(samples: Sequence[Sample], path: Path) -> None:
    """Write the table, only if its content changed. Tabs and line breaks within a value become blanks."""
    rows = [sample.get_columns() for sample in samples]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [
        ["\n".join(SEPARATOR.sub(" ", value) for value in row.get(column, [])) for column in columns] for row in rows
    ]
    write_table_if_changed(path, [columns, *cells])


def read_samples(path: Path) -> list[Sample]:
    """Read the table that `write_samples` wrote, or any other with a column `sample_name`.

    Raises
    ------
    UserError
        As `read_table` does, and for a name that is not valid.
    """
    rows = read_table(path, "samples", [NAME], "run the workflow, or give another table")
    return [_make_sample(row, f"{path}: line {line}") for line, row in rows]


def _make_sample(row: Row, place: str) -> Sample:
    check_name(row[NAME], place)
    values = {column: cell.split("\n") if cell else [] for column, cell in row.items() if column != NAME}
    return Sample(row[NAME], values.pop(FILES, []), values.pop(PEAKS, None), values)
