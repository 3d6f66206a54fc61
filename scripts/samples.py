"""Sample sheets: resolve a PEP (peppy) into one plain table, a line a sample, that jobs read without peppy.

The table is tab-separated: `sample_name`, `bam`, then the sheet's other attributes. An attribute with several values
(a subsample table) holds them one a line within its cell.
"""

import argparse
import csv
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from common import UserError, listing, run, write_if_changed

NAME = re.compile(r"[A-Za-z0-9._-]+")
ROW_NAMES = "region"  # the first column of the matrix
NAME_RULE = f"names may hold only A-Z a-z 0-9 . _ - and must not be {ROW_NAMES!r}"
WILDCARD = re.compile(r"\{\s*\w+.*\}")
LEFTOVER = re.compile(r"\{[^{}]*\}|\$\w+|\$\{\w+\}")

Sample = dict[str, list[str]]  # attribute -> its values, in sheet order


def read_pep(pep: Path, amendments: Sequence[str] = (), bam: str = "bam") -> list[Sample]:
    """Resolve a PEP, or a plain CSV or TSV sheet, into samples in sheet order.

    `bam` is the attribute that holds the alignment files; in the result it is called `bam`, and its paths are
    relative to the current folder, as `pep` is. Raises UserError naming every sample that cannot be used.
    """
    rows, name_column, repeated = _load(pep, amendments)
    if not rows:
        raise UserError(
            f"{pep}: expected at least one sample, found none; is sample_table set and the sheet not empty?"
        )
    problems = [f"{name!r}: {count} rows have this name; names must be unique" for name, count in repeated]
    samples = []
    for number, row in enumerate(rows, start=1):
        sample, problem = _sample(row, name_column, bam, pep.parent)
        samples.append(sample)
        if problem:
            problems.append(f"{sample['sample_name'][0]!r} (row {number}): {problem}")
    if problems:
        raise UserError(f"{pep}: {len(problems)} problems in a sheet of {len(rows)} samples:{listing(problems)}")
    return samples


def write_table(samples: Sequence[Sample], path: Path) -> None:
    """Write the table, only if its content changed."""
    columns = list(dict.fromkeys(key for sample in samples for key in sample))
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["\n".join(sample.get(column, [])) for column in columns] for sample in samples)
    write_if_changed(path, text.getvalue().encode())


def read_table(path: Path) -> list[Sample]:
    """Read the table that `write_table` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: v.split("\n") if v else [] for k, v in row.items()} for row in csv.DictReader(file, delimiter="\t")]


def _load(pep: Path, amendments: Sequence[str]) -> tuple[list[dict[str, Any]], str, list[tuple[str, int]]]:
    """Return the rows that peppy resolves, the name column, and the names that several rows of the sheet share."""
    if not pep.is_file():
        raise UserError(f"{pep}: no such file; set `pep` in the configuration to a PEP (YAML) or a sample sheet (CSV)")
    from peppy import Project  # it costs a second

    try:
        project = Project(str(pep), amendments=list(amendments) or None)
    except Exception as error:  # peppy raises whatever its parsers do
        raise UserError(f"{pep}: cannot be read as a PEP: {type(error).__name__}: {error}") from error
    rows = [sample.to_dict() for sample in project.samples]
    sheet: Any = project["_sample_df"] if rows else []
    if len(rows) == len(sheet):
        return rows, project.st_index, []
    # peppy merges rows of the same name, which hides a mistake
    names = Counter(str(name) for name in sheet.get(project.st_index, ()))
    repeated = [(name, count) for name, count in names.items() if count > 1]
    return rows, project.st_index, repeated


def _sample(row: dict[str, Any], name_column: str, bam: str, folder: Path) -> tuple[Sample, str]:
    """Return a row as a sample, and what is wrong with it ("" if nothing is)."""
    attributes = {str(key): _values(value) for key, value in row.items() if not str(key).startswith("_")}
    name = " ".join(attributes.pop(name_column, []))
    paths = [located(value, folder) for value in attributes.get(bam, [])]
    sample = {"sample_name": [name], "bam": paths}
    sample |= {key: values for key, values in attributes.items() if key not in (*sample, bam)}
    if not name.strip():
        return sample, f"no name; fill the column {name_column}"
    if not NAME.fullmatch(name) or name == ROW_NAMES:
        return sample, NAME_RULE
    if bam not in attributes:
        has = ", ".join(attributes) or "no other"
        return sample, f"no attribute {bam!r}; set samples.bam in the configuration to the one with the BAM: {has}"
    if not paths:
        return sample, f"the attribute {bam!r} is empty; give the path of a BAM file"
    return sample, "; ".join(filter(None, (_file_problem(path, bam) for path in paths)))


def _values(value: Any) -> list[str]:
    values: Iterable[Any] = value if isinstance(value, list) else [value]
    return [str(v) for v in values if v is not None and str(v).strip()]


def located(path: str, folder: Path) -> str:
    """Return a path of the sheet, which is relative to `folder`, relative to the current folder and without `..`."""
    joined = os.path.join(folder, os.path.expanduser(path))
    plain = os.path.normpath(joined)
    return plain if os.path.realpath(plain) == os.path.realpath(joined) else joined


def _file_problem(path: str, attribute: str) -> str:
    if "\n" in path:
        return f"{attribute}: a path must not hold a line break: {path!r}"
    if Path(path).is_file():
        if wildcard := WILDCARD.search(path):
            return f"{attribute}: Snakemake takes {wildcard.group()} for a wildcard; rename or link it: {path}"
        return "" if os.access(path, os.R_OK) else f"{attribute}: not readable: {path}"
    if leftover := LEFTOVER.search(path):
        return f"{attribute}: {leftover.group()} was not filled: {path}"
    if any(character in path for character in "*?["):
        return f"{attribute}: no file matches {path}"
    return f"{attribute}: {'a folder, not a file' if Path(path).is_dir() else 'no such file'}: {path}"


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: resolve a PEP into a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--pep", type=Path, required=True, help="project configuration (YAML) or sample sheet (CSV, TSV)"
    )
    parser.add_argument("--amendments", nargs="*", default=[], help="amendments of the PEP to activate")
    parser.add_argument("--bam", default="bam", help="attribute with the alignment files (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="table, rewritten only if it changed")
    args = parser.parse_args(argv)
    write_table(read_pep(args.pep, args.amendments, args.bam), args.out)


if __name__ == "__main__":
    sys.exit(run(main))
