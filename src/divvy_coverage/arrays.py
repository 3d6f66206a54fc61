"""The types of arrays, by what their values are."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]  # coordinates (bp) and numbers of things
Counts = NDArray[np.int32]  # counts of a sample, one per region
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
