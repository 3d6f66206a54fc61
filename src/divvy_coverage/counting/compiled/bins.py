"""Spans in bins of the genome."""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.batches import get_row
from divvy_coverage.counting.compiled.memory import divide, get, increment, put


@njit
def mark_bins(cells, rows, number):
    """Note in which bin of its contig each span starts, and in which it ends, as far as it is on it.

    Returns how many rows are done: it stops at one on a contig that has no bins yet, which WITHOUT_BINS then is.
    """
    size = get(cells, at.BIN_SIZE)
    for i in range(number):
        row = get_row(rows, i)
        contig, start = get(row, at.ROW_CONTIG), get(row, at.ROW_START)
        end = min(get(row, at.ROW_END), get(get(cells, at.AT_CONTIG_LENGTHS), contig))
        if start < end:
            if get(get(cells, at.AT_BINS), contig) == 0:
                put(cells, at.WITHOUT_BINS, contig)
                return i
            increment(get(get(cells, at.AT_BIN_STARTS), contig), divide(start, size))
            increment(get(get(cells, at.AT_BIN_ENDS), contig), divide(end - 1, size))
    return number
