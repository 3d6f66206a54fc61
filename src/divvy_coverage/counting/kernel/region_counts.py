"""How many units overlap each region of a set, and which overlap any."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.kernel.cells import Cells
from divvy_coverage.counting.kernel.load import Run
from divvy_coverage.intervals.codes import put_on_line, sort_by_contig, take_off_line
from divvy_coverage.intervals.overlaps import sum_over_ranks
from divvy_coverage.intervals.regions import Regions


class RegionCounts:
    """Counts units over regions, on contigs that are numbered by their place in `contigs`.

    With `in_pairs`, a unit is two spans, which count once in a region that both overlap.
    """

    def __init__(self, run: Run, regions: Regions, contigs: Sequence[str], in_pairs: bool = False) -> None:
        self._run, self._number = run, len(regions)
        self._loop = at.COUNT_PAIRS if in_pairs else at.COUNT_SPANS
        self._order, self._first = sort_by_contig(regions.contigs, regions.codes, contigs, regions.starts, regions.ends)
        ends = regions.ends[self._order]
        line = put_on_line(np.repeat(np.arange(len(contigs), dtype=np.int32), np.diff(self._first)), ends)
        arrays: dict[int, NDArray[Any]] = {
            at.AT_FIRST: self._first,
            at.AT_STARTS: regions.starts[self._order],
            at.AT_ENDS: take_off_line(np.sort(line))[1],
            at.AT_PAIRED_ENDS: ends,
            at.AT_REACH: take_off_line(np.maximum.accumulate(line))[1],
            at.AT_START_RANKS: np.zeros(len(ends) + len(contigs), np.int64),
            at.AT_END_RANKS: np.zeros(len(ends) + len(contigs), np.int64),
            at.AT_BOTH: np.zeros(len(ends), np.int64),
        }
        self._cells = Cells(at.REGION_SET_CELLS, {}, arrays)

    @property
    def in_regions(self) -> int:
        """How many units overlap at least one region."""
        return self._cells[at.IN_REGIONS]

    def take(self, rows: int, number: int) -> None:
        """Count the spans in the rows of a batch."""
        self._run(self._loop, self._cells.address, rows, number)

    def drop(self, rows: int, number: int) -> int:
        """Drop the rows whose span overlaps a region, in place; return how many are left."""
        return self._run(at.DROP, self._cells.address, rows, number)

    def compute(self) -> Integers:
        """Return the counts of the regions (int64, region order)."""
        counts = np.zeros(self._number, np.int64)
        arrays = self._cells.arrays
        for contig, (first, last) in enumerate(zip(self._first.tolist(), self._first[1:].tolist(), strict=False)):
            if first < last:
                regions = (arrays[cell][first:last] for cell in (at.AT_STARTS, at.AT_PAIRED_ENDS, at.AT_ENDS))
                slots = slice(first + contig, last + contig + 1)
                ranks = (arrays[cell][slots] for cell in (at.AT_START_RANKS, at.AT_END_RANKS))
                counts[self._order[first:last]] = sum_over_ranks(*regions, *ranks)
        counts[self._order] -= arrays[at.AT_BOTH]
        return counts
