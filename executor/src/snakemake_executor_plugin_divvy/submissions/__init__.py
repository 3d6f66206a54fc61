"""Submissions: one job of the scheduler each, from its scripts to its end.

`queue` decides and is all that the executor sees; `submission` says where one is on its way, `watch` what is known of
it, `gate` whether the scheduler takes any, `errands` runs commands meanwhile, `timing` has all the waiting times, and
`interrupts` is for who does not want to wait.
"""

from snakemake_executor_plugin_divvy.submissions.interrupts import note_interrupts
from snakemake_executor_plugin_divvy.submissions.queue import Queue
from snakemake_executor_plugin_divvy.submissions.submission import Failure, Submission
from snakemake_executor_plugin_divvy.submissions.timing import Timing

__all__ = ["Failure", "Queue", "Submission", "Timing", "note_interrupts"]
