"""Look at alignment files without counting: what they are, whether they are whole, and which contigs they have.

Only the first blocks and the last bytes of a file are read.
"""

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from divvy_coverage.alignments import bgzf
from divvy_coverage.alignments.bam_header import read_bam_header
from divvy_coverage.alignments.file_types import find_alignment_kind
from divvy_coverage.errors import UserError


@dataclass(frozen=True)
class Header:
    """An alignment file ("bam", "cram" or "sam") and its contigs: lengths (bp) by name, in header order.

    Files with the same `digest` have the same contigs.
    """

    path: Path
    kind: str
    contigs: Mapping[str, int]
    digest: str


def examine(path: Path) -> Header:
    """Read the header of an alignment file.

    Raises UserError for a file that cannot be read, is empty or of another kind, has a damaged header or one without
    contigs, or lacks the mark at its end, as truncated files do.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            found = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise UserError(f"{path}: expected BAM, CRAM or SAM, found {found}; give the path of a file")
        with path.open("rb") as file:
            kind = find_alignment_kind(file, path)
            contigs = READERS[kind](file, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not contigs:
        raise UserError(f"{path}: its header names no contig, as that of reads that are not aligned; align them first")
    return Header(path, kind, contigs, compute_digest(contigs))


def compute_digest(contigs: Mapping[str, int]) -> str:
    """Return a digest of the names and lengths of contigs in their order."""
    return hashlib.sha256("".join(f"{name}\t{length}\n" for name, length in contigs.items()).encode()).hexdigest()


def _read_bam_contigs(file: BinaryIO, path: Path) -> dict[str, int]:
    bgzf.check_end(file, path)
    data, wanted = bytearray(), 0
    for blocks in bgzf.read_blocks(file, path):
        for block in blocks:
            data += bgzf.inflate(block, path)
            if data and len(data) >= wanted:
                if header := read_bam_header(data, path):
                    return header.contigs
                wanted = 2 * len(data)
    if header := read_bam_header(data, path):
        return header.contigs
    raise bgzf.DamagedFile(path, path.stat().st_size, "the file ends within the header")


def _read_cram_contigs(file: BinaryIO, path: Path) -> dict[str, int]:
    from divvy_coverage.alignments import htslib  # BAM does without pysam

    htslib.check_cram_end(file, path)
    return htslib.read_contigs(path)


def _read_sam_contigs(file: BinaryIO, path: Path) -> dict[str, int]:
    from divvy_coverage.alignments import htslib

    if file.read(len(bgzf.MAGIC)) == bgzf.MAGIC:
        bgzf.check_end(file, path)
    return htslib.read_contigs(path)


READERS = {"bam": _read_bam_contigs, "cram": _read_cram_contigs, "sam": _read_sam_contigs}
