"""Text files, plain, gzip or bgzip, as chunks of whole lines: one that is cut off or damaged never passes for whole."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from divvy_coverage.alignments import bgzf
from divvy_coverage.errors import UserError
from divvy_coverage.progress import Progress, show_nothing

GZIP = b"\x1f\x8b"
READ_SIZE = 1 << 20  # bytes, whose columns fit the processor's cache
LONGEST_LINE = 1 << 20  # bytes; no line of a sound file comes near
COPY_AGAIN = "the file is truncated or damaged: copy or make it again"


class Lines(NamedTuple):
    """Whole lines, each with its line break, and the number of the first, from 1."""

    data: bytes
    number: int


def read_lines(path: Path, progress: Progress = show_nothing) -> Iterator[Lines]:
    """Yield the lines of a file, about READ_SIZE bytes at a time.

    `progress` is told numbers of bytes of the file as they are done. Raises UserError, with the number of the line, for
    a file that is damaged, cut off, or no text.
    """
    number, rest = 1, b""
    pieces = _read_pieces(path, progress)
    while True:
        try:
            piece = next(pieces, b"")
        except (bgzf.DamagedFile, EOFError, zlib.error) as error:
            raise _explain(path, number + rest.count(b"\n"), error) from error
        if not piece:
            break
        data = rest + piece
        end = data.rfind(b"\n") + 1
        if b"\0" in piece or len(data) - end > LONGEST_LINE:
            wrong = number + data[: data.find(b"\0") if b"\0" in piece else end].count(b"\n")
            raise UserError(f"{path}: line {wrong}: expected a line of text, found other bytes; {COPY_AGAIN}")
        rest = data[end:]
        if end:
            yield Lines(data[:end], number)
            number += data.count(b"\n", 0, end)
    if rest:
        raise UserError(f"{path}: line {number}: the last line has no end; {COPY_AGAIN}")


def read_first_line(path: Path) -> bytes:
    """Return the first line that is neither blank nor a comment, without its end; b"" if there is none."""
    for lines in read_lines(path):
        for line in lines.data.split(b"\n"):
            if line.strip() and not line.startswith(b"#"):
                return line.removesuffix(b"\r")
    return b""


def _explain(path: Path, number: int, error: Exception) -> UserError:
    if isinstance(error, bgzf.DamagedFile):
        return UserError(f"{error} (it is sound up to line {number})")
    return UserError(f"{path}: line {number}: found damaged or truncated gzip: {error}; {COPY_AGAIN}")


def _read_pieces(path: Path, progress: Progress) -> Iterator[bytes]:
    """Yield the content of a file, inflated; no piece is empty."""
    with path.open("rb") as file:
        start = file.read(len(bgzf.MAGIC))
        file.seek(0)
        if start == bgzf.MAGIC:
            pieces = _inflate_blocks(file, path)
        elif start.startswith(GZIP):
            pieces = _inflate(file)
        else:
            pieces = iter(lambda: file.read(READ_SIZE), b"")
        done = 0
        for piece in pieces:
            if piece:
                yield piece
            progress(file.tell() - done)
            done = file.tell()


def _inflate_blocks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    for blocks in bgzf.read_blocks(file, path):
        yield b"".join(bgzf.inflate(block, path) for block in blocks)


def _inflate(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of gzip. Raises EOFError if it is cut off, zlib.error if it is damaged."""
    from isal import igzip, igzip_lib  # BAM does without it

    try:
        with igzip.IGzipFile(fileobj=file) as content:
            yield from iter(lambda: content.read(READ_SIZE), b"")
    except (igzip_lib.IsalError, igzip.BadGzipFile) as error:  # type: ignore[misc]
        raise zlib.error(str(error)) from error
