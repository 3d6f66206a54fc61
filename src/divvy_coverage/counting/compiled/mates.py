"""Mates that wait for the other one of their pair: a hash table with open addressing and linear probing.

In a file in order of coordinates few wait at a time: what waits in vain is given up when there is no room. The hash of
a name is compared together with contig, both positions and which mate of the two it is, so that mates which only share
a hash are not taken for a pair.
"""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.constants import FIRST, REVERSE
from divvy_coverage.counting.compiled.memory import get, put, read_int32
from divvy_coverage.counting.compiled.records import NEXT_POSITION, TEMPLATE_LENGTH


@njit(forceinline=True)
def get_slot(table, number):
    """Return the address of a slot."""
    return table + 8 * at.SLOT * number


@njit(forceinline=True)
def find_home(key, slots):
    """Return the slot where a key belongs."""
    return (key >> 1) & (slots - 1)


@njit(forceinline=True)
def is_pair(slot, key, record, flag, purpose, contig, position):
    """Tell whether the mate in a slot and the alignment of a record are the two of a pair, for the same purpose."""
    return (
        (get(slot, at.KEY) == key)
        & (get(slot, at.START) == read_int32(record, NEXT_POSITION))
        & (get(slot, at.MATE_START) == position)
        & (get(slot, at.SLOT_CONTIG) == contig)
        & ((get(slot, at.FLAG) ^ flag) & FIRST != 0)
        & (get(slot, at.FLAG) & purpose != 0)
    )


@njit
def remove_mate(cells, number):
    """Empty a slot, and move those that follow back to where they are found."""
    table, slots = get(cells, at.AT_MATES), get(cells, at.SLOTS)
    mask = slots - 1
    hole, other = number, (number + 1) & mask
    while get(get_slot(table, other), at.KEY):
        home = find_home(get(get_slot(table, other), at.KEY), slots)
        if (other - home) & mask >= (other - hole) & mask:
            for field in range(at.SLOT):
                put(get_slot(table, hole), field, get(get_slot(table, other), field))
            hole = other
        other = (other + 1) & mask
    put(get_slot(table, hole), at.KEY, 0)
    put(cells, at.WAITING, get(cells, at.WAITING) - 1)


@njit(forceinline=True)
def find_mate(cells, record, key, flag, purpose, contig, position):
    """Return the number of the slot of an alignment's mate; if it does not wait, -1 less the number of a free slot."""
    table, slots = get(cells, at.AT_MATES), get(cells, at.SLOTS)
    number = find_home(key, slots)
    while True:
        slot = get_slot(table, number)
        if get(slot, at.KEY) == 0:
            return -1 - number
        if is_pair(slot, key, record, flag, purpose, contig, position):
            return number
        number = (number + 1) & (slots - 1)


@njit(forceinline=True)
def let_wait(cells, number, record, key, flag, purpose, contig, position, end):
    """Put an alignment into the slot of that number, which has to be free; `purpose` is what it waits for."""
    slot = get_slot(get(cells, at.AT_MATES), number)
    put(slot, at.KEY, key)
    put(slot, at.START, position)
    put(slot, at.MATE_START, read_int32(record, NEXT_POSITION))
    put(slot, at.SLOT_CONTIG, contig)
    put(slot, at.LENGTH, abs(read_int32(record, TEMPLATE_LENGTH)))
    put(slot, at.END, end)
    put(slot, at.FLAG, flag & (FIRST | REVERSE) | purpose)
    put(cells, at.WAITING, get(cells, at.WAITING) + 1)
