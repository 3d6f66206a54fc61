"""Samples, and the table of them that all jobs read.

The table is tab-separated with one row per sample: `sample_name`, `bam`, `peaks` if a sample has some, then the other
attributes of the sheet. An attribute with several values (of a subsample table) holds them one per line within its
cell.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from divvy_coverage.errors import UserError
from divvy_coverage.files import write_if_changed

NAME, FILES, PEAKS = "sample_name", "bam", "peaks"  # the first columns of the table
LINE_BREAK = re.compile(r"[\r\n]+")


@dataclass(frozen=True)
class Sample:
    """A sample of the sheet: its name, its files, and the values of each other attribute.

    `files` are its alignment files and `peaks` its peak files, with paths relative to the folder where Snakemake runs.
    """

    name: str
    files: Sequence[str] = ()
    peaks: Sequence[str] = ()
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def write_samples(samples: Sequence[Sample], path: Path) -> None:
    """Write the table, only if its content changed. Line breaks within a value become blanks."""
    attributes = dict.fromkeys(key for sample in samples for key in sample.attributes)
    with_peaks = any(sample.peaks for sample in samples)
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow([NAME, FILES, *([PEAKS] if with_peaks else []), *attributes])
    for sample in samples:
        files = [sample.files, *([sample.peaks] if with_peaks else [])]
        cells = [*files, *(sample.attributes.get(attribute, []) for attribute in attributes)]
        writer.writerow([sample.name, *("\n".join(LINE_BREAK.sub(" ", value) for value in cell) for cell in cells)])
    write_if_changed(path, text.getvalue().encode())


def read_samples(path: Path) -> list[Sample]:
    """Read the table that `write_samples` wrote; any table with a column `sample_name` will do. Raises UserError."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, delimiter="\t")
            columns = list(reader.fieldnames or [])
            rows = [{key: value.split("\n") if value else [] for key, value in row.items()} for row in reader]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table of samples: {error}; run the workflow, or give another table") from error
    if NAME not in columns:
        raise UserError(f"{path}: expected a column {NAME}, found {', '.join(columns) or 'an empty file'}")
    return [Sample("".join(row.pop(NAME)), row.pop(FILES, []), row.pop(PEAKS, []), row) for row in rows]
