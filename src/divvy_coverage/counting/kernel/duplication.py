"""How often each fragment occurs: what the compiled loop notes of fragments, counted again and again."""

from collections.abc import Sequence

import numpy as np

from divvy_coverage.arrays import Integers, add_padded

ROOM = 1 << 17  # fragments between two counts
MOST_FRAGMENTS = 1 << 26  # of a file that is not in order: they take 1 GB


class Duplication:
    """Fragments as `copies.note_copy` notes them: `hashes`, and `ends`, contig << 32 | end (int64; room for as many).

    In a file in order, all copies of a fragment have been seen when an alignment comes that is beyond its end. Of any
    other, all fragments are kept until the end.
    """

    def __init__(self, in_order: bool) -> None:
        self.hashes, self.ends = (np.zeros(ROOM, np.int64) for _ in range(2))
        self._in_order = in_order
        self._kept: list[tuple[Integers, Integers]] = []
        self._number = 0
        self._histograms: dict[int, Integers] = {}  # by contig

    def make_room(self, used: int, contig: int, position: int) -> int:
        """Count what is complete of the `used` ones when the file is at a position; return how many remain."""
        hashes, ends = self.hashes[:used], self.ends[:used]
        if not self._in_order:
            self._keep(hashes.copy(), ends.copy())
            return 0
        passed = ends < contig << 32 | position
        self._count(hashes[passed], ends[passed])
        hashes, ends = hashes[~passed], ends[~passed]
        if 4 * len(hashes) > 3 * len(self.hashes):
            self.hashes, self.ends = (np.zeros(2 * len(self.hashes), np.int64) for _ in range(2))
        self.hashes[: len(hashes)], self.ends[: len(hashes)] = hashes, ends
        return len(hashes)

    def finish(self, used: int, contigs: Sequence[str]) -> dict[str, Integers] | None:
        """Return, by contig, how many fragments occur 0 times, once and so on (int64); None if there were too many."""
        self._keep(self.hashes[:used], self.ends[:used])
        if self._number > MOST_FRAGMENTS:
            return None
        self._count(*map(np.concatenate, zip(*self._kept, strict=True)))
        return {contigs[number]: histogram for number, histogram in sorted(self._histograms.items())}

    def _keep(self, hashes: Integers, ends: Integers) -> None:
        self._number += len(hashes)
        self._kept = [*self._kept, (hashes, ends)] if self._number <= MOST_FRAGMENTS else []

    def _count(self, hashes: Integers, ends: Integers) -> None:
        """Add to the histograms how often each fragment occurs."""
        contigs = ends >> 32
        if not self._in_order:
            order = np.argsort(contigs, kind="stable")
            hashes, contigs = hashes[order], contigs[order]
        last = np.flatnonzero(np.append(contigs[1:] != contigs[:-1], len(contigs) > 0)) + 1
        for first, end in zip([0, *last.tolist()], last.tolist(), strict=False):
            contig = int(contigs[first])
            known = self._histograms.get(contig, np.zeros(0, np.int64))
            self._histograms[contig] = add_padded(known, _count_copies(hashes[first:end]))


def _count_copies(hashes: Integers) -> Integers:
    """Return how many hashes occur 0 times, once, twice and so on."""
    ordered = np.sort(hashes)
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return np.bincount(np.diff(last, prepend=-1))
