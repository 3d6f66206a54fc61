"""What is counted, which alignments are kept, and what is told of them besides the counts."""

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

MODES = ("reads", "fragments", "cuts")
ABSENT_CONTIGS = ("error", "zero")
FLAG_BITS = 0xFFF
PROPER_PAIR, UNMAPPED, REVERSE, FIRST, SECONDARY, DUPLICATE, SUPPLEMENTARY = 0x2, 0x4, 0x10, 0x40, 0x100, 0x400, 0x800
TSS_FLANK = 2000  # bp to both sides of a transcription start site
LARGEST_FRAGMENT = 2000  # bp; longer fragments are counted with those of this length
# numbers of alignments by kind, and of what is counted; config/README.md defines each
TOTALS = ("alignments", "unmapped", "duplicates", "proper_pairs", "kept", "fragments", "counted", "in_regions")
# why an alignment is not kept: the lowest flag that excludes it (in the order of SAM's flags), else another reason
REASONS = (
    *("paired", "proper_pair", "unmapped", "mate_unmapped", "reverse", "mate_reverse", "first", "second"),
    *("secondary", "qc_fail", "duplicate", "supplementary", "missing_flags", "mapping_quality", "unplaced"),
)
MISSING_FLAGS, LOW_MAPQ, UNPLACED = (REASONS.index(name) for name in ("missing_flags", "mapping_quality", "unplaced"))

# the reasons that get a column of their own in the table of statistics
TOLD_REASONS = ("unmapped", "secondary", "qc_fail", "duplicate", "supplementary", "missing_flags", "mapping_quality")


@dataclass(frozen=True)
class Counting:
    """The mode, the filters that an alignment has to pass to be kept, and the shift of cut sites (bp)."""

    mode: str = "reads"
    exclude_flags: int = 3844
    require_flags: int = 0
    min_mapq: int = 0
    shift: tuple[int, int] = (4, -5)
    absent_contigs: str = "error"

    def describe(self) -> dict[str, Any]:
        """Return what makes counts comparable, as JSON has it."""
        return asdict(self) | {"shift": list(self.shift)}


def _zeros(size: int) -> Integers:
    return np.zeros(size, np.int64)


@dataclass
class Tally:
    """Statistics of the alignments of a sample.

    `totals` (by TOTALS), `excluded` (by REASONS), `mapping_quality` (256: primary alignments on a contig),
    `fragment_lengths` (0 to LARGEST_FRAGMENT bp), `tss_profile` (cut sites by distance,
    -TSS_FLANK to TSS_FLANK bp), and `contigs` (primary alignments by contig).
    """

    totals: Integers = field(default_factory=lambda: _zeros(len(TOTALS)))
    excluded: Integers = field(default_factory=lambda: _zeros(len(REASONS)))
    mapping_quality: Integers = field(default_factory=lambda: _zeros(256))
    fragment_lengths: Integers = field(default_factory=lambda: _zeros(LARGEST_FRAGMENT + 1))
    tss_profile: Integers = field(default_factory=lambda: _zeros(2 * TSS_FLANK + 1))
    contigs: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        """Add the statistics of another file of the same sample."""
        self.totals += other.totals
        self.excluded += other.excluded
        self.mapping_quality += other.mapping_quality
        self.fragment_lengths += other.fragment_lengths
        self.tss_profile += other.tss_profile
        for contig, number in other.contigs.items():
            self.contigs[contig] = self.contigs.get(contig, 0) + number

    def __getitem__(self, name: str) -> int:
        return int(self.totals[TOTALS.index(name)])

    def statistics(self, mitochondrial: Collection[str] = ()) -> dict[str, int | float | None]:
        """Return one line of statistics; None where a share or a median has nothing to be of."""
        primary = sum(self.contigs.values())
        of_mitochondria = sum(self.contigs.get(contig, 0) for contig in mitochondrial)
        return {
            **dict(zip(TOTALS, self.totals.tolist(), strict=True)),
            "frip": self["in_regions"] / self["counted"] if self["counted"] else None,
            "mitochondrial": of_mitochondria / primary if primary else None,
            "fragment_length_median": median(self.fragment_lengths),
            "mapping_quality_median": median(self.mapping_quality),
            **{f"excluded_{reason}": int(self.excluded[REASONS.index(reason)]) for reason in TOLD_REASONS},
        }

    def histograms(self) -> dict[str, dict[str, int]]:
        """Return the histograms, without their zeros."""
        return {
            "mapping_quality": _sparse(self.mapping_quality),
            "fragment_length": _sparse(self.fragment_lengths),
            "excluded": {reason: n for reason, n in zip(REASONS, self.excluded.tolist(), strict=True) if n},
            "contigs": {contig: n for contig, n in self.contigs.items() if n},
        }


def sha256(counts: NDArray[np.int32]) -> str:
    """Return the SHA-256 of counts, by which a damaged file is recognised."""
    return hashlib.sha256(np.ascontiguousarray(counts, "<i4").tobytes()).hexdigest()


def median(histogram: Integers) -> int | None:
    """Return the lower median of what a histogram counts; None if that is nothing."""
    total = int(histogram.sum())
    return int(np.searchsorted(np.cumsum(histogram), (total + 1) // 2)) if total else None


def _sparse(histogram: Integers) -> dict[str, int]:
    return {str(i): int(histogram[i]) for i in np.flatnonzero(histogram).tolist()}
