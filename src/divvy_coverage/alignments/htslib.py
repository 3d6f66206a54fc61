"""CRAM and SAM files through pysam: opening them, their contigs, and whether they are whole."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pysam

from divvy_coverage.alignments import bgzf
from divvy_coverage.errors import UserError

CRAM_MAGIC = b"CRAM"
CRAM_END, CRAM_END_SIZE = b"\xff\xff\xff\xff\x0f\xe0EOF", 38  # in the container that ends a file (CRAM, 9)
# what is read of a CRAM file: FLAG to TLEN, but no sequences, which alone need the reference genome
CRAM_FIELDS = [b"required_fields=0x1fe"]


@contextmanager
def open_alignments(path: Path, reference: Path | None = None) -> Iterator[pysam.AlignmentFile]:
    """Open a file, and make UserErrors of what pysam raises while it is read.

    Parameters
    ----------
    path
        CRAM or SAM; of CRAM, sequences, qualities and tags are not read.
    reference
        The reference genome (FASTA), for CRAM files that do not carry their own.
    """
    options = {"reference_filename": reference and str(reference), "format_options": CRAM_FIELDS}
    try:
        with _SILENCE, pysam.AlignmentFile(str(path), check_sq=False, **options) as file:
            yield file
    except (OSError, ValueError) as error:  # pysam's ways to say that a file is truncated or damaged
        found = "a damaged header" if "valid header" in str(error) else error
        raise UserError(f"{path}: expected BAM, CRAM or SAM, found: {found}; copy or make it again") from error


def get_contigs(file: pysam.AlignmentFile) -> dict[str, int]:
    """Return the contigs of an open file with their lengths (bp), in header order."""
    return dict(zip(file.references, file.lengths, strict=True))


def read_contigs(path: Path) -> dict[str, int]:
    """Return the contigs of a file with their lengths (bp), in header order. Raises UserError."""
    with open_alignments(path) as file:
        return get_contigs(file)


def check_cram_end(file: BinaryIO, path: Path) -> None:
    """Raise UserError if a CRAM file lacks the container that ends it: htslib only warns of it."""
    file.seek(-min(CRAM_END_SIZE, file.seek(0, os.SEEK_END)), os.SEEK_END)
    if CRAM_END not in file.read():
        raise UserError(f"{path}: the end-of-file container is missing; the file was truncated: copy or make it again")


def check_whole(path: Path) -> None:
    """Raise UserError if a CRAM file lacks its end, or if blocks of a SAM file in BGZF are cut off or missing."""
    with path.open("rb") as file:
        start = file.read(len(CRAM_MAGIC))
        file.seek(0)
        if start == CRAM_MAGIC:
            check_cram_end(file, path)
        if start == bgzf.MAGIC:
            for _ in bgzf.read_blocks(file, path):
                pass


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
