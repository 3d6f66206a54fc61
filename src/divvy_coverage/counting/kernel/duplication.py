"""How often each fragment occurs: what the compiled loop notes of fragments, counted again and again."""

from collections.abc import Sequence

import numpy as np

from divvy_coverage.arrays import Integers, add_padded

ROOM = 1 << 19  # fragments between two counts
MOST_FRAGMENTS = 1 << 26  # of a file that is not in order: they take 1 GB


class Duplication:
    """Fragments as `copies.note_copy` notes them; `array` is what it writes to (n × 2: hash, contig << 32 | end).

    In a file in order, all copies of a fragment have been seen when an alignment comes that is beyond its end. Of any
    other, all fragments are kept until the end.
    """

    def __init__(self, in_order: bool) -> None:
        self.array = np.zeros((ROOM, 2), np.int64)
        self._in_order = in_order
        self._kept: list[Integers] = []
        self._number = 0
        self._histograms: dict[int, Integers] = {}  # by contig

    def make_room(self, used: int, contig: int, position: int) -> int:
        """Count what is complete of the `used` rows when the file is at a position; return how many rows remain."""
        if not self._in_order:
            self._keep(self.array[:used].copy())
            return 0
        passed = self.array[:used, 1] < contig << 32 | position
        self._count(self.array[:used][passed])
        remaining = self.array[:used][~passed]
        if 4 * len(remaining) > 3 * len(self.array):
            self.array = np.zeros((2 * len(self.array), 2), np.int64)
        self.array[: len(remaining)] = remaining
        return len(remaining)

    def finish(self, used: int, contigs: Sequence[str]) -> dict[str, Integers] | None:
        """Return, by contig, how many fragments occur 0 times, once and so on (int64); None if there were too many."""
        self._keep(self.array[:used])
        if self._number > MOST_FRAGMENTS:
            return None
        self._count(np.concatenate(self._kept))
        return {contigs[number]: histogram for number, histogram in sorted(self._histograms.items())}

    def _keep(self, fragments: Integers) -> None:
        self._number += len(fragments)
        self._kept = [*self._kept, fragments] if self._number <= MOST_FRAGMENTS else []

    def _count(self, fragments: Integers) -> None:
        """Add to the histograms how often each fragment occurs."""
        contigs = fragments[:, 1] >> 32
        if not self._in_order:
            order = np.argsort(contigs, kind="stable")
            fragments, contigs = fragments[order], contigs[order]
        ends = np.flatnonzero(np.append(contigs[1:] != contigs[:-1], len(contigs) > 0)) + 1
        for first, end in zip([0, *ends.tolist()], ends.tolist(), strict=False):
            contig = int(contigs[first])
            known = self._histograms.get(contig, np.zeros(0, np.int64))
            self._histograms[contig] = add_padded(known, _count_copies(fragments[first:end, 0]))


def _count_copies(hashes: Integers) -> Integers:
    """Return how many hashes occur 0 times, once, twice and so on."""
    ordered = np.sort(hashes)
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return np.bincount(np.diff(last, prepend=-1))
