"""Lines of BED files: the one reader of region sets, files of peaks, and start sites.

An interval is half-open, [start, end), in 0-based coordinates.
"""

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from divvy_coverage.errors import UserError, listing
from divvy_coverage.files import check_regular, split_lines

LARGEST_COORDINATE = 2**31 - 1  # BAM's coordinates are int32
UNKNOWN_LENGTH = LARGEST_COORDINATE  # of the contigs of files that have no header
CONTIG = re.compile(r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")  # SAM specification, 1.2.1
NOT_INTERVALS = ("#", "track ", "track\t", "browser ", "browser\t")  # what lines without an interval start with
UTF8_BOM = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"
# of messages about malformed lines
COLUMNS = "chrom, start and end in the first three columns of every line"
ADVICE = "correct or remove these lines"

Interval = tuple[str, int, int]  # chrom, start, end
Row = TypeVar("Row")


def read_content(path: Path) -> bytes:
    """Return the content of a file, inflated if it is gzip or bgzip. Raises UserError if it cannot be read."""
    check_regular(path)
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged or truncated gzip file: {error}") from error


def read_lines(content: bytes, path: Path) -> list[str]:
    """Return the lines of a text, whatever ends them. Raises UserError for what is no text."""
    try:
        text = content.removeprefix(UTF8_BOM).decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected a text file (BED, plain or gzip), found other bytes: {error}") from error
    return split_lines(text)


def parse_lines(
    content: bytes, path: Path, parse: Callable[[str], Row], expected: str, advice: str, limit: int = 20
) -> Iterator[Row]:
    """Parse every line of a BED file that should have an interval.

    Blank lines, comments, and `track` and `browser` lines are passed over.

    Parameters
    ----------
    content
        The text of the file (see `read_content`).
    path
        The file, for messages.
    parse
        Returns what a line holds; raises ValueError that says what is wrong with it.
    expected, advice
        What every line should hold, and what to do if one does not.
    limit
        How many lines a message lists.

    Yields
    ------
    Row
        What `parse` returns, in the order of the lines.

    Raises
    ------
    UserError
        After the last line, with the numbers of all lines that `parse` refused; at once for what is no text.
    """
    problems: list[str] = []
    for number, line in enumerate(read_lines(content, path), start=1):
        if not line or line.isspace() or line.startswith(NOT_INTERVALS):
            continue
        try:
            row = parse(line)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        yield row
    if problems:
        raise UserError(f"{path}: expected {expected}, found{listing(problems, limit)}\n{advice}")


def split_fields(line: str) -> list[str]:
    """Return the columns of a line, separated by tabs or, if there are none, by blanks."""
    return line.split("\t") if "\t" in line else line.split()


def parse_interval(line: str) -> Interval:
    """Return chrom, start and end of a line. Raises ValueError that says what is wrong with it."""
    fields = split_fields(line)
    if len(fields) < 3:
        raise ValueError(f"{len(fields)} columns: {line[:60]!r}")
    contig, start, end = fields[0].strip(), _parse_coordinate(fields[1]), _parse_coordinate(fields[2])
    if not CONTIG.fullmatch(contig):
        raise ValueError(f"not a contig name that SAM allows: {contig[:60]!r}")
    if end <= start:
        raise ValueError(f"{'zero length' if end == start else 'start > end'}: {line[:60]!r}")
    return contig, start, end


def _parse_coordinate(text: str) -> int:
    text = text.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"not a whole number: {text[:60]!r}")
    number = int(text) if len(text) < 20 else LARGEST_COORDINATE + 1
    if number < 0:
        raise ValueError(f"negative coordinate: {number}")
    if number > LARGEST_COORDINATE:
        raise ValueError(f"coordinate beyond {LARGEST_COORDINATE}: {text[:60]}")
    return number
