"""Sample sheets: make samples of the rows of a PEP, and find what is wrong with names, attributes and paths."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from divvy_coverage.errors import UserError
from divvy_coverage.files import identify
from divvy_coverage.intervals.regions import ROW_NAMES
from divvy_coverage.naming import RULE, is_valid_name
from divvy_coverage.problems import Problem, select_errors
from divvy_coverage.samples import FILES, NAME, PEAKS, Sample
from divvy_coverage.sheets.paths import check_file, find_files
from divvy_coverage.sheets.rows import Row, Sheet, read_plain_sheet

CONFIGURATIONS = (".yaml", ".yml")
INCLUDE = ("1", "true", "yes", "on", "1.0")
EXCLUDE = ("0", "false", "no", "off", "", "0.0")


def read_sheet(
    pep: Path, amendments: Sequence[str] = (), bam: str = "bam", peaks: str = "peaks", toggle: str = "toggle"
) -> tuple[list[Sample], list[Problem]]:
    """Resolve a PEP, or a plain CSV or TSV sheet, and check its rows.

    Parameters
    ----------
    pep
        Project configuration (YAML) or sample sheet (CSV, TSV).
    amendments
        Those of the PEP to activate.
    bam, peaks
        The attributes that hold the alignment and the peak files; relative paths start in the folder of `pep`. "" for
        `peaks`: there is no such attribute.
    toggle
        The attribute that includes or excludes a sample, "" for none; excluded samples are not looked at.

    Returns
    -------
    samples
        Those without errors, in sheet order, with paths relative to the current folder as `pep` is.
    problems
        The errors of the other rows, and warnings.

    Raises
    ------
    UserError
        For what is wrong with the sheet as a whole.
    """
    sheet = _read_rows(pep, amendments)
    rows, problems = _select_rows(sheet.rows, toggle, pep)
    _check_attribute(rows, bam, pep)
    problems += _check_names(rows, sheet.name_column)
    peaks_there = peaks if any(peaks in row.attributes for row in rows) else ""
    samples = []
    for row in rows:
        sample = _build_sample(row, sheet.folder, bam, peaks_there)
        found = _check_files(row, sample, bam, peaks_there)
        problems += found
        if not found:
            samples.append(sample)
    problems += _find_shared_files(samples, bam)
    problems += _find_similar_columns(rows, "peaks", peaks, pep) + _find_similar_columns(rows, "toggle", toggle, pep)
    problems += _find_hidden_columns(rows, {NAME: sheet.name_column, FILES: bam, PEAKS: peaks_there}, pep)
    problems += [_warn("tables", note) for note in sheet.notes] + _find_similar_names(rows, pep)
    problems += _find_similar_values(samples, toggle, pep)
    bad = {problem.row for problem in select_errors(problems)}
    return [sample for sample in samples if sample.row not in bad], problems


def _read_rows(pep: Path, amendments: Sequence[str]) -> Sheet:
    """Return the rows of a PEP or of a plain table."""
    if not pep.is_file():
        what = "a folder" if pep.is_dir() else "a pipe or a device" if pep.exists() else "no such file"
        raise UserError(f"{pep}: {what}; set `pep` in the configuration to a PEP (YAML) or a sample sheet (CSV, TSV)")
    if pep.suffix.lower() in CONFIGURATIONS:
        from divvy_coverage.sheets.pep import read_pep  # peppy costs a second

        return read_pep(pep, amendments)
    if amendments:
        raise UserError(f"{pep}: a plain table has no amendments, found {', '.join(amendments)}; give a PEP (YAML)")
    return read_plain_sheet(pep)


def _select_rows(rows: Sequence[Row], toggle: str, pep: Path) -> tuple[list[Row], list[Problem]]:
    """Return the rows that the attribute `toggle` does not exclude, and the problems of those where it is unclear."""
    selected, problems = [], []
    for row in rows:
        word = " ".join(row.attributes.get(toggle, [])).strip().lower()
        if toggle in row.attributes and word in EXCLUDE:
            continue
        selected.append(row)
        if toggle in row.attributes and word not in INCLUDE:
            choice = "1, true, yes or on to include the sample; 0, false, no, off or nothing to exclude it"
            problems.append(Problem(row.name, row.number, "toggle", "error", f"{toggle} is {word!r}; write {choice}"))
    if not selected:
        raise UserError(f"{pep}: the column {toggle!r} excludes all {len(rows)} samples; write 1 to include one")
    return selected, problems


def _check_attribute(rows: Sequence[Row], bam: str, pep: Path) -> None:
    if any(bam in row.attributes for row in rows):
        return
    others = ", ".join(map(repr, rows[0].attributes)) or "there are no others"
    raise UserError(
        f"{pep}: no attribute {bam!r}; set samples.bam in the configuration to the one with the BAM files: {others}"
    )


def _check_names(rows: Sequence[Row], column: str) -> list[Problem]:
    """Return the problems of rows without a name, with one that cannot name files, or with that of another row."""
    numbers: dict[str, list[int]] = {}
    for row in rows:
        numbers.setdefault(row.name, []).append(row.number)
    problems = []
    for row in rows:
        same = numbers[row.name]
        text = ""
        if not row.name.strip():
            text = f"no name; fill the column {column!r}"
        elif not is_valid_name(row.name):
            text = RULE
        elif row.name == ROW_NAMES:
            text = f"a sample must not be called {ROW_NAMES!r}, as the column of regions is"
        elif len(same) > 1:
            several = ", ".join(map(str, same[:5])) + (", …" if len(same) > 5 else "")
            hint = "names must be unique; several BAM files of one sample go into a subsample table"
            text = f"{len(same)} rows have this name: {several}; {hint}"
        if text:
            problems.append(Problem(row.name, row.number, "names", "error", text))
    return problems


def _build_sample(row: Row, folder: Path, bam: str, peaks: str) -> Sample:
    """Make a sample of a row; `peaks` is "" if the sheet has no such attribute."""

    def find(attribute: str) -> list[str]:
        return [path for value in row.attributes.get(attribute, []) for path in find_files(value, folder)]

    used = {bam, FILES, NAME, *([peaks, PEAKS] if peaks else [])}
    others = {key: values for key, values in row.attributes.items() if key not in used}
    return Sample(row.name, find(bam), find(peaks) if peaks else None, others, row.number)


def _check_files(row: Row, sample: Sample, bam: str, peaks: str) -> list[Problem]:
    """Return the problems of the files of a sample."""
    texts = [] if row.attributes.get(bam) else [f"{bam}: is empty; give the path of a BAM file"]
    for attribute, paths in ((bam, sample.files), (peaks, sample.peaks or ())):
        reason = f" ({row.unfilled[attribute]})" if attribute in row.unfilled else ""
        texts += [f"{attribute}: {text}{reason}" for path in paths if (text := check_file(path))]
    return [Problem(row.name, row.number, "paths", "error", text) for text in texts]


def _find_shared_files(samples: Sequence[Sample], attribute: str) -> list[Problem]:
    """Return the problems of samples that have an alignment file twice, or one that another sample has, too."""
    owners: dict[object, list[tuple[Sample, str]]] = {}
    for sample in samples:
        for path in sample.files:
            owners.setdefault(identify(path), []).append((sample, path))
    problems = []
    for found in owners.values():
        first, times = found[0][0], Counter(sample.row for sample, _ in found)
        second = next((sample for sample, _ in found if sample.name != first.name), None)
        firsts: dict[int | None, tuple[Sample, str]] = {}
        for sample, path in found:
            firsts.setdefault(sample.row, (sample, path))
        for sample, path in firsts.values():
            if second:
                other = second if sample.name == first.name else first
                text = f"also the file of {other.name!r} (row {other.row}); a file belongs to one sample: {path}"
            elif times[sample.row] > 1:
                text = f"given {times[sample.row]} times: {path}"
            else:
                continue
            problems.append(Problem(sample.name, sample.row, "duplicate bam", "error", f"{attribute}: {text}"))
    return problems


def _find_similar_columns(rows: Sequence[Row], key: str, attribute: str, pep: Path) -> list[Problem]:
    """Warn of columns that are nearly called like an optional attribute that is not there."""
    columns = dict.fromkeys(key for row in rows for key in row.attributes)
    if not attribute or attribute in columns:
        return []
    return [
        _warn("columns", f"{pep}: {column!r} is not {attribute!r}; rename the column or set samples.{key}")
        for column in columns
        if column.strip(" '\"").lower() == attribute.lower()
    ]


def _find_hidden_columns(rows: Sequence[Row], columns: Mapping[str, str], pep: Path) -> list[Problem]:
    """Warn of columns that are called like one of the table of samples, which holds another attribute."""
    return [
        _warn("columns", f"{pep}: {own!r} is left out, as results call {source!r} so; rename the column to keep it")
        for own, source in columns.items()
        if source and source != own and any(own in row.attributes for row in rows)
    ]


def _find_similar_names(rows: Sequence[Row], pep: Path) -> list[Problem]:
    if not (similar := _group_similar(row.name for row in rows)):
        return []
    text = f"names that differ only in case share their files where case is ignored (macOS): {similar}"
    return [_warn("names", f"{pep}: {text}")]


def _find_similar_values(samples: Sequence[Sample], toggle: str, pep: Path) -> list[Problem]:
    """Warn of values that are most likely meant to be one, as groups of samples are made by them."""
    columns = dict.fromkeys(column for sample in samples for column in sample.attributes if column != toggle)
    similar = {
        column: _group_similar(value for sample in samples for value in sample.attributes.get(column, ()))
        for column in columns
    }
    return [
        _warn("values", f"{pep}: {column}: values that differ only in case or blanks are different values: {found}")
        for column, found in similar.items()
        if found
    ]


def _group_similar(words: Iterable[str]) -> str:
    """List the words that differ only in case or blanks, "" if there are none."""
    spellings: dict[str, dict[str, None]] = {}
    for word in words:
        spellings.setdefault("".join(word.split()).casefold(), {})[word] = None
    similar = [", ".join(map(repr, sorted(group))) for group in spellings.values() if len(group) > 1]
    return "; ".join(similar[:20]) + (f"; … and {len(similar) - 20} more" if len(similar) > 20 else "")


def _warn(kind: str, text: str) -> Problem:
    return Problem("", None, kind, "warning", text)
