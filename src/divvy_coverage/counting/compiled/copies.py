"""Fragments, duplicates among them, of which it is told how often each occurs: copies of one have its positions.

They are compared as in ENCODE's recipe for the complexity of a library: proper pairs by the start of the leftmost mate,
the end of the other one, and both strands; single-end reads by start, end and strand.
"""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.constants import COMPARED_MIN_MAPQ, NOT_COMPARED, REVERSE
from divvy_coverage.counting.compiled.memory import get, put
from divvy_coverage.counting.compiled.records import MULTIPLIER

LOW_32_BITS, LOW_35_BITS = (1 << 32) - 1, (1 << 35) - 1  # what is left of a number that is shifted right


@njit(forceinline=True)
def is_compared(flag, mapq, contig, position):
    """Tell whether an alignment, or as a mate its fragment, is one of those whose copies are told."""
    return (flag & NOT_COMPARED == 0) & (mapq >= COMPARED_MIN_MAPQ) & (contig >= 0) & (position >= 0)


@njit(forceinline=True)
def note_copy(cells, contig, start, end, left_flag, right_flag):
    """Note a fragment: a hash of its positions and strands, and its end, beyond which no copy of it can follow."""
    value = (contig << 32 | start) * MULTIPLIER
    value ^= value >> 29 & LOW_35_BITS
    strands = (left_flag & REVERSE != 0) | (right_flag & REVERSE != 0) << 1
    value = (value ^ (end << 2 | strands)) * MULTIPLIER
    value ^= value >> 32 & LOW_32_BITS
    number = get(cells, at.COPIES)
    put(get(cells, at.AT_COPY_HASHES), number, value * MULTIPLIER)
    put(get(cells, at.AT_COPY_ENDS), number, contig << 32 | end)
    put(cells, at.COPIES, number + 1)
