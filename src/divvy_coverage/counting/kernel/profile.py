"""Insertions around start sites."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.constants import TSS_FLANK
from divvy_coverage.counting.kernel.cells import Cells
from divvy_coverage.counting.kernel.load import Run
from divvy_coverage.intervals.start_sites import StartSites


class Profile:
    """Counts insertions by their distance from each start site nearby."""

    def __init__(self, run: Run, sites: StartSites, contigs: Sequence[str]) -> None:
        self._run = run
        first, positions, strands = sites.index_by_contig(contigs)
        distances = np.zeros(2 * TSS_FLANK + 1, np.int64)
        arrays: dict[int, NDArray[Any]] = {
            at.AT_FIRST_SITE: first,
            at.AT_SITES: positions,
            at.AT_STRANDS: strands,
            at.AT_DISTANCES: distances,
        }
        self._cells = Cells(at.PROFILE_CELLS, {}, arrays)

    def take(self, rows: int, number: int) -> None:
        """Count the insertions in the rows of a batch."""
        self._run(at.PROFILE, self._cells.address, rows, number)

    def compute(self) -> Integers:
        """Return how many insertions are at -TSS_FLANK to TSS_FLANK bp, in the direction of a site's strand (int64)."""
        return self._cells.arrays[at.AT_DISTANCES]
