"""How often each fragment occurs: what the compiled loop notes of fragments, counted again and again."""

import numpy as np

from divvy_coverage.arrays import Integers

ROOM = 1 << 19  # fragments between two counts
MOST_FRAGMENTS = 1 << 27  # of a file that is not in order: their hashes take 1 GB


class Duplication:
    """Fragments as `copies.note_copy` notes them; `array` is what it writes to (n × 2: hash, contig << 32 | end).

    In a file in order, all copies of a fragment have been seen when an alignment comes that is beyond its end. In any
    other, all hashes are kept until the end.
    """

    def __init__(self, in_order: bool) -> None:
        self.array = np.zeros((ROOM, 2), np.int64)
        self._in_order = in_order
        self._hashes: list[Integers] = []
        self._number = 0
        self._histogram = np.zeros(2, np.int64)

    def make_room(self, used: int, contig: int, position: int) -> int:
        """Count what is complete of the `used` rows when the file is at a position; return how many rows remain."""
        if not self._in_order:
            self._keep(self.array[:used, 0].copy())
            return 0
        passed = self.array[:used, 1] < contig << 32 | position
        self._count(self.array[:used, 0][passed])
        remaining = self.array[:used][~passed]
        if 4 * len(remaining) > 3 * len(self.array):
            self.array = np.zeros((2 * len(self.array), 2), np.int64)
        self.array[: len(remaining)] = remaining
        return len(remaining)

    def finish(self, used: int) -> Integers | None:
        """Return how many fragments occur once, twice and so on, from 0 times (int64); None if there were too many."""
        self._keep(self.array[:used, 0])
        if self._number > MOST_FRAGMENTS:
            return None
        self._count(np.concatenate(self._hashes))
        return self._histogram

    def _keep(self, hashes: Integers) -> None:
        self._number += len(hashes)
        self._hashes = [*self._hashes, hashes] if self._number <= MOST_FRAGMENTS else []

    def _count(self, hashes: Integers) -> None:
        """Add to the histogram how often each hash occurs."""
        ordered = np.sort(hashes)
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], len(ordered) > 0))
        times = np.bincount(np.diff(last, prepend=-1), minlength=len(self._histogram))
        times[: len(self._histogram)] += self._histogram
        self._histogram = times
