"""Records of a file, decoded and judged: what is known of the alignments, and batches of units and of insertions."""

from collections.abc import Mapping

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.constants import (
    DUPLICATE,
    LARGEST_FRAGMENT,
    PAIRED,
    PROPER_PAIR,
    REASONS,
    TOTALS,
    UNITS,
    UNMAPPED,
)
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.kernel.cells import Cells
from divvy_coverage.counting.kernel.duplication import Duplication
from divvy_coverage.counting.kernel.load import Run
from divvy_coverage.counting.tally import QUALITIES, Tally
from divvy_coverage.errors import UserError

FIRST_SLOTS, MOST_SLOTS = 1 << 10, 1 << 25  # of the table of mates, of 64 bytes each; few stay in the cache
BATCH = 1 << 11  # rows, so that a batch stays in the cache
ANY_LENGTH = (0, 2**62)
FLAG_TOTALS = {"unmapped": UNMAPPED, "duplicates": DUPLICATE, "proper_pairs": PROPER_PAIR, "paired": PAIRED}


class Decoder:
    """Decodes the records of a file with the given contigs (bp), which is in order of coordinates or not.

    With `with_insertions`, those of all kept alignments are wanted, whatever one count is.
    """

    def __init__(
        self, run: Run, counting: Counting, lengths: Mapping[str, int], in_order: bool, with_insertions: bool
    ) -> None:
        self._run = run
        self._contigs = list(lengths)
        self._duplication = Duplication(in_order)
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
            at.WITH_INSERTIONS: with_insertions,
            at.BATCH_ROOM: BATCH,
            at.IN_ORDER: in_order,
            at.CONTIG: -1,
        }
        sizes = {
            at.AT_TOTALS: len(TOTALS),
            at.AT_FLAGS: at.FLAGS,
            at.AT_REASONS: len(REASONS),
            at.AT_MAPQ: QUALITIES,
            at.AT_FRAGMENT_LENGTHS: LARGEST_FRAGMENT + 1,
            at.AT_ALIGNMENTS: len(lengths),
            at.AT_UNITS: BATCH * at.ROW,
            at.AT_INSERTIONS: BATCH * at.ROW,
            at.AT_SPLIT: 2 * BATCH * at.ROW,
        }
        arrays = {cell: np.zeros(size, np.int64) for cell, size in sizes.items()}
        arrays[at.AT_LENGTHS] = np.array(list(lengths.values()), np.int64)
        arrays[at.AT_EXCLUDED] = np.array([contig in counting.exclude_contigs for contig in lengths], np.int64)
        self._cells = Cells(at.DECODER_CELLS, settings, arrays)
        self._set_mates(np.zeros((FIRST_SLOTS, at.SLOT), np.int64), 0)
        self._set_copies(0)

    @property
    def status(self) -> int:
        """Why `decode` stopped before the end of the data; 0 if it did not."""
        return self._cells[at.STATUS]

    def decode(self, address: int, size: int) -> int:
        """Decode the whole records in the `size` bytes at an address; return how many bytes they take."""
        return self._run(at.DECODE, self._cells.address, address, size)

    def empty(self, batch: int) -> tuple[int, int]:
        """Return where the rows of a batch are, which is AT_UNITS or AT_INSERTIONS, and their number; empty it."""
        rows, number = self._cells[batch], self._cells[batch + 1]
        self._cells[batch + 1] = 0
        return rows, number

    def split(self, rows: int, number: int) -> tuple[int, int]:
        """Return where the insertions of fragments are, two for each, and their number."""
        self._run(at.SPLIT, self._cells.address, rows, number)
        return self._cells[at.AT_SPLIT], 2 * number

    # --- room

    def make_room(self) -> None:
        """Make the room for mates or for fragments for want of which `decode` stopped."""
        contig, position = self._cells[at.CONTIG], self._cells[at.POSITION]
        if self.status == at.MATES_FULL:
            self._make_room_for_mates(contig, position)
        elif self.status == at.COPIES_FULL:
            self._set_copies(self._duplication.make_room(self._cells[at.COPIES], contig, position))

    def _set_copies(self, number: int) -> None:
        self._cells.keep({at.AT_COPY_HASHES: self._duplication.hashes, at.AT_COPY_ENDS: self._duplication.ends})
        self._cells[at.COPIES], self._cells[at.COPIES_ROOM] = number, len(self._duplication.hashes)

    def _make_room_for_mates(self, contig: int, position: int) -> None:
        """Give up mates that wait in vain, and take a larger table if many are left; UserError if too many are."""
        mates = self._cells.arrays[at.AT_MATES]
        waiting = mates[mates[:, at.KEY] != 0]
        if self._cells[at.IN_ORDER]:
            waiting = waiting[(waiting[:, at.SLOT_CONTIG] == contig) & (waiting[:, at.MATE_START] >= position)]
        slots = len(mates)
        while slots < 2 * len(waiting):
            slots *= 2
        if slots > MOST_SLOTS:
            raise UserError(
                f"more than {MOST_SLOTS // 2} alignments wait for their mates, which would take more than "
                f"{MOST_SLOTS * at.SLOT * 8 // 10**9} GB; sort the file by coordinates (samtools sort)"
            )
        self._set_mates(place_mates(waiting, slots), len(waiting))

    def _set_mates(self, mates: Integers, waiting: int) -> None:
        self._cells.keep({at.AT_MATES: mates})
        self._cells[at.SLOTS], self._cells[at.WAITING] = len(mates), waiting

    # --- results

    def get_tally(self) -> Tally:
        """Return what is known of the alignments, but for what the rows of batches say."""
        cells = (at.AT_TOTALS, at.AT_FLAGS, at.AT_REASONS, at.AT_MAPQ, at.AT_FRAGMENT_LENGTHS, at.AT_ALIGNMENTS)
        totals, flags, reasons, mapq, lengths, alignments = (self._cells.arrays[cell] for cell in cells)
        numbers = np.arange(at.FLAGS)
        contigs = dict(zip(self._contigs, alignments.tolist(), strict=True))
        copies = self._duplication.finish(self._cells[at.COPIES], self._contigs)
        tally = Tally(totals, reasons, mapq, lengths, contigs=contigs, copies=copies)
        tally["alignments"], tally["kept"] = flags.sum(), flags.sum() - reasons.sum()
        for name, flag in FLAG_TOTALS.items():
            tally[name] = flags[numbers & flag != 0].sum()
        return tally


def place_mates(waiting: Integers, slots: int) -> Integers:
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
