"""All that is called from outside, as one function, so that one object file has everything."""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.batches import split
from divvy_coverage.counting.compiled.bins import mark_bins
from divvy_coverage.counting.compiled.decode import decode
from divvy_coverage.counting.compiled.overlaps import count_pairs, count_spans, drop
from divvy_coverage.counting.compiled.profiles import profile


@njit
def run(loop, cells, address, number):
    """Run the loop of that number on its cells, and on the `number` rows or bytes at an address."""
    if loop == at.DECODE:
        return decode(cells, address, number)
    if loop == at.SPLIT:
        return split(cells, address, number)
    if loop == at.DROP:
        return drop(cells, address, number)
    if loop == at.COUNT_SPANS:
        return count_spans(cells, address, number)
    if loop == at.COUNT_PAIRS:
        return count_pairs(cells, address, number)
    if loop == at.MARK_BINS:
        return mark_bins(cells, address, number)
    return profile(cells, address, number)
