"""Jobs that an earlier run left with the scheduler: those that do what is needed now are taken over."""

import hashlib
import os
import re
from typing import Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.utils import encode_target_jobs_cli_args

from snakemake_executor_plugin_divvy.journal import Entry, Journal, Ticket
from snakemake_executor_plugin_divvy.queue import Queue
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, Scheduler
from snakemake_executor_plugin_divvy.submission import Phase, Submission


def build_ticket(job: JobExecutorInterface, command: str, marker: str) -> Ticket:
    """Return what a job is called in any run, a digest of what it does, and its marker.

    `command` is the job's Snakemake call, without anything that only this run has, such as temporary folders.
    """
    key = " ".join(sorted(encode_target_jobs_cli_args(job.get_target_spec())))
    words = re.sub(r"--attempt \d+", "", command).split()
    code = [str(getattr(each, "shellcmd", "")) for each in (job if job.is_group() else [job])]
    digest = hashlib.sha256("\0".join([*sorted(words), *code]).encode()).hexdigest()
    return Ticket(key, digest, marker)


class EarlierRuns:
    """The submissions that earlier runs left behind."""

    def __init__(self, journal: Journal, queue: Queue, scheduler: Scheduler, logger: Any) -> None:
        self.journal, self.queue, self.scheduler, self.logger = journal, queue, scheduler, logger

    def claim(self, job: JobExecutorInterface, ticket: Ticket) -> Entry | None:
        """Return the submission of an earlier run that does what this job does; one that does not is taken back."""
        entry = self.journal.find(ticket.key)
        if entry is None:
            return None
        # one without an id can only be kept if it has started
        if self._does_the_same(entry, job, ticket) and not (entry.id is None and entry.files.take_back()):
            return entry
        if entry.id is not None:
            self.logger.info(f"divvy: job {entry.id} of an earlier run does not do what is needed now")
        submission = Submission([], entry.files, 0, entry.id or "", entry.time, Phase.LEFT)
        self.queue.take_back([submission], SCHEDULERS.get(entry.scheduler, self.scheduler))
        return None

    def _does_the_same(self, entry: Entry, job: JobExecutorInterface, ticket: Ticket) -> bool:
        """Whether a submission holds the very same job, made of inputs that have not changed since."""
        is_same = any(each.digest == ticket.digest for each in entry.tickets)
        return (
            is_same
            and entry.scheduler == self.scheduler.name
            and all(_get_mtime(path) <= entry.time for path in job.input)
        )


def get_marker(entry: Entry, key: str) -> str:
    """Return the marker that an earlier run gave to a job."""
    return next((ticket.marker for ticket in entry.tickets if ticket.key == key), "")


def _get_mtime(path: Any) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
