"""Files that are whole or absent, records, and small tables."""

import csv
import errno
import hashlib
import io
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from divvy_coverage.errors import OutputError, UserError

Row = dict[str, str]  # of a table, by column

ANEW = "remove it and run again"
CHECKSUM = "sha256"  # of a record
# what is wrong with a disk: whoever writes a file raises these, and nothing that is read meanwhile
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE)
ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free space there, or write elsewhere, and run again"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "allow writing there, or write elsewhere, and run again"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file stands where its path needs a folder; write elsewhere"),
    errno.EFBIG: "allow larger files (ulimit -f) and run again",
}


def check_regular(path: Path, expected: str = "a file") -> None:
    """Raise UserError for what is there and is no file: a pipe would be waited for, maybe for ever."""
    if found := _find_other_kind(path):
        raise UserError(f"{path}: expected {expected}, found {found}; give the path of a file")


def split_lines(text: str) -> list[str]:
    """Return the lines of a text, whatever ends them; nothing else that Unicode takes for the end of a line does."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def identify(path: str | Path) -> tuple[int, int] | str:
    """Return what is the same for all names of a file: links of both kinds, and other ways to its folder."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)  # who opens it says why it cannot be looked at
    return status.st_dev, status.st_ino


def compute_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path next to `path`, renamed to it on success and removed on failure.

    The temporary name keeps the suffixes of `path`, for libraries that choose a format by them. Raises OutputError if
    the file cannot be written.
    """
    _check_place(path)
    temporary = path.parent / f".{secrets.token_hex(4)}.{path.name[-80:]}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # with the permissions of any new file, which `tempfile` would have to ask for in a way that other threads see
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise explain_unwritable(path, error) from error
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno in DISK_ERRORS or error.filename == str(temporary):
            raise explain_unwritable(path, error) from error
        raise
    finally:
        with suppress(OSError):  # the first error counts
            temporary.unlink(missing_ok=True)


def check_outputs(*paths: Path) -> None:
    """Raise OutputError for a path where no file can be written, before hours of work are done for it."""
    for path in paths:
        _check_place(path)
        try:
            folder = next(parent for parent in path.absolute().parents if parent.exists())
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise explain_unwritable(path, error) from error


def remove(path: Path) -> None:
    """Remove a file, if it is there. Raises OutputError if it cannot be removed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror}; remove it and run again") from error


def explain_unwritable(path: Path, error: Exception) -> OutputError:
    """Return the error of a file that cannot be written."""
    number, reason = (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
    advice = ADVICE.get(number or 0, "correct the path, or write elsewhere, and run again")
    return OutputError(f"{path}: cannot be written: {reason or error}; {advice}")


def _check_place(path: Path) -> None:
    """Raise OutputError if something is in the place of a file that the file must not replace."""
    if found := _find_other_kind(path):
        raise OutputError(f"{path}: cannot be written: found {found} in its place; remove it, or write elsewhere")


def _find_other_kind(path: Path) -> str:
    """Return what is there other than a file; "" for a file, for nothing, and for what cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""  # who opens it says why
    if stat.S_ISREG(mode):
        return ""
    return "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"


@contextmanager
def gzipped(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to compress into; without a name and a time in it, the same content gives the same bytes."""
    from isal import igzip  # counting has no use for it

    with path.open("wb") as raw, igzip.IGzipFile("", "wb", compresslevel=2, fileobj=raw, mtime=0) as file:
        yield file


def write_if_changed(path: Path, content: bytes) -> bool:
    """Write `content` to `path` unless it holds just that already, so that its time stamp tells of real changes."""
    with suppress(OSError):  # then it is written anew, or said why it cannot be
        if path.is_file() and path.read_bytes() == content:
            return False
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return True


# --- records: JSON with its own checksum, by which one that was edited or damaged is recognized


def encode_record(content: Mapping[str, Any]) -> bytes:
    """Return a record of what JSON can hold."""
    return json.dumps({CHECKSUM: _digest(content), **content}, indent=1).encode() + b"\n"


def write_record(content: Mapping[str, Any], path: Path) -> None:
    """Write a record."""
    with replacing(path) as temporary:
        temporary.write_bytes(encode_record(content))


def read_record(path: Path, what: str) -> dict[str, Any]:
    """Read a record.

    Parameters
    ----------
    path
        The file.
    what
        It is, for messages.

    Raises
    ------
    UserError
        For a file that cannot be read or is none, and for one that was edited or damaged.
    """
    check_regular(path)
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        if found.pop(CHECKSUM) != _digest(found):
            raise ValueError("it was edited or damaged, as its checksum tells")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path}: not {what}: {reason}; {ANEW}") from error
    return found


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


# --- small tables: tab-separated, with a header; a cell may hold several lines, in quotes, but never a tab


def write_table(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a table, its header first."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        _write_rows(rows, file)


def write_table_if_changed(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a table, its header first, unless `path` holds just that already."""
    text = io.StringIO()
    _write_rows(rows, text)
    write_if_changed(path, text.getvalue().encode())


def read_table(path: Path, what: str, columns: Sequence[str], advice: str = ANEW) -> list[tuple[int, Row]]:
    """Return the rows of a table, each with the number of the line in which it ends.

    Parameters
    ----------
    path
        The file.
    what
        It is a table of, for messages.
    columns
        Those that it has to have, among others.
    advice
        What to do if it is another file.

    Raises
    ------
    UserError
        For a file that cannot be read, that lacks a column, or with a row that has not as many fields as the header, or
        a quote that is not closed or joins fields.
    """
    check_regular(path, "a table")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, delimiter="\t", strict=True)
            header = next(reader, [])
            if not set(columns) <= set(header):
                found = ", ".join(header)[:200] or "an empty file"
                raise ValueError(f"expected the columns {', '.join(columns)}, found {found}")
            return [(reader.line_num, _read_row(header, cells, reader.line_num)) for cells in reader if cells]
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{path}: not a table of {what}: {error}; {advice}") from error


def _read_row(header: Sequence[str], cells: Sequence[str], line: int) -> Row:
    if joined := [cell for cell in cells if "\t" in cell]:
        raise ValueError(f"line {line}: a quote around several fields: {joined[0][:60]!r}")
    if len(cells) != len(header):
        raise ValueError(f"line {line}: expected {len(header)} fields as in the header, found {len(cells)}")
    return dict(zip(header, cells, strict=True))


def _write_rows(rows: Iterable[Sequence[object]], file: IO[str]) -> None:
    csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)
