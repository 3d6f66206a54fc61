"""What is known of a sample's alignments besides the counts of regions: the row of statistics, and histograms."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.definition import REASONS

# numbers of alignments by kind, and of what is counted; config/README.md defines each
TOTALS = ("alignments", "unmapped", "duplicates", "proper_pairs", "kept", "fragments", "counted", "in_regions")
# the reasons of exclusion that have a column of their own in the table of statistics
REPORTED_REASONS = (
    "unmapped",
    "secondary",
    "qc_fail",
    "duplicate",
    "supplementary",
    "missing_flags",
    "mapping_quality",
)
MITOCHONDRIAL_CONTIGS = ("chrM", "MT")
LARGEST_FRAGMENT = 2000  # bp; longer fragments are counted with those of this length
TSS_FLANK = 2000  # bp on both sides of a transcription start site
EDGE = 100  # bp at both ends of the profile around start sites that are taken for the background
CENTER = 50  # bp on both sides of a start site that are taken for the signal


def _make_zeros(size: int) -> Integers:
    return np.zeros(size, np.int64)


@dataclass
class Tally:
    """Statistics of the alignments of a sample; all arrays are int64. `tally["kept"]` is one of the totals.

    Attributes
    ----------
    totals
        Numbers of alignments by kind (TOTALS).
    excluded
        Numbers of alignments that are not kept, by reason (REASONS).
    mapping_quality
        Numbers of primary alignments on a contig by mapping quality (256).
    fragment_lengths
        Numbers of fragments by length (0 to LARGEST_FRAGMENT bp).
    tss_profile
        Numbers of insertions by distance from a start site in the direction of its strand (-TSS_FLANK to TSS_FLANK bp).
    contigs
        Numbers of primary alignments by contig.
    """

    totals: Integers = field(default_factory=lambda: _make_zeros(len(TOTALS)))
    excluded: Integers = field(default_factory=lambda: _make_zeros(len(REASONS)))
    mapping_quality: Integers = field(default_factory=lambda: _make_zeros(256))
    fragment_lengths: Integers = field(default_factory=lambda: _make_zeros(LARGEST_FRAGMENT + 1))
    tss_profile: Integers = field(default_factory=lambda: _make_zeros(2 * TSS_FLANK + 1))
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

    def compute_statistics(
        self, mitochondrial_contigs: Collection[str] = MITOCHONDRIAL_CONTIGS
    ) -> dict[str, int | float | None]:
        """Return the row of statistics, by column; None where there is nothing to compute a value from."""
        primary = sum(self.contigs.values())
        mitochondrial = sum(self.contigs.get(contig, 0) for contig in mitochondrial_contigs)
        return {
            **dict(zip(TOTALS, self.totals.tolist(), strict=True)),
            "frip": self["in_regions"] / self["counted"] if self["counted"] else None,
            "mitochondrial_fraction": mitochondrial / primary if primary else None,
            "fragment_length_median": find_median(self.fragment_lengths),
            "mapping_quality_median": find_median(self.mapping_quality),
            **{f"excluded_{reason}": int(self.excluded[REASONS.index(reason)]) for reason in REPORTED_REASONS},
            "tss_enrichment": compute_enrichment(self.tss_profile),
        }

    def get_histograms(self) -> dict[str, dict[str, int]]:
        """Return the histograms by kind, without their zeros."""
        return {
            "mapping_quality": _drop_zeros(self.mapping_quality),
            "fragment_length": _drop_zeros(self.fragment_lengths),
            "excluded": {reason: n for reason, n in zip(REASONS, self.excluded.tolist(), strict=True) if n},
            "contigs": {contig: n for contig, n in self.contigs.items() if n},
        }

    def describe(self, mitochondrial_contigs: Collection[str], with_profile: bool) -> dict[str, Any]:
        """Return row of statistics, histograms and, if asked for, the profile around start sites, as JSON has them."""
        statistics = self.compute_statistics(mitochondrial_contigs)
        profile = {"tss_profile": self.tss_profile.tolist()} if with_profile else {}
        return {"statistics": statistics, "histograms": self.get_histograms()} | profile


def find_median(histogram: Integers) -> int | None:
    """Return the lower median of what a histogram counts; None if it counts nothing."""
    total = int(histogram.sum())
    return int(np.searchsorted(np.cumsum(histogram), (total + 1) // 2)) if total else None


def compute_enrichment(profile: Integers) -> float | None:
    """Return the mean of a profile within CENTER bp of the start site, over its mean in EDGE bp at both ends.

    None if there is nothing at the ends. `profile` is from -TSS_FLANK to TSS_FLANK bp.
    """
    center = profile[TSS_FLANK - CENTER : TSS_FLANK + CENTER + 1].mean()
    background = compute_background(profile)
    return float(center / background) if background else None


def compute_background(profile: Integers) -> float:
    """Return the mean of a profile in EDGE bp at both ends."""
    return float(np.concatenate([profile[:EDGE], profile[-EDGE:]]).mean())


def _drop_zeros(histogram: Integers) -> dict[str, int]:
    return {str(i): int(histogram[i]) for i in np.flatnonzero(histogram).tolist()}
