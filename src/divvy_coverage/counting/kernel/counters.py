"""The memory in which a pass over one file counts: the cells of the compiled loop, and the arrays behind them."""

from collections.abc import Mapping, Sequence

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.constants import LARGEST_FRAGMENT, REASONS, TOTALS, TSS_FLANK, UNITS
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.kernel.binning import BinArrays
from divvy_coverage.counting.kernel.duplication import Duplication
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.counting.tally import Tally
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.merging import merge_regions
from divvy_coverage.intervals.overlaps import sum_over_ranks
from divvy_coverage.intervals.regions import Regions

FIRST_SLOTS, MOST_SLOTS = 1 << 13, 1 << 25  # of the table of mates, of 64 bytes each
ANY_LENGTH = (0, 2**62)


class Counters:
    """What a pass over a file with the given contigs (bp) counts; `cells` is what the compiled loop works on."""

    def __init__(self, wanted: Wanted, lengths: Mapping[str, int], in_order: bool) -> None:
        self._wanted = wanted
        self._contigs = list(lengths)
        self._blacklist = [merge_regions(wanted.blacklist)] if wanted.blacklist else []
        self._sets = [*wanted.region_sets, *([wanted.peaks] if wanted.peaks else [])]
        self._index = _Index([*self._sets, *self._blacklist], self._contigs)
        self._bins = BinArrays(wanted.bin_size, len(lengths)) if wanted.bin_size else None
        self._duplication = Duplication(in_order)
        self.cells = np.zeros(at.CELLS, np.int64)
        self.address: int = self.cells.ctypes.data
        self.cells[at.CONTIG], self.cells[at.IN_ORDER] = -1, in_order
        self._arrays: dict[int, Integers] = {}
        self._set_counting(wanted.counting, lengths)
        self._set_regions()
        self._set_tallies()
        self._set_mates(np.zeros((FIRST_SLOTS, at.SLOT), np.int64), 0)
        self._set_copies(0)

    def _keep(self, arrays: Mapping[int, Integers]) -> None:
        """Give arrays to the loop, and keep them as long as it may use them."""
        for cell, array in arrays.items():
            self._arrays[cell] = np.ascontiguousarray(array, np.int64)
            self.cells[cell] = self._arrays[cell].ctypes.data

    def _set_counting(self, counting: Counting, lengths: Mapping[str, int]) -> None:
        shortest, longest = counting.fragment_length or ANY_LENGTH
        settings = {
            at.UNIT: UNITS.index(counting.unit),
            at.EXCLUDE_FLAGS: counting.exclude_flags,
            at.REQUIRE_FLAGS: counting.require_flags,
            at.MIN_MAPQ: counting.min_mapq,
            at.SHIFT_FORWARD: counting.shift[0],
            at.SHIFT_REVERSE: counting.shift[1],
            at.MIN_LENGTH: shortest,
            at.MAX_LENGTH: longest,
            at.EXTEND: counting.extend or 0,
            at.CONTIGS: len(lengths),
            at.SETS: len(self._sets),
            at.HAS_BLACKLIST: len(self._blacklist),
            at.BIN_SIZE: self._wanted.bin_size or 0,
        }
        for cell, value in settings.items():
            self.cells[cell] = value
        self._keep({at.AT_LENGTHS: np.array(list(lengths.values()))})
        self._keep({at.AT_EXCLUDED: np.array([contig in counting.exclude_contigs for contig in lengths])})

    def _set_regions(self) -> None:
        index, sites = self._index, self._wanted.sites.index_by_contig(self._contigs)
        slots = np.zeros(len(index.starts) + index.rows, np.int64)
        self._keep({at.AT_FIRST: index.first, at.AT_STARTS: index.starts, at.AT_ENDS: index.ends})
        self._keep({at.AT_PAIRED_ENDS: index.paired_ends, at.AT_REACH: index.reach})
        self._keep({at.AT_START_RANKS: slots, at.AT_END_RANKS: slots.copy(), at.AT_BOTH: np.zeros_like(index.starts)})
        self._keep(dict(zip((at.AT_TSS_FIRST, at.AT_TSS_POSITIONS, at.AT_TSS_STRANDS), sites, strict=True)))
        sets = len(self._sets) + 1
        self._keep({at.AT_NEAR: np.zeros(2 * sets, np.int64), at.AT_IN_REGIONS: np.zeros(sets, np.int64)})

    def _set_tallies(self) -> None:
        sizes = {
            at.AT_TOTALS: len(TOTALS),
            at.AT_REASONS: len(REASONS),
            at.AT_MAPQ: 256,
            at.AT_FRAGMENT_LENGTHS: LARGEST_FRAGMENT + 1,
            at.AT_PROFILE: 2 * TSS_FLANK + 1,
            at.AT_ALIGNMENTS: len(self._contigs),
        }
        self._keep({cell: np.zeros(size, np.int64) for cell, size in sizes.items()})
        if bins := self._bins:
            self._keep({at.AT_BINS: bins.numbers, at.AT_BIN_STARTS: bins.starts, at.AT_BIN_ENDS: bins.ends})

    # --- room

    def make_room(self) -> None:
        """Make the room for want of which the loop stopped, as STATUS says."""
        status, contig, position = (int(self.cells[cell]) for cell in (at.STATUS, at.CONTIG, at.POSITION))
        if status == at.MATES_FULL:
            self._make_room_for_mates()
        elif status == at.COPIES_FULL:
            self._set_copies(self._duplication.make_room(int(self.cells[at.COPIES]), contig, position))
        else:
            self.reserve_bins(contig, int(self._arrays[at.AT_LENGTHS][contig]))

    def reserve_bins(self, contig: int, length: int) -> None:
        """Have bins for the first `length` bp of a contig, if there are bins."""
        if self._bins:
            self._bins.reserve(contig, length)

    def _set_copies(self, number: int) -> None:
        self._keep({at.AT_COPIES: self._duplication.array})
        self.cells[at.COPIES], self.cells[at.COPIES_ROOM] = number, len(self._duplication.array)

    def _make_room_for_mates(self) -> None:
        """Give up mates that wait in vain, and take a larger table if many are left; UserError if too many are."""
        mates = self._arrays[at.AT_MATES]
        waiting = mates[mates[:, at.KEY] != 0]
        if self.cells[at.IN_ORDER]:
            here = waiting[:, at.SLOT_CONTIG] == self.cells[at.CONTIG]
            waiting = waiting[here & (waiting[:, at.MATE_START] >= self.cells[at.POSITION])]
        slots = len(mates)
        while slots < 2 * len(waiting):
            slots *= 2
        if slots > MOST_SLOTS:
            raise UserError(
                f"more than {MOST_SLOTS // 2} alignments wait for their mates, which would take more than "
                f"{MOST_SLOTS * at.SLOT * 8 // 10**9} GB; sort the file by coordinates (samtools sort)"
            )
        self._set_mates(_place(waiting, slots), len(waiting))

    def _set_mates(self, mates: Integers, waiting: int) -> None:
        self._keep({at.AT_MATES: mates})
        self.cells[at.SLOTS], self.cells[at.WAITING] = len(mates), waiting

    # --- results

    def get_counted(self) -> Counted:
        """Return what was counted."""
        sets = range(len(self._wanted.region_sets))
        found = self._arrays
        contigs = dict(zip(self._contigs, found[at.AT_ALIGNMENTS].tolist(), strict=True))
        arrays = (at.AT_TOTALS, at.AT_REASONS, at.AT_MAPQ, at.AT_FRAGMENT_LENGTHS, at.AT_PROFILE)
        totals, reasons, mapq, fragments, profile = (found[cell] for cell in arrays)
        copies = self._duplication.finish(int(self.cells[at.COPIES]), self._contigs)
        has_sites = len(self._wanted.sites.contigs) > 0
        tally = Tally(totals, reasons, mapq, fragments, profile if has_sites else None, contigs, copies)
        in_sets, in_peaks = found[at.AT_IN_REGIONS], int(found[at.AT_IN_REGIONS][len(sets)])
        return Counted(
            [self._compute_counts(number) for number in sets],
            in_sets[: len(sets)],
            in_peaks if self._wanted.peaks else None,
            tally,
            self._bins.get_bins(self._contigs, found[at.AT_LENGTHS]) if self._bins else None,
        )

    def _compute_counts(self, number: int) -> Integers:
        """Return the counts of the regions of a set (int64, region order)."""
        regions, index = self._wanted.region_sets[number], self._index
        counts = np.zeros(len(regions), np.int64)
        for contig in range(len(self._contigs)):
            row = number * len(self._contigs) + contig
            here, slots = index.get_regions(row), index.get_slots(row)
            if here.start == here.stop:
                continue
            rows = index.order[here]
            ranks = (self._arrays[cell][slots] for cell in (at.AT_START_RANKS, at.AT_END_RANKS))
            counts[rows] = sum_over_ranks(
                regions.starts[rows], regions.ends[rows], index.starts[here], index.ends[here], *ranks
            )
            counts[rows] -= self._arrays[at.AT_BOTH][here]
        return counts


class _Index:
    """Regions of all sets by row and start.

    Attributes
    ----------
    rows
        Number of rows, sets × contigs.
    first
        The first region of each row, and the end of the last (rows + 1).
    starts, ends
        Of the regions on contigs of the file, each sorted for itself within its row.
    order
        Which region of its set each is, sorted by start.
    paired_ends, reach
        The ends in that order, and the largest end so far in the row.
    """

    def __init__(self, sets: Sequence[Regions], contigs: Sequence[str]) -> None:
        numbers = {name: number for number, name in enumerate(contigs)}
        self.rows = len(sets) * len(contigs)
        found = [np.array([numbers.get(name, -1) for name in regions.contigs], np.int64) for regions in sets]
        parts = [
            (np.flatnonzero(contig >= 0), contig + number * len(contigs), regions)
            for number, (contig, regions) in enumerate(zip(found, sets, strict=True))
        ]
        order = _join([here for here, _, _ in parts])
        row = _join([rows[here] for here, rows, _ in parts])
        starts = _join([regions.starts[here] for here, _, regions in parts])
        ends = _join([regions.ends[here] for here, _, regions in parts])
        by_start, by_end = np.lexsort((ends, starts, row)), np.lexsort((ends, row))
        self.first = np.searchsorted(row[by_start], np.arange(self.rows + 1)).astype(np.int64)
        self.order, self.starts, self.ends = order[by_start], starts[by_start], ends[by_end]
        self.paired_ends = ends[by_start]
        offsets = row[by_start] << 32  # so that a row's ends are larger than all of the row before
        self.reach = np.maximum.accumulate(self.paired_ends + offsets) - offsets

    def get_regions(self, row: int) -> slice:
        """Return where the regions of a row are."""
        return slice(*self.first[row : row + 2].tolist())

    def get_slots(self, row: int) -> slice:
        """Return where the ranks of a row are: it has one more of them than regions."""
        here = self.get_regions(row)
        return slice(here.start + row, here.stop + row + 1)


def _join(arrays: Sequence[Integers]) -> Integers:
    return np.concatenate([np.zeros(0, np.int64), *arrays])


def _place(waiting: Integers, slots: int) -> Integers:
    """Return a table of mates with these in it, each at its home or in one of the slots that follow without a gap."""
    table = np.zeros((slots, at.SLOT), np.int64)
    home = (waiting[:, at.KEY] >> 1) & (slots - 1)
    order = np.argsort(home, kind="stable")
    numbers = np.arange(len(order))
    place = numbers + np.maximum.accumulate(home[order] - numbers) if len(order) else numbers
    inside = place < slots
    table[place[inside]] = waiting[order[inside]]
    for mate in waiting[order[~inside]]:  # those for which the table ends too early
        number = 0
        while table[number, at.KEY]:
            number += 1
        table[number] = mate
    return table
