"""The row of statistics of a sample in a region set."""

from collections.abc import Collection

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled.constants import REASONS
from divvy_coverage.counting.definition import MITOCHONDRIA
from divvy_coverage.counting.tally import Tally
from divvy_coverage.quality.complexity import compute_complexity, sum_copies
from divvy_coverage.quality.fractions import divide
from divvy_coverage.quality.start_sites import compute_enrichment

Statistics = dict[str, int | float | None]  # by column

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


def compute_statistics(
    tally: Tally,
    in_regions: int,
    in_peaks: int | None = None,
    mitochondrial_contigs: Collection[str] | None = None,
) -> Statistics:
    """Return the row of statistics, by column; None where there is nothing to compute a value from.

    Parameters
    ----------
    tally
        Of the sample.
    in_regions
        How many of what was counted overlap a region.
    in_peaks
        How many overlap a peak of the sample; None without peaks.
    mitochondrial_contigs
        Names of these; None for the usual ones.
    """
    mitochondrial = MITOCHONDRIA if mitochondrial_contigs is None else mitochondrial_contigs
    paired = bool(tally["paired"])
    statistics: Statistics = {
        "usable": tally["usable"],
        "in_regions": in_regions,
        "frip": divide(in_regions, tally["usable"]),
        "frip_own_peaks": divide(in_peaks, tally["usable"]),
        **{name: tally[name] for name in REPORTED_TOTALS},
        "without_mate": count_without_mate(tally),
        "mitochondrial_fraction": _compute_fraction(tally, mitochondrial),
        "fragment_length_median": find_median(tally.fragment_lengths),
        "mapping_quality_median": find_median(tally.mapping_quality),
        **{f"excluded_{reason}": int(tally.excluded[REASONS.index(reason)]) for reason in REPORTED_REASONS},
        **{f"excluded_{name}": tally[total] for name, total in EXCLUDED_TOTALS.items()},
        "contradictory_lengths": tally["contradictory_lengths"],
        **compute_complexity(None if tally.copies is None else sum_copies(tally.copies, mitochondrial)),
        "tss_enrichment": compute_enrichment(tally.tss_profile),
    }
    unknown = () if paired else ("proper_pairs", "fragments", "without_mate", "contradictory_lengths")
    return statistics | dict.fromkeys((*unknown, *(UNKNOWN_IN_TEXT if tally.is_filtered else ())))


def count_without_mate(tally: Tally) -> int:
    """Return how many kept alignments of proper pairs are in no fragment."""
    return tally["kept_proper"] - 2 * tally["fragments"]


def find_median(histogram: Integers) -> int | None:
    """Return the lower median of what a histogram counts; None if it counts nothing."""
    total = int(histogram.sum())
    return int(np.searchsorted(np.cumsum(histogram), (total + 1) // 2)) if total else None


def _compute_fraction(tally: Tally, contigs: Collection[str]) -> float | None:
    """Return the fraction of the primary alignments on some contigs; None if no header has any of these."""
    here = [tally.contigs[contig] for contig in contigs if contig in tally.contigs]
    return divide(sum(here) if here else None, sum(tally.contigs.values()))
