"""The loop over the records of BAM: they are decoded, judged and paired, and what one count is goes to a batch."""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.batches import append
from divvy_coverage.counting.compiled.constants import (
    FIRST,
    FRAGMENTS,
    INSERTIONS,
    LARGEST_FRAGMENT,
    PAIRED,
    PAIRED_INSERTIONS,
    READS,
    REVERSE,
    SECONDARY,
    SUPPLEMENTARY,
    TOTALS,
    UNMAPPED,
)
from divvy_coverage.counting.compiled.copies import is_compared, note_copy
from divvy_coverage.counting.compiled.mates import find_mate, get_slot, let_wait, remove_mate
from divvy_coverage.counting.compiled.memory import add, get, put, read_int32
from divvy_coverage.counting.compiled.records import (
    CONTIG,
    FIXED,
    FLAG,
    MAPQ,
    NEXT_POSITION,
    POSITION,
    TEMPLATE_LENGTH,
    count_reference_bases,
    find_problem,
    find_reason,
    hash_name,
    is_mate,
    is_proper,
    read_byte,
    read_uint16,
)

KEPT_PROPER, PAIRS, OTHER_LENGTH, CONTRADICTORY = map(
    TOTALS.index, ("kept_proper", "fragments", "excluded_length", "contradictory_lengths")
)
PURPOSES = at.KEPT | at.COMPARED


@njit(forceinline=True)
def count_alignment(cells, flag, mapq, contig):
    """Count an alignment by kind, kept or not."""
    add(get(cells, at.AT_FLAGS), flag & (at.FLAGS - 1), 1)
    if not flag & (UNMAPPED | SECONDARY | SUPPLEMENTARY) and contig >= 0:
        add(get(cells, at.AT_MAPQ), mapq, 1)
        add(get(cells, at.AT_ALIGNMENTS), contig, 1)


@njit(forceinline=True)
def is_in_order(cells, contig, position):
    """Tell whether an alignment comes after the last one in the order of coordinates, and note where it is."""
    last = get(cells, at.CONTIG)
    put(cells, at.CONTIG, contig)
    before = contig < last or (contig == last and position < get(cells, at.POSITION))
    put(cells, at.POSITION, position)
    return not before


@njit(forceinline=True)
def find_insertion(cells, flag, contig, position, end):
    """Return the insertion of an alignment: its 5' end, shifted; -1 if it has none on its contig.

    An alignment without bases on the reference has no 5' end.
    """
    shift = get(cells, at.SHIFT_REVERSE) if flag & REVERSE else get(cells, at.SHIFT_FORWARD)
    site = (end - 1 if flag & REVERSE else position) + shift
    return site if position < end and 0 <= site < get(get(cells, at.AT_LENGTHS), contig) else -1


@njit(forceinline=True)
def count_read(cells, flag, contig, position, end):
    """Count the span of an alignment, which is extended from its 5' end if that is asked for."""
    start, extend = position, get(cells, at.EXTEND)
    if extend > 0 and start < end:
        if flag & REVERSE:
            start = max(end - extend, 0)
        else:
            end = min(start + extend, max(get(get(cells, at.AT_LENGTHS), contig), start))
    append(cells, at.AT_UNITS, contig, start, end)


@njit(forceinline=True)
def contradicts(lengths, length):
    """Tell whether a TLEN of the two is known (not 0) and says another length than the positions of the mates."""
    return (lengths[0] != 0) & (lengths[0] != length) | (lengths[1] != 0) & (lengths[1] != length)


@njit
def count_fragment(cells, contig, start, end, contradictory):
    """Count a fragment of which both mates are kept; `contradictory`: whether a TLEN says another length."""
    totals, length = get(cells, at.AT_TOTALS), end - start
    add(totals, PAIRS, 1)
    add(totals, CONTRADICTORY, contradictory)
    add(get(cells, at.AT_FRAGMENT_LENGTHS), min(length, LARGEST_FRAGMENT), 1)
    unit = get(cells, at.UNIT)
    if unit != FRAGMENTS and unit != PAIRED_INSERTIONS:
        return
    if not get(cells, at.MIN_LENGTH) <= length <= get(cells, at.MAX_LENGTH):
        add(totals, OTHER_LENGTH, 1)
    else:
        append(cells, at.AT_UNITS, contig, start, end)


@njit
def take_pair(cells, record, slot, flag, purpose, contig, position, end):
    """Count the fragment of two mates, or note it among those that are compared, as `purpose` says.

    It reaches from the start of the forward mate to the end of the reverse one: mates on one strand, or that face away
    from each other, have none.
    """
    other_flag, other_position, other_end = get(slot, at.FLAG), get(slot, at.START), get(slot, at.END)
    if purpose & at.KEPT and (flag ^ other_flag) & REVERSE:
        first, last = (other_position, end) if flag & REVERSE else (position, other_end)
        if first < last:
            lengths = abs(read_int32(record, TEMPLATE_LENGTH)), get(slot, at.LENGTH)
            count_fragment(cells, contig, first, last, contradicts(lengths, last - first))
    if purpose & at.COMPARED:
        if position < other_position or (position == other_position and flag & FIRST):
            note_copy(cells, contig, position, other_end, flag, other_flag)
        else:
            note_copy(cells, contig, other_position, end, other_flag, flag)


@njit
def pair_up(cells, record, flag, purpose, contig, position, end):
    """Let a mate wait for the other one or, if that waits, take the two; False if there is no room to wait.

    `purpose` is what the mate is good for: to be counted, to be compared, or both. For each, both mates have to be.
    """
    if 4 * get(cells, at.WAITING) >= 3 * get(cells, at.SLOTS):
        return False
    key = hash_name(record)
    while purpose:
        found = find_mate(cells, record, key, flag, purpose, contig, position)
        if found < 0:
            if get(cells, at.IN_ORDER) == 0 or read_int32(record, NEXT_POSITION) >= position:
                let_wait(cells, -1 - found, record, key, flag, purpose, contig, position, end)
            return True  # or the other mate was passed, and was not let wait
        slot = get_slot(get(cells, at.AT_MATES), found)
        common = purpose & get(slot, at.FLAG)
        take_pair(cells, record, slot, flag, common, contig, position, end)
        purpose ^= common
        if get(slot, at.FLAG) & PURPOSES == common:
            remove_mate(cells, found)
        else:
            put(slot, at.FLAG, get(slot, at.FLAG) ^ common)
    return True


@njit(forceinline=True)
def count_kept(cells, flag, contig, position, end):
    """Count a kept alignment by itself, as the units do that need no mate."""
    add(get(cells, at.AT_TOTALS), KEPT_PROPER, is_proper(flag))
    unit, with_insertions = get(cells, at.UNIT), get(cells, at.WITH_INSERTIONS)
    if unit == INSERTIONS or with_insertions:
        site = find_insertion(cells, flag, contig, position, end)
        if site >= 0 and with_insertions:
            append(cells, at.AT_INSERTIONS, contig, site, site + 1)
        if site >= 0 and unit == INSERTIONS:
            append(cells, at.AT_UNITS, contig, site, site + 1)
    if unit == READS:
        count_read(cells, flag, contig, position, end)


@njit(forceinline=True)
def find_room(cells):
    """Return how many alignments there is room for, whatever they are; if for none, STATUS says of what it is short."""
    copies = get(cells, at.COPIES_ROOM) - get(cells, at.COPIES)
    rows = get(cells, at.BATCH_ROOM) - max(get(cells, at.UNITS), get(cells, at.INSERTIONS))
    if copies == 0:
        put(cells, at.STATUS, at.COPIES_FULL)
    elif rows == 0:
        put(cells, at.STATUS, at.BATCH_FULL)
    return min(copies, rows)


@njit
def decode(cells, data, size):
    """Decode the whole records in the `size` bytes at `data`; return how many bytes they take.

    If the cell STATUS is not 0 then, it stopped at the record that follows those bytes: below 0 for what is wrong with
    it (PROBLEMS), else for want of room, or because the file is not in order.
    """
    n_contigs, done, room = get(cells, at.CONTIGS), 0, 0
    put(cells, at.STATUS, 0)
    while done + 4 <= size:
        record = data + done
        length = 4 + read_int32(record, 0)
        if not FIXED <= length <= at.LARGEST_RECORD:
            put(cells, at.STATUS, at.BAD_SIZE)
            return done
        if done + length > size:
            return done
        problem = find_problem(record, length, n_contigs)
        if problem:
            put(cells, at.STATUS, problem)
            return done
        flag, mapq = read_uint16(record, FLAG), read_byte(record, MAPQ)
        contig, position = read_int32(record, CONTIG), read_int32(record, POSITION)
        if contig >= 0 and not is_in_order(cells, contig, position) and get(cells, at.IN_ORDER):
            put(cells, at.STATUS, at.NOT_IN_ORDER)
            return done
        if room == 0:
            room = find_room(cells)
            if room == 0:
                return done
        room -= 1
        reason = find_reason(cells, flag, mapq, contig, position)
        purpose = at.KEPT * (reason < 0) | at.COMPARED * is_compared(flag, mapq, contig, position)
        if purpose:
            end = position + count_reference_bases(record)
            if is_mate(record, flag, contig):
                if not pair_up(cells, record, flag, purpose, contig, position, end):
                    put(cells, at.STATUS, at.MATES_FULL)
                    return done
            elif purpose & at.COMPARED and not flag & PAIRED:
                note_copy(cells, contig, position, end, flag, flag)
        if reason >= 0:
            add(get(cells, at.AT_REASONS), reason, 1)
        else:
            count_kept(cells, flag, contig, position, end)
        count_alignment(cells, flag, mapq, contig)
        done += length
    return done
