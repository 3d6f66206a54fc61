"""How many spans overlap each region, exactly and for any nesting, without a loop over regions.

For half-open intervals, a span [s, e) with s < e overlaps a region [a, b) if s < b and not e <= a, and e <= a implies
s < b. So the count of a region is the number of spans that start before its end less the number of spans that end at
or before its start. Both numbers come from histograms of ranks: the rank of s among the sorted region ends, and the
rank of e among the sorted region starts.
"""

from collections.abc import Sequence

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.intervals.regions import Regions


def sum_over_ranks(
    starts: Integers,
    ends: Integers,
    sorted_starts: Integers,
    sorted_ends: Integers,
    start_ranks: Integers,
    end_ranks: Integers,
) -> Integers:
    """Return the number of spans that overlap each of n regions on one contig (int64, n).

    Parameters
    ----------
    starts, ends
        The regions (bp, 0-based half-open; n each).
    sorted_starts, sorted_ends
        The same starts and ends, each sorted for itself (n each).
    start_ranks
        Numbers of spans by how many regions end at or before the span's start (n + 1).
    end_ranks
        Numbers of spans by how many regions start before the span's end (n + 1).
    """
    before_end = np.cumsum(start_ranks)[np.searchsorted(sorted_ends, ends, side="left")]
    before_start = np.cumsum(end_ranks)[np.searchsorted(sorted_starts, starts, side="left")]
    counts: Integers = before_end - before_start
    return counts


class Overlaps:
    """Counts of spans over `regions`; contigs are numbered by their place in `contigs`."""

    def __init__(self, regions: Regions, contigs: Sequence[str]) -> None:
        self.regions = regions
        by_contig: dict[str, list[int]] = {}
        for row, contig in enumerate(regions.contigs):
            by_contig.setdefault(contig, []).append(row)
        self._contigs = {
            number: _Contig(regions.starts, regions.ends, np.array(by_contig[contig]))
            for number, contig in enumerate(contigs)
            if contig in by_contig
        }

    def add(self, contig: int, starts: Integers, ends: Integers) -> int:
        """Count spans [starts, ends) on the contig of that number; return how many overlap at least one region."""
        here = self._contigs.get(contig)
        return here.add(starts, ends) if here else 0

    def counts(self) -> Integers:
        """Return the number of spans that overlap each region (int64, region order)."""
        counts = np.zeros(len(self.regions), np.int64)
        for contig in self._contigs.values():
            counts[contig.rows] = contig.counts()
        return counts


class _Contig:
    def __init__(self, starts: Integers, ends: Integers, rows: Integers) -> None:
        self.rows = rows
        self._starts, self._ends = starts[rows], ends[rows]
        self._sorted_starts, self._sorted_ends = np.sort(self._starts), np.sort(self._ends)
        self._start_ranks, self._end_ranks = (np.zeros(len(rows) + 1, np.int64) for _ in range(2))

    def add(self, starts: Integers, ends: Integers) -> int:
        real = starts < ends  # an alignment without reference bases shares none with a region
        ended = np.searchsorted(self._sorted_ends, starts[real], side="right")
        begun = np.searchsorted(self._sorted_starts, ends[real], side="left")
        self._start_ranks += np.bincount(ended, minlength=len(self._start_ranks))
        self._end_ranks += np.bincount(begun, minlength=len(self._end_ranks))
        return int(np.count_nonzero(begun > ended))

    def counts(self) -> Integers:
        return sum_over_ranks(
            *(self._starts, self._ends, self._sorted_starts, self._sorted_ends), self._start_ranks, self._end_ranks
        )
