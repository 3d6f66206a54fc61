"""Look at alignment files without counting: what they are, whether they are whole, their contigs, and whether they are
paired-end.

Only the first blocks, the last bytes and a few parts between are read; of a text file, which has no header, every line.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from divvy_coverage.alignments import bgzf
from divvy_coverage.alignments.bam_header import read_bam_header
from divvy_coverage.alignments.file_types import EXPECTED, find_alignment_kind
from divvy_coverage.alignments.fingerprints import compute_fingerprint
from divvy_coverage.alignments.text_kinds import TEXT_KINDS
from divvy_coverage.errors import UserError
from divvy_coverage.files import check_regular
from divvy_coverage.intervals.bed import UNKNOWN_LENGTH

ENOUGH = 1 << 16  # bytes of records, of which some hundred tell whether they are paired-end
FIRST_ALIGNMENTS = 200
RECORD_START, FLAG = 36, 18  # bytes of a record before its name, and where its flag is (SAM specification, 4.2)
PAIRED = 0x1


@dataclass(frozen=True)
class Header:
    """An alignment file and its contigs: lengths (bp) by name, in header order.

    `kind` is "bam", "cram", "sam", or one of TEXT_KINDS. Contigs of a text file have UNKNOWN_LENGTH, and the order of
    their names. Files with the same `digest` have the same contigs, and those with the same `fingerprint` the same
    content. `paired` tells whether any of the first alignments is of a pair; it is None if there is no alignment.
    """

    path: Path
    kind: str
    contigs: Mapping[str, int]
    digest: str
    paired: bool | None = None
    fingerprint: str = ""


def examine(path: Path) -> Header:
    """Read the header of an alignment file, or all of a text file, and compute its fingerprint.

    Raises UserError for a file that cannot be read, is empty or of another kind, has a damaged header or one without
    contigs, or lacks the mark at its end, as truncated files do; for a text file with a malformed line.
    """
    try:
        kind = find_kind(path)
        with path.open("rb") as file:
            contigs, paired = _read_text(path, kind) if kind in TEXT_KINDS else READERS[kind](file, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not contigs:
        raise UserError(f"{path}: its header names no contig, as that of reads that are not aligned; align them first")
    return Header(path, kind, contigs, compute_digest(contigs), paired, compute_fingerprint(path))


def compute_digest(contigs: Mapping[str, int]) -> str:
    """Return a digest of the names and lengths of contigs in their order."""
    return hashlib.sha256("".join(f"{name}\t{length}\n" for name, length in contigs.items()).encode()).hexdigest()


def are_paired(paths: Sequence[Path]) -> bool | None:
    """Tell whether the alignments of a sample are paired-end, by the first of each file; None if there are none.

    Raises UserError for a file that `examine` refuses.
    """
    return find_any_paired(map(_is_paired, paths))


def find_any_paired(paired: Iterable[bool | None]) -> bool | None:
    """Tell whether any of several is paired-end, of which some may not be known; None if none is."""
    known = [each for each in paired if each is not None]
    return any(known) if known else None


def find_kind(path: Path) -> str:
    """Return the kind of an alignment file. Raises UserError for a file that is none."""
    check_regular(path, EXPECTED)
    try:
        with path.open("rb") as file:
            return find_alignment_kind(file, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def _is_paired(path: Path) -> bool | None:
    kind = find_kind(path)
    return TEXT_KINDS[kind].paired if kind in TEXT_KINDS else examine(path).paired


def _read_text(path: Path, kind: str) -> tuple[Mapping[str, int], bool]:
    from divvy_coverage.alignments.text_files import list_contigs  # BAM does without numpy

    return dict.fromkeys(list_contigs(path, kind), UNKNOWN_LENGTH), TEXT_KINDS[kind].paired


def _read_bam(file: BinaryIO, path: Path) -> tuple[Mapping[str, int], bool | None]:
    """Return the contigs, and whether the first alignments are paired-end."""
    bgzf.check_end(file, path)
    data, wanted = bytearray(), 0
    header = None
    for blocks in bgzf.read_blocks(file, path):
        for block in blocks:
            data += bgzf.inflate(block, path)
            if header is None and data and len(data) >= wanted:
                header, wanted = read_bam_header(data, path), 2 * len(data)
            if header and len(data) >= header.size + ENOUGH:
                return header.contigs, _find_paired(_list_flags(data, header.size))
    header = header or read_bam_header(data, path)
    if header is None:
        raise bgzf.DamagedFile(path, path.stat().st_size, "the file ends within the header")
    return header.contigs, _find_paired(_list_flags(data, header.size))


def _list_flags(data: bytearray, offset: int) -> Iterable[int]:
    """Yield the flags of the whole records from an offset on, as far as they are sound."""
    while offset + RECORD_START <= len(data):
        (size,) = struct.unpack_from("<i", data, offset)
        if size < RECORD_START or offset + 4 + size > len(data):
            return
        yield struct.unpack_from("<H", data, offset + FLAG)[0]
        offset += 4 + size


def _find_paired(flags: Iterable[int]) -> bool | None:
    return find_any_paired(bool(flag & PAIRED) for flag in flags)


def _read_cram(file: BinaryIO, path: Path) -> tuple[Mapping[str, int], bool | None]:
    from divvy_coverage.alignments import htslib  # BAM does without pysam

    htslib.check_cram_end(file, path)
    return _read_with_htslib(path)


def _read_sam(file: BinaryIO, path: Path) -> tuple[Mapping[str, int], bool | None]:
    from divvy_coverage.alignments import htslib

    start = file.read(len(bgzf.MAGIC))
    if start == bgzf.MAGIC:
        bgzf.check_end(file, path)
    elif not start.startswith(htslib.GZIP):  # of what gzip compressed, the end is seen when it is counted
        htslib.check_sam_end(file, path)
    return _read_with_htslib(path)


def _read_with_htslib(path: Path) -> tuple[Mapping[str, int], bool | None]:
    from divvy_coverage.alignments import htslib

    contigs, flags = htslib.read_start(path, FIRST_ALIGNMENTS)
    return contigs, _find_paired(flags)


READERS = {"bam": _read_bam, "cram": _read_cram, "sam": _read_sam}
