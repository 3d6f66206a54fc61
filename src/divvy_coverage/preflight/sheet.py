"""Sample sheets: resolve a PEP into one plain table, a line a sample, that jobs read without peppy.

The table is tab-separated: `sample_name`, `bam`, `peaks` if the sheet has it, then the sheet's other attributes. An
attribute with several values (a subsample table) holds them one a line within its cell.
"""

import argparse
import csv
import errno
import io
import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from divvy_coverage.command_line import run, warn
from divvy_coverage.errors import UserError, listing
from divvy_coverage.files import write_if_changed

if TYPE_CHECKING:
    from divvy_coverage.preflight.pep import Row, Sheet

NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
ROW_NAMES = "region"  # the first column of the matrix
NAME_RULE = f"names may hold only A-Z a-z 0-9 . _ - (at most 200 of them) and must not be {ROW_NAMES!r}"
INCLUDE = ("1", "true", "yes", "on", "1.0")
LEAVE_OUT = ("0", "false", "no", "off", "", "0.0")
WILDCARD = re.compile(r"\{\s*\w+.*\}")
LEFTOVER = re.compile(r"\{[^{}]*\}|\$\w+|\$\{\w+\}")
LINE_BREAK = re.compile(r"[\r\n]+")

Sample = dict[str, list[str]]  # attribute -> its values


@dataclass(frozen=True)
class Problem:
    """What is wrong with a sample, and what to do. A sample can have several."""

    kind: str  # "toggle", "names", "paths", "duplicate bam"
    sample: str  # its name as written, and its row in the sample table: 'x' (row 3)
    text: str


def read_pep(
    pep: Path, amendments: Sequence[str] = (), bam: str = "bam", peaks: str = "peaks", toggle: str = "toggle"
) -> tuple[list[Sample], list[Problem]]:
    """Resolve a PEP, or a plain CSV or TSV sheet: return the good samples, in sheet order, and the others' problems.

    `bam` and `peaks` are the attributes that hold the alignment and the peak files; in the result they are called `bam`
    and `peaks`, and their paths are relative to the current folder, as `pep` is. Samples that the attribute `toggle`
    switches off are left out without a word. "" for `peaks` or `toggle`: there is no such attribute.

    Raises UserError for what is wrong with the sheet as a whole.
    """
    from divvy_coverage.preflight.pep import load  # peppy costs a second

    sheet = load(pep, amendments)
    rows, problems = _switched_on(sheet, toggle, pep)
    _check_attribute(rows, bam, pep)
    problems += _name_problems(rows, sheet.name_column)
    attributes = {"bam": bam, "peaks": peaks} if any(peaks in row.attributes for row in rows) else {"bam": bam}
    samples = {}
    for row in rows:
        samples[row.label], found = _sample(row, sheet.folder, attributes)
        problems += [Problem("paths", row.label, text) for text in found]
    broken = {problem.sample for problem in problems if problem.kind == "paths"}
    problems += _shared_files({label: sample for label, sample in samples.items() if label not in broken}, bam)
    _warn_of_oddities(rows, sheet.strangers, {"peaks": peaks, "toggle": toggle}, pep)
    bad = {problem.sample for problem in problems}
    return [sample for label, sample in samples.items() if label not in bad], problems


def read_samples(
    pep: Path, amendments: Sequence[str] = (), bam: str = "bam", peaks: str = "peaks", toggle: str = "toggle"
) -> list[Sample]:
    """Resolve a PEP as `read_pep` does; raises UserError with all problems if there are any."""
    samples, problems = read_pep(pep, amendments, bam, peaks, toggle)
    if problems:
        total = len(samples) + len({problem.sample for problem in problems})
        raise UserError(f"{pep}: {len(problems)} problems in a sheet of {total} samples:{by_kind(problems)}")
    return samples


def by_kind(problems: Sequence[Problem]) -> str:
    """List problems in groups, one a line."""
    groups: dict[str, list[str]] = {}
    for problem in problems:
        groups.setdefault(problem.kind, []).append(f"{problem.sample}: {problem.text}")
    return "".join(f"\n{kind} ({len(lines)}):{listing(lines)}" for kind, lines in groups.items())


def write_table(samples: Sequence[Sample], path: Path) -> None:
    """Write the table, only if its content changed. Line breaks within a value become blanks."""
    columns = list(dict.fromkeys(key for sample in samples for key in sample))
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    for sample in samples:
        cells = [[LINE_BREAK.sub(" ", value) for value in sample.get(column, [])] for column in columns]
        writer.writerow(["\n".join(cell) for cell in cells])
    write_if_changed(path, text.getvalue().encode())


def read_table(path: Path) -> list[Sample]:
    """Read the table that `write_table` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: v.split("\n") if v else [] for k, v in row.items()} for row in csv.DictReader(file, delimiter="\t")]


def _switched_on(sheet: "Sheet", toggle: str, pep: Path) -> tuple[list["Row"], list[Problem]]:
    """Return the rows that the attribute `toggle` does not leave out."""
    rows, problems = [], []
    for row in sheet.rows:
        word = " ".join(row.attributes.get(toggle, [])).strip().lower()
        if toggle in row.attributes and word in LEAVE_OUT:
            continue
        rows.append(row)
        if toggle in row.attributes and word not in INCLUDE:
            choice = "1, true, yes or on to use the sample; 0, false, no, off or nothing to leave it out"
            problems.append(Problem("toggle", row.label, f"{toggle} is {word!r}; write {choice}"))
    if not rows:
        raise UserError(f"{pep}: the column {toggle!r} leaves out all {len(sheet.rows)} samples; write 1 to use one")
    return rows, problems


def _check_attribute(rows: Sequence["Row"], bam: str, pep: Path) -> None:
    if any(bam in row.attributes for row in rows):
        return
    others = ", ".join(map(repr, rows[0].attributes)) or "there are no others"
    raise UserError(
        f"{pep}: no attribute {bam!r}; set samples.bam in the configuration to the one with the BAM files: {others}"
    )


def _name_problems(rows: Sequence["Row"], column: str) -> list[Problem]:
    numbers: dict[str, list[int]] = {}
    for row in rows:
        numbers.setdefault(row.name, []).append(row.number)
    problems = []
    for row in rows:
        same = numbers[row.name]
        if not row.name.strip():
            problems.append(Problem("names", row.label, f"no name; fill the column {column!r}"))
        elif not NAME.fullmatch(row.name) or row.name == ROW_NAMES:
            problems.append(Problem("names", row.label, NAME_RULE))
        elif len(same) > 1:
            several = ", ".join(map(str, same[:5])) + (", …" if len(same) > 5 else "")
            hint = "names must be unique; several BAM files of one sample go into a subsample table"
            text = f"{len(same)} rows have this name: {several}; {hint}"
            problems.append(Problem("names", row.label, text))
    return problems


def _sample(row: "Row", folder: Path, attributes: dict[str, str]) -> tuple[Sample, list[str]]:
    """Return a row as a sample, and what is wrong with its files. `attributes`: new names of those that hold files."""
    sample: Sample = {"sample_name": [row.name]}
    problems = []
    for key, attribute in attributes.items():
        values = row.attributes.get(attribute, [])
        sample[key] = [path for value in values for path in files(value, folder)]
        reason = f" ({row.unfilled[attribute]})" if attribute in row.unfilled else ""
        found = [f"{problem}{reason}" for path in sample[key] if (problem := _file_problem(path))]
        if key == "bam" and not values:
            found = ["is empty; give the path of a BAM file"]
        problems += [f"{attribute}: {text}" for text in found]
    used = {*attributes.values(), *sample}
    return sample | {key: values for key, values in row.attributes.items() if key not in used}, problems


def files(path: str, folder: Path) -> list[str]:
    """Return the files that a path of the sheet stands for: it may hold ~, $VARIABLES and a pattern."""
    if os.path.exists(plain := located(path, folder)):
        return [plain]
    filled = os.path.expanduser(os.path.expandvars(path))
    found = sorted(glob(filled, root_dir=folder)) if has_magic(filled) else []
    return [located(name, folder) for name in found or [filled]]


def located(path: str, folder: Path) -> str:
    """Return a path of the sheet, which is relative to `folder`, relative to the current folder and without `..`."""
    joined = os.path.join(folder, os.path.expanduser(path))
    plain = os.path.normpath(joined)
    # `..` after a link leads elsewhere
    return plain if ".." not in joined or os.path.realpath(plain) == os.path.realpath(joined) else joined


def _file_problem(path: str) -> str:
    if LINE_BREAK.search(path):
        return f"a path must not hold a line break: {path!r}"
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        return _missing(path, error)
    if not stat.S_ISREG(mode):
        return f"{'a folder' if stat.S_ISDIR(mode) else 'a device or pipe'}, not a file: {path}"
    if wildcard := WILDCARD.search(path):
        return f"Snakemake takes {wildcard.group()} for a wildcard; rename or link it: {path}"
    return "" if os.access(path, os.R_OK) else f"not readable: {path}"


def _missing(path: str, error: OSError | ValueError) -> str:
    if leftover := LEFTOVER.search(path):
        return f"{leftover.group()} was not filled: {path}"
    if has_magic(path):
        return f"no file matches {path}"
    if os.path.islink(path):
        return f"a link to {os.readlink(path)}, which is not there: {path}"
    if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return f"{error.strerror}: {path}"
    return f"no such file: {path if path == path.strip() else repr(path)}"


def _shared_files(samples: dict[str, Sample], attribute: str) -> list[Problem]:
    """Return the samples that have an alignment file twice, or one that a sample of another name has, too."""
    owners: dict[str, list[tuple[str, str]]] = {}
    for label, sample in samples.items():
        for path in sample["bam"]:
            owners.setdefault(os.path.abspath(path), []).append((label, sample["sample_name"][0]))
    problems = []
    for path, found in owners.items():
        first, name = found[0]
        second = next((label for label, other in found if other != name), "")
        for (label, own), count in Counter(found).items():
            if second:
                text = f"also the file of {second if own == name else first}; a file is that of one sample: {path}"
                problems.append(Problem("duplicate bam", label, f"{attribute}: {text}"))
            elif count > 1:
                problems.append(Problem("duplicate bam", label, f"{attribute}: given {count} times: {path}"))
    return problems


def _warn_of_oddities(rows: Sequence["Row"], strangers: Sequence[str], optional: dict[str, str], pep: Path) -> None:
    """Tell of what may well be a mistake, but need not be one."""
    columns = dict.fromkeys(key for row in rows for key in row.attributes)
    for key, attribute in optional.items():
        for column in columns if attribute not in columns else ():
            if column.strip(" '\"").lower() == attribute.lower():
                warn(f"{pep}: {column!r} is not {attribute!r}; rename the column or set samples.{key}")
    if strangers:
        some = ", ".join(map(repr, strangers[:10])) + (", …" if len(strangers) > 10 else "")
        warn(f"{pep}: a subsample table has rows for names that are not in the sample table; they are not used: {some}")
    spellings: dict[str, set[str]] = {}
    for row in rows:
        spellings.setdefault(row.name.lower(), set()).add(row.name)
    if alike := [", ".join(sorted(group)) for group in spellings.values() if len(group) > 1]:
        warn(f"{pep}: names that differ only in case share their files where case is ignored (macOS):{listing(alike)}")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: resolve a PEP into a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--pep", type=Path, required=True, help="project configuration (YAML) or sample sheet (CSV, TSV)")
    add("--amendments", nargs="*", default=[], help="amendments of the PEP to activate")
    add("--bam", default="bam", help="attribute with the alignment files (default: %(default)s)")
    add("--peaks", default="peaks", help="attribute with the peak files, if there is one (default: %(default)s)")
    add("--toggle", default="toggle", help="attribute that leaves out samples, if there is one (default: %(default)s)")
    add("--out", type=Path, required=True, help="table, rewritten only if it changed")
    args = parser.parse_args(argv)
    write_table(read_samples(args.pep, args.amendments, args.bam, args.peaks, args.toggle), args.out)


if __name__ == "__main__":
    sys.exit(run(main))
