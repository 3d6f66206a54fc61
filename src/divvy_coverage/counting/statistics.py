"""What is known of a sample's alignments besides the counts of regions: the row of statistics, and histograms."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled.constants import LARGEST_FRAGMENT, REASONS, TOTALS, TSS_FLANK
from divvy_coverage.counting.definition import MITOCHONDRIA

# the totals that are columns of the table of statistics after `usable`, as far as they are known
REPORTED_TOTALS = ("alignments", "unmapped", "duplicates", "proper_pairs", "kept", "fragments")
# the reasons of exclusion that have a column of their own there
REPORTED_REASONS = (
    *("unmapped", "secondary", "qc_fail", "duplicate", "supplementary", "missing_flags", "mapping_quality", "contig"),
)
EXCLUDED_TOTALS = {"fragment_length": "excluded_length", "blacklist": "blacklisted"}  # by the name of the column
# the columns that are not known of text files, whose alignments were filtered when they were made
UNKNOWN_IN_TEXT = (
    *("unmapped", "duplicates", "without_mate", "mapping_quality_median", "contradictory_lengths"),
    *(f"excluded_{reason}" for reason in REPORTED_REASONS if reason != "contig"),
)
EDGE = 100  # bp at both ends of the profile around start sites that are taken for the background
CENTER = 50  # bp on both sides of a start site that are taken for the signal


def _make_zeros(size: int) -> Integers:
    return np.zeros(size, np.int64)


@dataclass
class Tally:
    """Statistics of the alignments of a sample; all arrays are int64. `tally["usable"]` is one of the totals.

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
    copies
        How many fragments occur 0 times, once, twice and so on, with duplicates (see `kernel.copies`); None if that is
        not known.
    is_filtered
        Whether some are of a text file, so that it is not known what was filtered out of it.
    """

    totals: Integers = field(default_factory=lambda: _make_zeros(len(TOTALS)))
    excluded: Integers = field(default_factory=lambda: _make_zeros(len(REASONS)))
    mapping_quality: Integers = field(default_factory=lambda: _make_zeros(256))
    fragment_lengths: Integers = field(default_factory=lambda: _make_zeros(LARGEST_FRAGMENT + 1))
    tss_profile: Integers = field(default_factory=lambda: _make_zeros(2 * TSS_FLANK + 1))
    contigs: dict[str, int] = field(default_factory=dict)
    copies: Integers | None = None
    is_filtered: bool = False

    def add(self, other: "Tally") -> None:
        """Add the statistics of another file of the same sample."""
        self.totals += other.totals
        self.excluded += other.excluded
        self.mapping_quality += other.mapping_quality
        self.fragment_lengths += other.fragment_lengths
        self.tss_profile += other.tss_profile
        for contig, number in other.contigs.items():
            self.contigs[contig] = self.contigs.get(contig, 0) + number
        self.copies = None  # what is in both files is not known
        self.is_filtered |= other.is_filtered

    def forget_unknown(self, contigs: dict[str, int]) -> None:
        """Take it for the tally of a text file, with these numbers of alignments by contig."""
        self.mapping_quality[:] = 0
        self.contigs, self.copies, self.is_filtered = contigs, None, True

    def __getitem__(self, name: str) -> int:
        return int(self.totals[TOTALS.index(name)])

    def compute_statistics(
        self,
        in_regions: int,
        in_peaks: int | None = None,
        mitochondrial_contigs: Collection[str] = MITOCHONDRIA,
    ) -> dict[str, int | float | None]:
        """Return the row of statistics, by column; None where there is nothing to compute a value from.

        `in_regions` is how many of what was counted overlap a region, and `in_peaks` how many a peak of the sample.
        """
        statistics = {
            "usable": self["usable"],
            "in_regions": in_regions,
            "frip": _divide(in_regions, self["usable"]),
            "frip_own_peaks": _divide(in_peaks, self["usable"]),
            **{name: self._get_total(name) for name in REPORTED_TOTALS},
            "without_mate": self.without_mate if self["paired"] else None,
            "mitochondrial_fraction": self._compute_fraction(mitochondrial_contigs),
            "fragment_length_median": find_median(self.fragment_lengths),
            "mapping_quality_median": find_median(self.mapping_quality),
            **{f"excluded_{reason}": int(self.excluded[REASONS.index(reason)]) for reason in REPORTED_REASONS},
            **{f"excluded_{name}": self[total] for name, total in EXCLUDED_TOTALS.items()},
            "contradictory_lengths": self["contradictory_lengths"] if self["paired"] else None,
            **compute_complexity(self.copies),
            "tss_enrichment": compute_enrichment(self.tss_profile),
        }
        return statistics | dict.fromkeys(UNKNOWN_IN_TEXT if self.is_filtered else ())

    @property
    def without_mate(self) -> int:
        """How many kept alignments of proper pairs are in no fragment."""
        return self["kept_proper"] - 2 * self["fragments"]

    def _get_total(self, name: str) -> int | None:
        """Return a total; None if it cannot be known of single-end data."""
        return None if name in ("proper_pairs", "fragments") and not self["paired"] else self[name]

    def _compute_fraction(self, contigs: Collection[str]) -> float | None:
        """Return the fraction of the primary alignments on some contigs; None if no header has any of these."""
        primary = sum(self.contigs.values())
        here = [self.contigs[contig] for contig in contigs if contig in self.contigs]
        return sum(here) / primary if here and primary else None

    def get_histograms(self) -> dict[str, dict[str, int]]:
        """Return the histograms by kind, without their zeros."""
        return {
            "mapping_quality": _drop_zeros(self.mapping_quality),
            "fragment_length": _drop_zeros(self.fragment_lengths),
            "excluded": {reason: n for reason, n in zip(REASONS, self.excluded.tolist(), strict=True) if n},
            "contigs": {contig: n for contig, n in self.contigs.items() if n},
            "copies": {} if self.copies is None else _drop_zeros(self.copies),
        }

    def describe(
        self, in_regions: int, in_peaks: int | None, mitochondrial_contigs: Collection[str], with_profile: bool
    ) -> dict[str, Any]:
        """Return row of statistics, histograms and, if asked for, the profile around start sites, as JSON has them."""
        statistics = self.compute_statistics(in_regions, in_peaks, mitochondrial_contigs)
        profile = {"tss_profile": self.tss_profile.tolist()} if with_profile else {}
        return {"statistics": statistics, "histograms": self.get_histograms()} | profile


def find_median(histogram: Integers) -> int | None:
    """Return the lower median of what a histogram counts; None if it counts nothing."""
    total = int(histogram.sum())
    return int(np.searchsorted(np.cumsum(histogram), (total + 1) // 2)) if total else None


def compute_complexity(copies: Integers | None) -> dict[str, float | None]:
    """Return ENCODE's measures of the complexity of a library, of how many fragments occur how often (from 0 times).

    NRF is the distinct ones over all, PBC1 those that occur once over the distinct ones, and PBC2 those that occur once
    over those that occur twice (encodeproject.org/data-standards/terms).
    """
    if copies is None:
        return dict.fromkeys(("nrf", "pbc1", "pbc2"))
    once, twice = copies[1:3].tolist() if len(copies) > 2 else (int(copies[1]), 0)
    all_of_them, distinct = int(np.dot(copies, np.arange(len(copies)))), int(copies.sum())
    pairs = {"nrf": (distinct, all_of_them), "pbc1": (once, distinct), "pbc2": (once, twice)}
    return {name: _divide(above, below) for name, (above, below) in pairs.items()}


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


def _divide(above: int | None, below: int) -> float | None:
    return above / below if above is not None and below else None
