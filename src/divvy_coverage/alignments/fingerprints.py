"""Fingerprints: by its own a file is known again, whatever its name and its times, at the same cost at any size."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from divvy_coverage.errors import UserError
from divvy_coverage.files import check_regular

Stamp = tuple[int, ...]

NO_STAMP: Stamp = ()
END_BYTES = 64 * 1024  # that are read at both ends, where headers and the last blocks are
BLOCK_BYTES, BLOCKS = 4 * 1024, 16  # that are read between, spread evenly


def compute_fingerprint(path: Path) -> str:
    """Return a digest of a file's size and of parts of its content: both ends, and blocks spread evenly between.

    Raises
    ------
    UserError
        For a file that cannot be read.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.sha256(f"{size}\n".encode())
            for start, length in _choose_parts(size):
                file.seek(start)
                digest.update(file.read(length))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()


def get_stamp(path: Path) -> Stamp:
    """Return what changes when a file does, or when another one takes its place; nothing if it cannot be looked at.

    Size and time of modification alone are kept by `rsync -t`, and can be those of the other file after `mv`.
    """
    try:
        status = os.stat(path)
    except OSError:
        return NO_STAMP
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def _choose_parts(size: int) -> Iterator[tuple[int, int]]:
    """Return start and length of the parts to read; a small file is read whole."""
    if size <= 2 * END_BYTES + BLOCKS * BLOCK_BYTES:
        yield 0, size
        return
    yield 0, END_BYTES
    room = size - 2 * END_BYTES - BLOCK_BYTES
    for number in range(BLOCKS):
        yield END_BYTES + room * number // (BLOCKS - 1), BLOCK_BYTES
    yield size - END_BYTES, END_BYTES
