"""Spans over the regions of a set: how many start and end at each rank, and which overlap any region."""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.batches import get_row, set_row
from divvy_coverage.counting.compiled.memory import add, get, put


@njit
def bisect(values, first, last, limit):
    """Return the place of `limit` among the sorted values[first:last]: after all that are below it."""
    while first < last:
        middle = (first + last) // 2
        if get(values, middle) < limit:
            first = middle + 1
        else:
            last = middle
    return first


@njit
def search_around(values, first, last, near, limit):
    """Bisect in the neighborhood of `near`, which doubles until it holds the place of `limit`."""
    step = 1
    if near < last and get(values, near) < limit:
        low, high = near + 1, near + 1
        while high < last and get(values, high) < limit:
            low = high + 1
            high += step
            step *= 2
        return bisect(values, low, min(high, last), limit)
    high = low = near
    while low > first and get(values, low - 1) >= limit:
        high = low - 1
        low -= step
        step *= 2
    return bisect(values, max(low, first), high, limit)


@njit(forceinline=True)
def find_rank(values, first, last, near, limit):
    """Return the place of `limit`; the rank of the span before, `near`, mostly is the one in a file in order."""
    if near < first or near > last:
        near = first
    right = near == last or get(values, near) >= limit
    left = near == first or get(values, near - 1) < limit
    return near if right & left else search_around(values, first, last, near, limit)


@njit(forceinline=True)
def rank_span(cells, row):
    """Return the two ranks of a span, of which the second is larger if it overlaps a region; -1 and -1 without ranks.

    They are kept as the places to search from.
    """
    contig, start, end = get(row, at.ROW_CONTIG), get(row, at.ROW_START), get(row, at.ROW_END)
    first, last = get(get(cells, at.AT_FIRST), contig), get(get(cells, at.AT_FIRST), contig + 1)
    if (start >= end) | (first == last):
        return -1, -1
    ended = find_rank(get(cells, at.AT_ENDS), first, last, get(cells, at.ENDED), start + 1)
    begun = find_rank(get(cells, at.AT_STARTS), first, last, get(cells, at.BEGUN), end)
    put(cells, at.ENDED, ended)
    put(cells, at.BEGUN, begun)
    return ended, begun


@njit(forceinline=True)
def count_span(cells, row):
    """Count a span by its ranks; return whether it overlaps a region."""
    ended, begun = rank_span(cells, row)
    if ended >= 0:
        contig = get(row, at.ROW_CONTIG)
        add(get(cells, at.AT_START_RANKS), ended + contig, 1)
        add(get(cells, at.AT_END_RANKS), begun + contig, 1)
    return begun > ended


@njit
def count_spans(cells, rows, number):
    """Count spans in the regions of a set."""
    overlapping = 0
    for i in range(number):
        overlapping += count_span(cells, get_row(rows, i))
    add(cells, at.IN_REGIONS, overlapping)
    return 0


@njit
def count_both(cells, contig, low, high):
    """Count a fragment in all regions that hold both of its insertions, in which each counted once."""
    first, last = get(get(cells, at.AT_FIRST), contig), get(get(cells, at.AT_FIRST), contig + 1)
    region = bisect(get(cells, at.AT_STARTS), first, last, low + 1) - 1
    while region >= first and get(get(cells, at.AT_REACH), region) > high:
        if get(get(cells, at.AT_PAIRED_ENDS), region) > high:
            add(get(cells, at.AT_BOTH), region, 1)
        region -= 1


@njit
def count_pairs(cells, rows, number):
    """Count fragments in the regions of a set by their insertions, a row each; once in a region that holds both."""
    for i in range(0, number, 2):
        first, second = get_row(rows, i), get_row(rows, i + 1)
        has_first, has_second = count_span(cells, first), count_span(cells, second)
        if has_first & has_second:
            sites = get(first, at.ROW_START), get(second, at.ROW_START)
            count_both(cells, get(first, at.ROW_CONTIG), min(sites), max(sites))
        add(cells, at.IN_REGIONS, has_first | has_second)
    return 0


@njit
def drop(cells, rows, number):
    """Drop the spans that overlap a region; return how many are left, which are moved to the front."""
    left = 0
    for i in range(number):
        row = get_row(rows, i)
        ended, begun = rank_span(cells, row)
        if begun <= ended:
            set_row(rows, left, get(row, at.ROW_CONTIG), get(row, at.ROW_START), get(row, at.ROW_END))
            left += 1
    return left
