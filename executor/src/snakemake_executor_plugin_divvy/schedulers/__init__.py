"""Schedulers: one record per scheduler, all of them in one table.

`record` says what a scheduler is, `table` holds those that are known, `outputs` reads what their commands print, and
`here` runs jobs on this machine behind the same methods.
"""

from snakemake_executor_plugin_divvy.schedulers.record import Refusal, Scheduler, SchedulerError, State, States
from snakemake_executor_plugin_divvy.schedulers.table import SCHEDULERS, choose_scheduler

__all__ = ["SCHEDULERS", "Refusal", "Scheduler", "SchedulerError", "State", "States", "choose_scheduler"]
