"""The types of arrays, by what their values are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]  # coordinates (bp) and numbers of things
Coordinates = NDArray[np.int32]  # coordinates (bp) of regions and start sites
Codes = NDArray[np.int32]  # places of contigs in a list of names
Counts = NDArray[np.int32]  # counts of a sample, one per region
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def add_padded(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Return the sum of two arrays of which one may be shorter, as if it ended in zeros."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    total: NDArray[Any] = longer.copy()
    total[: len(shorter)] += shorter
    return total
