"""How many spans overlap each region, exactly and for any nesting, without a loop over regions.

For half-open intervals, a span [s, e) with s < e overlaps a region [a, b) if s < b and not e <= a, and e <= a implies
s < b. So the count of a region is the number of spans that start before its end less the number of spans that end at
or before its start.
"""

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.intervals.codes import put_on_line, recode
from divvy_coverage.intervals.regions import Regions


def count_overlapping(regions: Regions, others: Regions) -> Integers:
    """Return how many of the others share at least 1 bp with each of n regions (int64, n)."""
    codes = recode(others.contigs, others.codes, regions.contigs)
    starts, ends = (np.sort(put_on_line(codes, each)) for each in (others.starts, others.ends))
    before_end = np.searchsorted(starts, put_on_line(regions.codes, regions.ends), side="left")
    before_start = np.searchsorted(ends, put_on_line(regions.codes, regions.starts), side="right")
    counts: Integers = before_end - before_start
    return counts


def sum_over_ranks(
    starts: Integers, ends: Integers, sorted_ends: Integers, start_ranks: Integers, end_ranks: Integers
) -> Integers:
    """Return the number of spans that overlap each of n regions on one contig (int64, n).

    Both numbers of spans come from histograms of ranks: the rank of s among the sorted region ends, and the rank of e
    among the sorted region starts.

    Parameters
    ----------
    starts, ends
        The regions, sorted by their starts (bp, 0-based half-open; n each).
    sorted_ends
        The same ends, sorted (n).
    start_ranks
        Numbers of spans by how many regions end at or before the span's start (n + 1).
    end_ranks
        Numbers of spans by how many regions start before the span's end (n + 1).
    """
    before_end = np.cumsum(start_ranks)[np.searchsorted(sorted_ends, ends, side="left")]
    before_start = np.cumsum(end_ranks)[np.searchsorted(starts, starts, side="left")]
    counts: Integers = before_end - before_start
    return counts
