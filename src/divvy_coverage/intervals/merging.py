"""Intervals that overlap or touch, made one."""

import numpy as np

from divvy_coverage.arrays import Integers


def merge_intervals(starts: Integers, ends: Integers) -> tuple[Integers, Integers, Integers]:
    """Merge intervals on one contig that overlap or touch.

    Returns for each interval the number of the merged one that it lies in, and the starts and ends of the merged ones,
    which are sorted.
    """
    order = np.argsort(starts)
    begins, reach = starts[order], np.maximum.accumulate(ends[order])
    first = np.append(True, begins[1:] > reach[:-1])
    numbers = np.empty(len(starts), np.int64)
    numbers[order] = np.cumsum(first) - 1
    return numbers, begins[first], reach[np.append(first[1:], True)]
