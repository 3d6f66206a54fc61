"""Jobs that earlier runs left with the scheduler: those that do what is needed now are taken over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.journal import Entry, Journal
from snakemake_executor_plugin_divvy.names import show_path
from snakemake_executor_plugin_divvy.packs import Member
from snakemake_executor_plugin_divvy.packs.notes import find_outcome, read_notes
from snakemake_executor_plugin_divvy.provenance import Ticket, does_the_same
from snakemake_executor_plugin_divvy.schedulers import Scheduler
from snakemake_executor_plugin_divvy.submissions import Queue


class EarlierRuns:
    """The submissions that earlier runs left behind."""

    def __init__(
        self,
        workflow: Any,
        journal: Journal,
        queue: Queue,
        scheduler: Scheduler,
        logger: Any,
        build_ticket: Callable[[Member], Ticket],
        is_forced: Callable[[Member], bool],
    ) -> None:
        """`build_ticket` says what a job does, `is_forced` whether it has to run whatever there is."""
        self.workflow = workflow
        self.journal, self.queue, self.scheduler, self.logger = journal, queue, scheduler, logger
        self.held: dict[str, Entry] = {}  # submissions with jobs that were claimed
        self.build_ticket, self.is_forced = build_ticket, is_forced

    def claim(self, member: Member) -> bool:
        """Hand a job to the submission of an earlier run that holds it; return whether there is one.

        If it does not do what is needed now, it is canceled first, and the job submitted when it has gone.
        """
        while entry := self.journal.find(member.ticket.outputs):
            if entry.id or entry.files.started_id() or not entry.files.take_back():
                stale = not self._does_what_is_needed(entry, member)
                self._announce(entry, member, stale)
                self.held[entry.files.name] = entry
                self.queue.adopt(entry, member, stale)
                return True
            self.journal.note_ended(entry.files)  # it was never submitted, or will find itself taken back
        return False

    def record_others(self, files: JobFiles) -> None:
        """Have Snakemake record those jobs of a submission, which has ended, that it took for done when the run began.

        They had ended before the rest of their pack, and so lately that they did not have the mark yet by which
        Snakemake asks about them. With the mark, which they got since, the next run would make them again.
        """
        entry = self.held.pop(files.name, None)
        if entry is None or len(entry.tickets) == 1:
            return
        dag, persistence, notes = self.workflow.dag, self.workflow.persistence, read_notes(files.start)
        done = {frozenset(map(str, job.output)): job for job in dag.jobs if not dag.needrun(job)}
        persistence.deactivate_cache()
        for left in entry.tickets:
            job = done.get(frozenset(left.outputs))
            if job is None or find_outcome(notes, job) != "done" or persistence.external_jobids(job) != ["ended"]:
                continue
            member = Member(SubmittedJobInfo(job), left)
            member.ticket = self.build_ticket(member)
            if self._is_same(left, member):
                self.workflow.async_run(persistence.finished(job))

    def _announce(self, entry: Entry, member: Member, stale: bool) -> None:
        id, job = entry.id or entry.files.started_id() or "(id unknown)", member.job.jobid
        member.info.external_jobid = id
        if stale:
            self.logger.info(f"divvy: job {id} of an earlier run does not do what is needed now; job {job} follows it")
        else:
            self.logger.info(f"divvy: job {job} is job {id} of an earlier run, log: {show_path(entry.files.log)}")

    def _does_what_is_needed(self, entry: Entry, member: Member) -> bool:
        outputs = set(member.ticket.outputs)
        left = next(ticket for ticket in entry.tickets if outputs.intersection(ticket.outputs))
        if entry.scheduler != self.scheduler.name or entry.files.is_taken_back or not self._is_same(left, member):
            return False
        status = entry.files.exit_status()
        if status is None:
            return True
        is_done = status == 0 or find_outcome(read_notes(entry.files.start), member.job) == "done"
        return not self.is_forced(member) and (not is_done or _has_all_outputs(member))

    def _is_same(self, left: Ticket, member: Member) -> bool:
        """Whether a job of an earlier run does the same as this one, perhaps in a later attempt."""
        if does_the_same(left, member.ticket):
            return True
        attempt = member.job.attempt
        if left.attempt == attempt:
            return False
        member.job.attempt = left.attempt
        ticket = self.build_ticket(member)
        if does_the_same(left, ticket):
            member.ticket = ticket
            return True
        member.job.attempt = attempt
        return False


def _has_all_outputs(member: Member) -> bool:
    job = member.job
    lasting = [
        output
        for each in (job if job.is_group() else [job])
        for output in each.output
        if output not in each.temp_output
    ]
    return all(Path(str(output)).exists() for output in lasting)
