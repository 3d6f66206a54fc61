"""Look at alignment files without counting: what they are, whether they are whole, their contigs, whether they are
paired-end, and whether their pairs can be.

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
RECORD_START = 36  # bytes of a record before its name (SAM specification, 4.2)
FIELDS = struct.Struct("<4xi10xH4xii")  # of these: contig, flag, contig and position of the mate
PAIRED, PROPER_PAIR, FIRST, SECOND = 0x1, 0x2, 0x40, 0x80
NOT_PROPER = 0x4 | 0x8 | 0x100 | 0x800  # unmapped, mate unmapped, secondary, supplementary
MANY = 50  # mates, of which some are the first and some the second of their pairs

Alignment = tuple[int, int, int, int]  # as FIELDS, contigs and positions below 0 for none


@dataclass(frozen=True)
class Header:
    """An alignment file and its contigs: lengths (bp) by name, in header order.

    `kind` is "bam", "cram", "sam", or one of TEXT_KINDS. Contigs of a text file have UNKNOWN_LENGTH, and the order of
    their names. Files with the same `digest` have the same contigs, and those with the same `fingerprint` the same
    content. `paired` tells whether any of the first alignments is of a pair; it is None if there is no alignment.
    `contradiction` says why those that are proper pairs by their flags cannot be; it is "" if they may be.
    """

    path: Path
    kind: str
    contigs: Mapping[str, int]
    digest: str
    paired: bool | None = None
    fingerprint: str = ""
    contradiction: str = ""


def examine(path: Path) -> Header:
    """Read the header of an alignment file, or all of a text file, and compute its fingerprint.

    Raises UserError for a file that cannot be read, is empty or of another kind, has a damaged header or one without
    contigs, or lacks the mark at its end, as truncated files do; for a text file with a malformed line.
    """
    try:
        kind = find_kind(path)
        with path.open("rb") as file:
            contigs, alignments = (_list_contigs(path, kind), []) if kind in TEXT_KINDS else READERS[kind](file, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not contigs:
        raise UserError(f"{path}: its header names no contig, as that of reads that are not aligned; align them first")
    flags = (flag for _, flag, *_ in alignments)
    paired = TEXT_KINDS[kind].paired if kind in TEXT_KINDS else find_any_paired(bool(flag & PAIRED) for flag in flags)
    found = find_contradiction(alignments)
    return Header(path, kind, contigs, compute_digest(contigs), paired, compute_fingerprint(path), found)


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


def find_contradiction(alignments: Iterable[Alignment]) -> str:
    """Say what most alignments that are proper pairs by their flags (0x2) lack to be that; "" if they may be."""
    proper = [each for each in alignments if each[1] & (PAIRED | PROPER_PAIR | NOT_PROPER) == PAIRED | PROPER_PAIR]
    problems = {
        "their mates are on no contig or on another one (RNEXT)": [own != other for own, _, other, _ in proper],
        "their mates have no position (PNEXT)": [position < 0 for *_, position in proper],
    }
    for problem, wrong in problems.items():
        if 2 * sum(wrong) > len(proper):
            return problem
    kinds = {flag & (FIRST | SECOND) for _, flag, *_ in proper}
    return "none is the other mate of another (flags 0x40, 0x80)" if len(proper) >= MANY and len(kinds) == 1 else ""


def _list_contigs(path: Path, kind: str) -> Mapping[str, int]:
    from divvy_coverage.alignments.text_files import list_contigs  # BAM does without numpy

    return dict.fromkeys(list_contigs(path, kind), UNKNOWN_LENGTH)


def _read_bam(file: BinaryIO, path: Path) -> tuple[Mapping[str, int], list[Alignment]]:
    """Return the contigs, and the first alignments."""
    bgzf.check_end(file, path)
    data, wanted = bytearray(), 0
    header = None
    for blocks in bgzf.read_blocks(file, path):
        for block in blocks:
            data += bgzf.inflate(block, path)
            if header is None and data and len(data) >= wanted:
                header, wanted = read_bam_header(data, path), 2 * len(data)
            if header and len(data) >= header.size + ENOUGH:
                return header.contigs, _list_alignments(data, header.size)
    header = header or read_bam_header(data, path)
    if header is None:
        raise bgzf.DamagedFile(path, path.stat().st_size, "the file ends within the header")
    return header.contigs, _list_alignments(data, header.size)


def _list_alignments(data: bytearray, offset: int) -> list[Alignment]:
    """Return the whole records from an offset on, as far as they are sound."""
    alignments = []
    while offset + RECORD_START <= len(data):
        (size,) = struct.unpack_from("<i", data, offset)
        if size < RECORD_START or offset + 4 + size > len(data):
            break
        alignments.append(FIELDS.unpack_from(data, offset))
        offset += 4 + size
    return alignments


def _read_cram(file: BinaryIO, path: Path) -> tuple[Mapping[str, int], list[Alignment]]:
    from divvy_coverage.alignments import htslib  # BAM does without pysam

    htslib.check_cram_end(file, path)
    return _read_with_htslib(path)


def _read_sam(file: BinaryIO, path: Path) -> tuple[Mapping[str, int], list[Alignment]]:
    from divvy_coverage.alignments import htslib

    start = file.read(len(bgzf.MAGIC))
    if start == bgzf.MAGIC:
        bgzf.check_end(file, path)
    elif start.startswith(htslib.GZIP):  # all of it, as pysam does not say well what is wrong with it
        htslib.check_whole(path)
    else:
        htslib.check_sam_end(file, path)
    return _read_with_htslib(path)


def _read_with_htslib(path: Path) -> tuple[Mapping[str, int], list[Alignment]]:
    from divvy_coverage.alignments import htslib

    return htslib.read_start(path, FIRST_ALIGNMENTS)


READERS = {"bam": _read_bam, "cram": _read_cram, "sam": _read_sam}
