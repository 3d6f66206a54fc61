"""The memory of a compiled loop, from Python."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Integers


class Cells:
    """A block of cells as `compiled.layout` has them, and the arrays whose addresses are in it.

    Attributes
    ----------
    address
        Of the block.
    arrays
        By cell.
    """

    def __init__(self, number: int, settings: Mapping[int, int], arrays: Mapping[int, NDArray[Any]]) -> None:
        self._cells = np.zeros(number, np.int64)
        self.address: int = self._cells.ctypes.data
        self.arrays: dict[int, Integers] = {}
        for cell, value in settings.items():
            self[cell] = value
        self.keep(arrays)

    def __getitem__(self, cell: int) -> int:
        return int(self._cells[cell])

    def __setitem__(self, cell: int, value: int) -> None:
        self._cells[cell] = value

    def keep(self, arrays: Mapping[int, NDArray[Any]]) -> None:
        """Give arrays of whole numbers to the loop, as int64, and keep them as long as it may use them."""
        for cell, array in arrays.items():
            self.arrays[cell] = np.ascontiguousarray(array, np.int64)
            self[cell] = self.arrays[cell].ctypes.data
