"""CRAM and SAM files: their contigs and first alignments, and whether they are whole."""

import gzip
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pysam

from divvy_coverage.alignments import bgzf
from divvy_coverage.alignments.bam import BAM_MAGIC, Alignment
from divvy_coverage.errors import UserError

CRAM_MAGIC = b"CRAM"
GZIP = b"\x1f\x8b"
READ_SIZE = 1 << 20
CRAM_END, CRAM_END_SIZE = b"\xff\xff\xff\xff\x0f\xe0EOF", 38  # in the container that ends a file (CRAM, 9)
# what is read of a CRAM file: QNAME to TLEN, but no sequences, so that most files can be read without their reference
CRAM_FIELDS = "required_fields=0x1ff"


@contextmanager
def open_alignments(path: Path) -> Iterator[tuple[dict[str, int], Iterator[Alignment]]]:
    """Open a CRAM or SAM file: its contigs with their lengths (bp), in header order, and its alignments.

    They end before one that cannot be read, as counting will say. Raises UserError for a damaged header.
    """
    options = {"check_sq": False, "format_options": [CRAM_FIELDS.encode()]}
    try:
        with _SILENCE, path.open("rb") as opened, pysam.AlignmentFile(opened, **options) as file:
            yield dict(zip(file.references, file.lengths, strict=True)), _list_alignments(file)
    except (OSError, ValueError) as error:  # pysam's ways to say that a file is truncated or damaged
        found = "a damaged header" if "valid header" in str(error) else error
        raise UserError(f"{path}: expected BAM, CRAM or SAM, found: {found}; copy or make it again") from error


def _list_alignments(file: pysam.AlignmentFile) -> Iterator[Alignment]:
    """Yield alignments up to the first that cannot be read."""
    with suppress(OSError, ValueError):
        for read in file.fetch(until_eof=True):
            mate = (read.next_reference_id, read.next_reference_start)
            yield read.reference_id, read.mapping_quality, read.flag, *mate


def check_cram_end(file: BinaryIO, path: Path) -> None:
    """Raise UserError if a CRAM file lacks the container that ends it: htslib only warns of it."""
    file.seek(-min(CRAM_END_SIZE, file.seek(0, os.SEEK_END)), os.SEEK_END)
    if CRAM_END not in file.read():
        raise UserError(f"{path}: the end-of-file container is missing; the file was truncated: copy or make it again")


def check_sam_end(file: BinaryIO, path: Path) -> None:
    """Raise UserError if a SAM file (plain text) ends within a line: htslib takes a shortened line for a whole one."""
    file.seek(-min(1, file.seek(0, os.SEEK_END)), os.SEEK_END)
    _check_last_byte(file.read(), path)


def check_whole(path: Path) -> None:
    """Raise UserError if a CRAM file lacks its end, or if a SAM file, compressed or not, is cut off or damaged."""
    with path.open("rb") as file:
        start = file.read(len(CRAM_MAGIC))
        file.seek(0)
        if start == CRAM_MAGIC:
            check_cram_end(file, path)
        elif start == bgzf.MAGIC:
            _check_blocks(file, path)
        elif start.startswith(GZIP):
            _check_last_byte(_read_last_byte(file, path), path)
        else:
            check_sam_end(file, path)


def _check_blocks(file: BinaryIO, path: Path) -> None:
    """Raise UserError if a block is damaged or missing, or if SAM in blocks ends within a line; BAM has no lines."""
    first, last = b"", b""
    for blocks in bgzf.read_blocks(file, path):
        for block in blocks:
            data = bytes(bgzf.inflate(block, path))
            first, last = first or data[: len(BAM_MAGIC)], data[-1:] or last
    if first != BAM_MAGIC:
        _check_last_byte(last, path)


def _read_last_byte(file: BinaryIO, path: Path) -> bytes:
    """Return the last byte of what gzip compressed. Raises UserError if the compressed data are damaged or cut off."""
    last = b""
    try:
        with gzip.GzipFile(fileobj=file) as content:
            while chunk := content.read(READ_SIZE):
                last = chunk[-1:]
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(f"{path}: expected SAM, found damaged gzip: {error}; copy or make it again") from error
    return last


def _check_last_byte(last: bytes, path: Path) -> None:
    if last != b"\n":
        raise UserError(f"{path}: the last line has no end; the file is truncated: copy or make it again")


class _Silence:
    """Keeps htslib from printing to stderr what the errors of pysam say too, while any thread reads a file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._verbosity = 0  # before the first of them

    def __enter__(self) -> None:
        with self._lock:
            if not self._readers:
                self._verbosity = pysam.set_verbosity(0)
            self._readers += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers:
                pysam.set_verbosity(self._verbosity)


_SILENCE = _Silence()
