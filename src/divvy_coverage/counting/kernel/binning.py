"""Where spans start and end, in bins of the genome."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.counting.bins import Bins
from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.kernel.cells import Cells
from divvy_coverage.counting.kernel.load import Run


class Binning:
    """Counts spans in bins of `size` bp, on contigs of the given lengths (bp).

    A contig has two arrays of int32, as `Bins` has them, from when there is something on it.
    """

    def __init__(self, run: Run, size: int, lengths: Mapping[str, int]) -> None:
        self._run, self._size, self._lengths = run, size, dict(lengths)
        self._arrays: dict[int, NDArray[np.int32]] = {}
        zeros = np.zeros(len(lengths), np.int64)
        arrays = {cell: zeros.copy() for cell in (at.AT_BINS, at.AT_BIN_STARTS, at.AT_BIN_ENDS)}
        arrays[at.AT_CONTIG_LENGTHS] = np.array(list(lengths.values()), np.int64)
        self._cells = Cells(at.BINS_CELLS, {at.BIN_SIZE: size}, arrays)

    def take(self, rows: int, number: int) -> None:
        """Count the spans in the rows of a batch."""
        while (done := self._run(at.MARK_BINS, self._cells.address, rows, number)) < number:
            contig = self._cells[at.WITHOUT_BINS]
            self.reserve(contig, int(self._cells.arrays[at.AT_CONTIG_LENGTHS][contig]))
            rows, number = rows + 8 * at.ROW * done, number - done

    def reserve(self, contig: int, length: int) -> None:
        """Have bins for the first `length` bp of a contig. If it has fewer, it gets twice as many or more."""
        numbers = self._cells.arrays[at.AT_BINS]
        needed, there = max(1, -(-length // self._size)), int(numbers[contig])
        if needed <= there:
            return
        arrays = np.zeros((2, max(needed, 2 * there)), np.int32)
        if there:
            arrays[:, :there] = self._arrays[contig]
        self._arrays[contig] = arrays
        numbers[contig] = arrays.shape[1]
        for cell, array in zip((at.AT_BIN_STARTS, at.AT_BIN_ENDS), arrays, strict=True):
            self._cells.arrays[cell][contig] = array.ctypes.data

    def compute(self) -> Bins:
        """Return the bins."""
        bins, names = Bins(self._size, self._lengths), list(self._lengths)
        for contig, arrays in sorted(self._arrays.items()):
            number = -(-self._lengths[names[contig]] // self._size)
            bins.starts[names[contig]], bins.ends[names[contig]] = (array[:number] for array in arrays)
        return bins
