"""Whether the scheduler takes jobs: what it refuses for the time being is kept, and tried again one by one."""

import math
import time

from snakemake_executor_plugin_divvy.submissions.timing import FIRST_PROBE, LAST_PROBE

AT_ONCE = 8  # submissions under way at a time


class Gate:
    """Says whether one more job may be submitted, from what became of those before.

    A scheduler that is full has as many jobs as it takes: as many are given to it again when some have ended. Beyond
    that number, or while it is away, single jobs are tried, less and less often.
    """

    def __init__(self) -> None:
        self.complaint = ""  # what the scheduler said when it last refused one for the time being; "" if it takes them
        self.closed_at = math.inf  # when that began, on the monotonic clock
        self._ceiling = math.inf  # of jobs that it has
        self._at_once = 1  # grows with each that is taken, lest many are refused before the first answer
        self._probe_at, self._delay = 0.0, FIRST_PROBE
        self._probing = False

    def admit(self, occupied: int, under_way: int) -> bool:
        """Tell whether to submit one more job now; the scheduler has `occupied`, and others are under way."""
        if under_way >= self._at_once:
            return False
        if occupied + under_way < self._ceiling:
            return True
        self._probing = under_way == 0 and time.monotonic() >= self._probe_at
        return self._probing

    def note_taken(self, running: int) -> None:
        """Note that the scheduler took a job; it has at least these, without those that it may still count."""
        self._at_once = min(AT_ONCE, self._at_once + 1)
        if self._probing:
            self._ceiling = max(self._ceiling, 2 * running) if self._ceiling else math.inf
            self._delay = FIRST_PROBE
        self._ceiling = max(self._ceiling, running)
        self.complaint, self.closed_at, self._probing = "", math.inf, False

    def note_full(self, occupied: int, complaint: str) -> None:
        """Note that the scheduler takes no more than the `occupied` jobs that it has."""
        self._close(occupied, complaint)

    def note_away(self, complaint: str) -> None:
        """Note that the scheduler takes nothing at the moment."""
        self._close(0, complaint)

    def _close(self, ceiling: int, complaint: str) -> None:
        if self.complaint and not self._probing:  # one that was under way when another one was refused
            self._ceiling = min(self._ceiling, ceiling)
            return
        self.complaint = complaint
        self.closed_at = min(self.closed_at, time.monotonic())
        self._ceiling, self._at_once, self._probing = ceiling, 1, False
        self._probe_at = time.monotonic() + self._delay
        self._delay = min(LAST_PROBE, 2 * self._delay)
