"""Files that are whole or absent."""

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path next to `path`, renamed to it on success and removed on failure.

    The temporary name keeps the suffixes of `path`, for libraries that choose a format by them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix="." + path.name[-80:])
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def gzipped(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to compress into; without a name and a time in it, the same content gives the same bytes."""
    from isal import igzip  # counting has no use for it

    with path.open("wb") as raw, igzip.IGzipFile("", "wb", compresslevel=2, fileobj=raw, mtime=0) as file:
        yield file


def write_if_changed(path: Path, content: bytes) -> bool:
    """Write `content` to `path` unless it holds just that already, so that its time stamp tells of real changes."""
    if path.is_file() and path.read_bytes() == content:
        return False
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return True


def write_table_if_changed(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a tab-separated table, its header first, unless `path` holds just that already."""
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(rows)
    write_if_changed(path, text.getvalue().encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
