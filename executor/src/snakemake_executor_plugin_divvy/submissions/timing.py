"""How long is waited for what."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """How often is looked and how long is waited, in seconds: five settings, and what derives from them.

    Attributes
    ----------
    poll
        Between looks for exit-status files; looks become up to ten times rarer while nothing happens.
    query
        Between queries of the scheduler; up to six times rarer while nothing happens, and more frequent, up to every
        two seconds, while a job looks as if it had ended.
    latency
        That a file may take to become visible here.
    lost
        After which a job is given up that has not been heard of and that nobody can be asked about.
    outage
        After which waiting jobs fail if the scheduler takes none and nothing runs.
    """

    poll: float = 0.2
    query: float = 10.0
    latency: float = 0.0
    lost: float = math.inf
    outage: float = 3600.0

    @property
    def longest_poll(self) -> float:
        """Between looks while nothing happens."""
        return 10 * self.poll

    @property
    def longest_query(self) -> float:
        """Between queries while nothing happens, or while the scheduler does not answer."""
        return 6 * self.query

    @property
    def doubtful_query(self) -> float:
        """Between queries while a job looks as if it had ended, or has to go."""
        return min(self.query, 2.0)


REASON = 10.0  # that a scheduler has to tell the reason for an exit status
FIRST_PROBE, LAST_PROBE = 5.0, 300.0  # between tries to submit while the scheduler is full or away
RETRY = 2.0  # until the second try of a submission that failed for an unknown reason; doubles with each
SETTLING = 5.0  # that a scheduler may count a job that has ended as one that it has
CANCEL_AGAIN = 15.0  # until a job that is still there is canceled once more
CANCELING, UNANSWERED = 40.0, 10.0  # that canceled jobs have to go at the end of a run; the same without any answer
