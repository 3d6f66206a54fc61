"""Insertions around start sites."""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.batches import get_row
from divvy_coverage.counting.compiled.constants import TSS_FLANK
from divvy_coverage.counting.compiled.memory import add, get, put
from divvy_coverage.counting.compiled.overlaps import find_rank


@njit
def profile(cells, rows, number):
    """Count insertions by their distance from each start site nearby in the direction of its strand."""
    positions, strands = get(cells, at.AT_SITES), get(cells, at.AT_STRANDS)
    for i in range(number):
        row = get_row(rows, i)
        contig, insertion = get(row, at.ROW_CONTIG), get(row, at.ROW_START)
        first, last = get(get(cells, at.AT_FIRST_SITE), contig), get(get(cells, at.AT_FIRST_SITE), contig + 1)
        site = find_rank(positions, first, last, get(cells, at.NEAR_SITE), insertion - TSS_FLANK)
        put(cells, at.NEAR_SITE, site)
        while site < last and get(positions, site) <= insertion + TSS_FLANK:
            add(get(cells, at.AT_DISTANCES), TSS_FLANK + get(strands, site) * (insertion - get(positions, site)), 1)
            site += 1
    return 0
