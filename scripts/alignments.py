"""The reference way to count: pysam reads a BAM, CRAM or SAM file from front to back, numpy counts.

No index and no sort order is needed.
"""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pysam

from common import UserError
from overlaps import Integers, Overlaps
from regions import Regions, check_contigs

MODES = ("reads",)
ABSENT_CONTIGS = ("error", "zero")
FLAG_BITS = 0xFFF
DUPLICATE, PROPER_PAIR, UNMAPPED = 0x400, 0x2, 0x4
REFERENCE_BASES = (pysam.CMATCH, pysam.CDEL, pysam.CREF_SKIP, pysam.CEQUAL, pysam.CDIFF)
BATCH = 1 << 18
GZIP_MAGIC = b"\x1f\x8b"
# the empty block that ends a BAM file (SAM specification, 4.1.2)
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

pysam.set_verbosity(0)  # htslib's lines on stderr repeat what the errors below say


@dataclass(frozen=True)
class Counting:
    """What is counted: the mode, and the filters that an alignment has to pass to be kept."""

    mode: str = "reads"
    exclude_flags: int = 3844
    require_flags: int = 0
    min_mapq: int = 0
    absent_contigs: str = "error"


@dataclass
class Tally:
    """Alignments of a sample by kind; each line of the statistics is one field."""

    alignments: int = 0
    unmapped: int = 0
    duplicates: int = 0
    proper_pairs: int = 0
    kept: int = 0
    in_regions: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def statistics(self) -> dict[str, int | float | None]:
        """Return the numbers and the fraction of kept reads in regions (None without kept reads)."""
        return asdict(self) | {"frip": self.in_regions / self.kept if self.kept else None}


def count(paths: Sequence[Path], regions: Regions, counting: Counting) -> tuple[Integers, Tally]:
    """Count the alignments of one sample, which may have several files.

    Returns the counts (int64, region order) and the tally. In mode `reads` a count is a kept alignment whose reference
    span [pos, pos + M/D/N/=/X) shares at least 1 bp with the region. Kept: `flag & exclude_flags == 0`,
    `flag & require_flags == require_flags`, `mapq >= min_mapq`, placed on a contig. Raises UserError for a file that
    is missing, not an alignment file, truncated, damaged, or of another genome than the regions.
    """
    counts, tally = np.zeros(len(regions), np.int64), Tally()
    for path in paths:
        file_counts, file_tally = _count_file(path, regions, counting)
        counts += file_counts
        tally += file_tally
    return counts, tally


def _count_file(path: Path, regions: Regions, counting: Counting) -> tuple[Integers, Tally]:
    try:
        _check_end(path)
        with pysam.AlignmentFile(str(path), check_sq=False) as file:
            check_contigs(regions, dict(zip(file.references, file.lengths, strict=True)), path, counting.absent_contigs)
            overlaps, tally = Overlaps(regions, file.references), Tally()
            for batch in _batches(file):
                tally += _count_batch(batch, overlaps, counting)
    except (OSError, ValueError) as error:  # pysam's ways to say that a file is missing, truncated or damaged
        found = "another kind of file" if getattr(error, "errno", None) == errno.ENOEXEC else error
        raise UserError(f"{path}: expected BAM, CRAM or SAM, found: {found}") from error
    return overlaps.counts(), tally


def _count_batch(batch: Integers, overlaps: Overlaps, counting: Counting) -> Tally:
    flag, mapq, contig, start, end = batch
    kept = (flag & counting.exclude_flags) == 0
    kept &= (flag & counting.require_flags) == counting.require_flags
    kept &= (mapq >= counting.min_mapq) & (contig >= 0) & (start >= 0)
    in_regions = 0
    for number in np.unique(contig[kept]).tolist():
        here = kept & (contig == number)
        in_regions += overlaps.add(number, start[here], end[here])
    return Tally(
        alignments=len(flag),
        unmapped=_having(flag, UNMAPPED),
        duplicates=_having(flag, DUPLICATE),
        proper_pairs=_having(flag, PROPER_PAIR),
        kept=int(np.count_nonzero(kept)),
        in_regions=in_regions,
    )


def _batches(file: pysam.AlignmentFile) -> Iterator[Integers]:
    """Yield arrays (5, n) of flag, mapping quality, contig number, start and end of n alignments."""
    rows: list[tuple[int, int, int, int, int]] = []
    for read in file.fetch(until_eof=True):
        start = read.reference_start
        rows.append((read.flag, read.mapping_quality, read.reference_id, start, _end(read, start)))
        if len(rows) == BATCH:
            yield np.array(rows, np.int64).T
            rows = []
    if rows:
        yield np.array(rows, np.int64).T


def _end(read: pysam.AlignedSegment, start: int) -> int:
    """Return the end of the reference span; htslib gives an alignment without reference bases one all the same."""
    end: int = read.reference_end or start
    if end == start + 1 and not any(operation in REFERENCE_BASES for operation, _ in read.cigartuples or ()):
        return start
    return end


def _having(flag: Integers, bit: int) -> int:
    return int(np.count_nonzero(flag & bit))


def _check_end(path: Path) -> None:
    """Raise UserError if a BGZF file lacks its last block: htslib only warns, and the rest of the file may be lost."""
    with path.open("rb") as file:
        if not file.read(2):
            raise UserError(f"{path}: expected BAM, CRAM or SAM, found an empty file")
        file.seek(0)
        if file.read(2) != GZIP_MAGIC:
            return
        size = file.seek(0, 2)
        file.seek(max(0, size - len(BGZF_END)))
        if file.read() != BGZF_END:
            raise UserError(
                f"{path}: the end-of-file block of BAM is missing at byte {size}: the file was probably truncated; "
                "copy or make it again"
            )
