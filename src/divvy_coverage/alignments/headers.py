"""Look at alignment files without counting: what they are, whether they are whole, their contigs, whether they are
paired-end, and whether their pairs can be.

Only the first blocks, the last bytes and a few parts between are read; of a text file, which has no header, every line.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from divvy_coverage.alignments import bgzf
from divvy_coverage.alignments.bam import Alignment, read_bam
from divvy_coverage.alignments.file_types import EXPECTED, find_alignment_kind
from divvy_coverage.alignments.fingerprints import compute_fingerprint
from divvy_coverage.alignments.text_kinds import TEXT_KINDS
from divvy_coverage.errors import UserError
from divvy_coverage.files import check_regular
from divvy_coverage.intervals.bed import UNKNOWN_LENGTH

FIRST_ALIGNMENTS = 200  # that tell whether alignments are paired-end
PAIRED, PROPER_PAIR, FIRST, SECOND = 0x1, 0x2, 0x40, 0x80
NOT_PROPER = 0x4 | 0x8 | 0x100 | 0x800  # unmapped, mate unmapped, secondary, supplementary
MANY = 50  # mates, of which some are the first and some the second of their pairs


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
    kind, first = find_kind(path), []
    try:
        if kind in TEXT_KINDS:
            contigs = _list_contigs(path, kind)
        else:
            _check_end(path, kind)
            with open_alignments(path, kind) as (contigs, alignments):
                first = list(islice(alignments, FIRST_ALIGNMENTS))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not contigs:
        raise UserError(f"{path}: its header names no contig, as that of reads that are not aligned; align them first")
    flags = (flag for _, _, flag, *_ in first)
    paired = TEXT_KINDS[kind].paired if kind in TEXT_KINDS else find_any_paired(bool(flag & PAIRED) for flag in flags)
    found = find_contradiction(first)
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
    proper = [each for each in alignments if each[2] & (PAIRED | PROPER_PAIR | NOT_PROPER) == PAIRED | PROPER_PAIR]
    problems = {
        "their mates are on no contig or on another one (RNEXT)": [own != other for own, _, _, other, _ in proper],
        "their mates have no position (PNEXT)": [position < 0 for *_, position in proper],
    }
    for problem, wrong in problems.items():
        if 2 * sum(wrong) > len(proper):
            return problem
    kinds = {flag & (FIRST | SECOND) for _, _, flag, *_ in proper}
    return "none is the other mate of another (flags 0x40, 0x80)" if len(proper) >= MANY and len(kinds) == 1 else ""


def _list_contigs(path: Path, kind: str) -> Mapping[str, int]:
    from divvy_coverage.alignments.text_files import list_contigs  # BAM does without numpy

    return dict.fromkeys(list_contigs(path, kind), UNKNOWN_LENGTH)


@contextmanager
def open_alignments(path: Path, kind: str) -> Iterator[tuple[Mapping[str, int], Iterator[Alignment]]]:
    """Open a BAM, CRAM or SAM file: its contigs with their lengths (bp), in header order, and its alignments."""
    if kind == "bam":
        with path.open("rb") as file:
            yield read_bam(file, path)
        return
    from divvy_coverage.alignments import htslib  # BAM does without pysam

    with htslib.open_alignments(path) as opened:
        yield opened


def _check_end(path: Path, kind: str) -> None:
    """Raise UserError if a BAM, CRAM or SAM file lacks the mark at its end."""
    with path.open("rb") as file:
        start = file.read(len(bgzf.MAGIC))
        if kind == "bam" or start == bgzf.MAGIC:
            bgzf.check_end(file, path)
            return
        from divvy_coverage.alignments import htslib

        if kind == "cram":
            htslib.check_cram_end(file, path)
        elif start.startswith(htslib.GZIP):  # all of it, as pysam does not say well what is wrong with it
            htslib.check_whole(path)
        else:
            htslib.check_sam_end(file, path)
