"""Batches: rows of contig, start and end, one after the other; and fragments as the two insertions that they are."""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.memory import get, put


@njit(forceinline=True)
def get_row(rows, number):
    """Return the address of a row."""
    return rows + 8 * at.ROW * number


@njit(forceinline=True)
def set_row(rows, number, contig, start, end):
    """Write a row."""
    row = get_row(rows, number)
    put(row, at.ROW_CONTIG, contig)
    put(row, at.ROW_START, start)
    put(row, at.ROW_END, end)


@njit(forceinline=True)
def append(cells, batch, contig, start, end):
    """Append a row to the batch whose address is in a cell, which the number of its rows follows."""
    number = get(cells, batch + 1)
    set_row(get(cells, batch), number, contig, start, end)
    put(cells, batch + 1, number + 1)


@njit
def split(cells, rows, number):
    """Write the two insertions of each fragment, shifted, as a row each; one that is not on its contig is empty."""
    insertions = get(cells, at.AT_SPLIT)
    for i in range(number):
        row = get_row(rows, i)
        contig, start, end = get(row, at.ROW_CONTIG), get(row, at.ROW_START), get(row, at.ROW_END)
        length = get(get(cells, at.AT_LENGTHS), contig)
        first, second = start + get(cells, at.SHIFT_FORWARD), end - 1 + get(cells, at.SHIFT_REVERSE)
        has_first, has_second = 0 <= first < length and start < end, 0 <= second < length and start < end
        set_row(insertions, 2 * i, contig, first, first + has_first)
        set_row(insertions, 2 * i + 1, contig, second, second + has_second)
    return 0
