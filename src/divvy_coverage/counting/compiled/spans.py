"""Spans over the regions of all sets and in bins, and what is in the blacklist; insertions around start sites."""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.constants import TOTALS, TSS_FLANK
from divvy_coverage.counting.compiled.memory import add, divide, get, increment, put

USABLE, BLACKLISTED = TOTALS.index("usable"), TOTALS.index("blacklisted")


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
def rank_span(cells, number, contig, start, end):
    """Find the two ranks of a span in a region set, and keep them as the place to search from; True if it overlaps."""
    row = number * get(cells, at.CONTIGS) + contig
    first, last = get(get(cells, at.AT_FIRST), row), get(get(cells, at.AT_FIRST), row + 1)
    if first == last:
        return False
    near = get(cells, at.AT_NEAR)
    ended = find_rank(get(cells, at.AT_ENDS), first, last, get(near, 2 * number), start + 1)
    begun = find_rank(get(cells, at.AT_STARTS), first, last, get(near, 2 * number + 1), end)
    put(near, 2 * number, ended)
    put(near, 2 * number + 1, begun)
    return begun > ended


@njit(forceinline=True)
def is_usable(cells, contig, start, end):
    """Tell whether a span is outside the blacklist, and count it as usable or as blacklisted."""
    has_blacklist, number = get(cells, at.HAS_BLACKLIST), get(cells, at.SETS)
    blacklisted = has_blacklist and start < end and rank_span(cells, number, contig, start, end)
    add(get(cells, at.AT_TOTALS), BLACKLISTED if blacklisted else USABLE, 1)
    return not blacklisted


@njit(forceinline=True)
def add_span(cells, number, contig, start, end):
    """Count a span in the regions of a set; return whether it overlaps any."""
    overlaps = rank_span(cells, number, contig, start, end)
    row = number * get(cells, at.CONTIGS) + contig
    if get(get(cells, at.AT_FIRST), row) < get(get(cells, at.AT_FIRST), row + 1):
        near = get(cells, at.AT_NEAR)
        add(get(cells, at.AT_START_RANKS), get(near, 2 * number) + row, 1)
        add(get(cells, at.AT_END_RANKS), get(near, 2 * number + 1) + row, 1)
    return overlaps


@njit(forceinline=True)
def mark_bins(cells, contig, start, end):
    """Note in which bin of its contig a span starts, and in which it ends, as far as it is on it."""
    size, end = get(cells, at.BIN_SIZE), min(end, get(get(cells, at.AT_LENGTHS), contig))
    if size != 0 and start < end:
        increment(get(get(cells, at.AT_BIN_STARTS), contig), divide(start, size))
        increment(get(get(cells, at.AT_BIN_ENDS), contig), divide(end - 1, size))


@njit
def count_span(cells, contig, start, end):
    """Count a span in all region sets and in bins."""
    if is_usable(cells, contig, start, end) and start < end:
        mark_bins(cells, contig, start, end)
        for number in range(get(cells, at.SETS)):
            if add_span(cells, number, contig, start, end):
                add(get(cells, at.AT_IN_REGIONS), number, 1)


@njit
def count_both(cells, number, contig, first_site, second_site):
    """Count a fragment in all regions of a set that hold both of its insertions, in which each counted once."""
    low, high = min(first_site, second_site), max(first_site, second_site)
    row = number * get(cells, at.CONTIGS) + contig
    first, last = get(get(cells, at.AT_FIRST), row), get(get(cells, at.AT_FIRST), row + 1)
    region = bisect(get(cells, at.AT_STARTS), first, last, low + 1) - 1
    while region >= first and get(get(cells, at.AT_REACH), region) > high:
        if get(get(cells, at.AT_PAIRED_ENDS), region) > high:
            add(get(cells, at.AT_BOTH), region, 1)
        region -= 1


@njit
def count_insertions(cells, contig, start, end):
    """Count the two insertions of the fragment [start, end) in all region sets, once in a region that holds both."""
    if not is_usable(cells, contig, start, end):
        return
    length = get(get(cells, at.AT_LENGTHS), contig)
    first, second = start + get(cells, at.SHIFT_FORWARD), end - 1 + get(cells, at.SHIFT_REVERSE)
    has_first, has_second = 0 <= first < length and start < end, 0 <= second < length and start < end
    if has_first:
        mark_bins(cells, contig, first, first + 1)
    if has_second:
        mark_bins(cells, contig, second, second + 1)
    for number in range(get(cells, at.SETS)):
        overlaps = has_first and add_span(cells, number, contig, first, first + 1)
        if has_second and add_span(cells, number, contig, second, second + 1):
            if overlaps:
                count_both(cells, number, contig, first, second)
            overlaps = True
        if overlaps:
            add(get(cells, at.AT_IN_REGIONS), number, 1)


@njit
def profile_start_sites(cells, contig, site):
    """Add an insertion to the profile, at its distance from each start site nearby in the direction of its strand."""
    first = get(cells, at.AT_TSS_FIRST)
    positions, strands = get(cells, at.AT_TSS_POSITIONS), get(cells, at.AT_TSS_STRANDS)
    last = get(first, contig + 1)
    number = bisect(positions, get(first, contig), last, site - TSS_FLANK)
    while number < last and get(positions, number) <= site + TSS_FLANK:
        add(get(cells, at.AT_PROFILE), TSS_FLANK + get(strands, number) * (site - get(positions, number)), 1)
        number += 1
