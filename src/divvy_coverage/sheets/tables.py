"""Sample tables and subsample tables (CSV, TSV), read strictly: a line is a row, and every quote is closed within it.

Readers of tables let a cell that begins with a quote go on to the next quote, over the lines between: the rows in them
are gone, and the row takes values of others.
"""

import codecs
import csv
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from divvy_coverage.errors import UserError, listing
from divvy_coverage.files import split_lines

SEPARATORS = {".csv": ",", ".tsv": "\t"}
NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}
ADVICE = {  # for tables with other separators than their suffix tells
    ",": "call the file .csv",
    "\t": "call the file .tsv",
    ";": "Excel writes semicolons where numbers have a decimal comma: set it to a point (Options, Advanced, without"
    ' "Use system separators") and save again, or save as "Text (Tab delimited)" and call the file .tsv',
}
WORKBOOK = b"PK\x03\x04"  # how a .xlsx starts, whatever it is called
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAVE = 'save it as plain text in UTF-8 (in Excel: "CSV UTF-8")'
SECONDS = 60  # to wait for a table on the web


@dataclass(frozen=True)
class Table:
    """A table without its empty rows and columns.

    Attributes
    ----------
    path
        Where it was read from.
    columns
        Their names.
    rows
        The number of each row, from 1, counted in lines below the header, and its values by column. No value has blanks
        around it; "" where the table has none.
    notes
        What was left out.
    """

    path: str
    columns: list[str]
    rows: list[tuple[int, dict[str, str]]]
    notes: list[str]


def read_table(path: str) -> Table:
    """Read a table from a file or a URL.

    Raises
    ------
    UserError
        For a file that cannot be read or is no such table, for columns of the same name, and with line numbers for rows
        with more fields than columns, and for those with a quote that is not closed or joins fields.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SEPARATORS:
        raise UserError(f"{path}: expected a table called .csv or .tsv, found {suffix or 'no suffix'}; {SAVE}")
    separator = SEPARATORS[suffix]
    lines = [(number, line) for number, line in enumerate(_read_lines(path), start=1) if line.strip(f" {separator}")]
    if not lines:
        raise UserError(f"{path}: is empty; the first line has to name the columns")
    top, header = lines[0]
    _check_separator(path, header, separator)
    columns = [name.strip() for name in _split(path, top, header, separator)]
    if twice := [repr(name) for name, count in Counter(columns).items() if count > 1 and name]:
        raise UserError(f"{path}: several columns are called {', '.join(twice)}; rename or remove all but one")
    rows = [(number, [cell.strip() for cell in _split(path, number, line, separator)]) for number, line in lines[1:]]
    rows = [(number, cells) for number, cells in rows if any(cells)]
    _check_lengths(path, columns, rows, separator)
    rows = [(number - top, cells + [""] * (len(columns) - len(cells))) for number, cells in rows]
    unnamed = [place for place, name in enumerate(columns) if not name and any(cells[place] for _, cells in rows)]
    hint = "name it, or write the table without row names (R: row.names = FALSE)"
    notes = [f"{path}: column {place + 1} has no name and is left out; {hint}" for place in unnamed]
    paired = [(number, _pair(columns, cells)) for number, cells in rows]
    return Table(path, [name for name in columns if name], paired, notes)


def _read_lines(path: str) -> list[str]:
    """Return the lines of a text; UserError for other files."""
    try:
        if "://" in path:
            with urllib.request.urlopen(path, timeout=SECONDS) as response:
                content = response.read()
        else:
            content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if content.startswith(WORKBOOK):
        raise UserError(f"{path}: expected a plain table, found an Excel workbook; {SAVE}")
    if content.startswith(UTF_16) or b"\0" in content:
        raise UserError(f'{path}: expected text in UTF-8, found UTF-16 (Excel\'s "Unicode Text"); {SAVE}')
    try:
        return split_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        number = len(split_lines(content[: error.start].decode("latin-1")))
        part = content[max(0, error.start - 10) : error.end + 10]
        raise UserError(f"{path}: line {number}: expected text in UTF-8, found other bytes: {part!r}; {SAVE}") from None


def _check_separator(path: str, header: str, separator: str) -> None:
    """Refuse a line that only Excel understands, and columns that are separated in another way."""
    if header.lower().lstrip('"').startswith("sep="):
        raise UserError(f"{path}: the line {header!r} is for Excel alone; remove it in a text editor")
    others = [other for other in NAMES if other != separator and other in header]
    if separator in header or not others:
        return
    expected, found = NAMES[separator], NAMES[others[0]]
    raise UserError(f"{path}: columns are separated by {found}, expected {expected}; {ADVICE[others[0]]}")


def _split(path: str, number: int, line: str, separator: str) -> list[str]:
    """Return the cells of a line."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        advice = 'a cell that begins with " must end with one in the same line; within it, quotes are written twice'
        what = "a quote is not closed" if "end of data" in str(error) else error
        raise UserError(f"{path}: line {number}: {what}: {line[:200]}\n{advice}") from None


def _check_lengths(path: str, columns: Sequence[str], rows: Sequence[tuple[int, list[str]]], separator: str) -> None:
    """Refuse rows whose cells are not those of the columns above them."""
    long = [f"line {number}: {cells}" for number, cells in rows if any(cells[len(columns) :])]
    if long:
        advice = (
            'put a cell that holds a separator between "; R writes no name for its row names, use row.names = FALSE'
        )
        raise UserError(f"{path}: more fields than the header has columns ({len(columns)}):{listing(long)}\n{advice}")
    joined = [
        f"line {number}: {cells}"
        for number, cells in rows
        if len(cells) < len(columns) and any(separator in cell for cell in cells)
    ]
    if joined:
        expected = f"fewer fields than the header has columns ({len(columns)}), and a quote around several"
        raise UserError(f"{path}: {expected}:{listing(joined)}\nremove the quote, or write all fields")


def _pair(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Return cells by column; a row may be longer by empty cells."""
    return {name: cell for name, cell in zip(columns, cells, strict=False) if name}
