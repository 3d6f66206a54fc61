"""Intervals that overlap or touch, made one."""

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.intervals.regions import Regions


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


def merge_regions(regions: Regions) -> Regions:
    """Return regions of which those that overlap or touch are made one, sorted within each contig."""
    contigs = np.array(regions.contigs)
    names: list[str] = []
    starts, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for contig in dict.fromkeys(regions.contigs):
        here = contigs == contig
        _, merged_starts, merged_ends = merge_intervals(regions.starts[here], regions.ends[here])
        names += [contig] * len(merged_starts)
        starts.append(merged_starts)
        ends.append(merged_ends)
    return Regions(names, np.concatenate(starts), np.concatenate(ends))
