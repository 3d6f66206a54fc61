"""The arrays of bins that the compiled loop writes to."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.bins import Bins


class BinArrays:
    """Two arrays of int32 for each contig, as `Bins` has them, from when there are alignments on it.

    Attributes
    ----------
    numbers
        How many bins each contig has, 0 before there is something on it.
    starts, ends
        The addresses of the arrays of each contig.
    """

    def __init__(self, size: int, contigs: int) -> None:
        self._size = size
        self.numbers, self.starts, self.ends = (np.zeros(contigs, np.int64) for _ in range(3))
        self._arrays: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}

    def reserve(self, contig: int, length: int) -> None:
        """Have bins for the first `length` bp of a contig. If it has fewer, it gets twice as many or more."""
        needed, there = max(1, -(-length // self._size)), int(self.numbers[contig])
        if needed <= there:
            return
        arrays = np.zeros((2, max(needed, 2 * there)), np.int32)
        if there:
            arrays[:, :there] = self._arrays[contig]
        self._arrays[contig] = arrays[0], arrays[1]
        self.numbers[contig] = arrays.shape[1]
        self.starts[contig], self.ends[contig] = (array.ctypes.data for array in arrays)

    def get_bins(self, names: Sequence[str], lengths: Integers) -> Bins:
        """Return the bins; `lengths` are those of the contigs (bp), beyond which there are none."""
        bins = Bins(self._size, dict(zip(names, lengths.tolist(), strict=True)))
        for contig, arrays in sorted(self._arrays.items()):
            number = -(-int(lengths[contig]) // self._size)
            bins.starts[names[contig]], bins.ends[names[contig]] = (array[:number] for array in arrays)
        return bins
