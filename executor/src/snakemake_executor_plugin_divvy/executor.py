"""The executor: what Snakemake asks of a plugin, on top of the queue of submissions."""

import asyncio
import math
import os
import signal
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_divvy import checks, compute_packages, provenance
from snakemake_executor_plugin_divvy.calls import JobCalls
from snakemake_executor_plugin_divvy.earlier_runs import EarlierRuns
from snakemake_executor_plugin_divvy.jobs.sources import remember_sources
from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.journal import Journal
from snakemake_executor_plugin_divvy.names import make_safe_name, name_jobs, name_rule
from snakemake_executor_plugin_divvy.packs import Member, get_pack
from snakemake_executor_plugin_divvy.provenance import Ticket
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, SchedulerError, choose_scheduler
from snakemake_executor_plugin_divvy.schedulers.here import count_cores
from snakemake_executor_plugin_divvy.submissions import Failure, Queue, Submission, Timing, note_interrupts
from snakemake_executor_plugin_divvy.summary import Summary, describe_failure, print_group_error
from snakemake_executor_plugin_divvy.yaml_files import find_profiles, find_repeated_keys

WAKE_SECONDS = 0.1  # seconds until a sleeping poll notices that it is needed
FLUSH_SECONDS = 2.0  # seconds of checking ready jobs until those that are checked are queued
FAILED_LOOKS = 100  # in a row, until an unexpected error ends the run


class Executor(JobCalls):
    """Runs each job as a submission script of the chosen compute package."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        # the base class starts to poll before it calls __post_init__
        self.queue: Queue | None = None
        self.journal: Journal | None = None
        self.wake_event = threading.Event()
        self.times = Timing()
        self.poll_seconds = self.times.poll
        self.failed_looks = 0
        self.serial = 0
        self.batch: list[Member] = []
        self.batch_began = 0.0
        self.summary = Summary(logger)
        self.gone: list[SubmittedJobInfo] = []  # reported, but still in the list of the base class
        super().__init__(workflow, logger)

    def __post_init__(self) -> None:
        """Load the compute package and check all there is to check; a mistake ends the run before a job is started."""
        settings = self.workflow.executor_settings
        try:
            repeated = filter(None, map(find_repeated_keys, find_profiles()))
            if complaints := [*repeated, *checks.find_useless_options(self.workflow)]:
                raise ValueError("; ".join(complaints))
            self.package = compute_packages.load_package(settings.config, settings.compute_package, settings.folder)
            self.scheduler = choose_scheduler(settings.scheduler, self.package.submission_command)
            if line := checks.find_array(self.package, self.scheduler):
                raise ValueError(f"{self.package.template}: {line.strip()!r} makes an array of each job; remove it")
            self._begin()
        except (ValueError, SchedulerError) as error:
            self.shutdown()
            raise WorkflowError(f"divvy: {error}") from None
        self.logger.info(
            f"divvy: compute package {self.package.name!r} of {self.package.config} "
            f"(scheduler: {self.scheduler.name}, template: {self.package.template})"
        )
        if self.scheduler.name == "unknown":
            self.logger.warning(
                f"divvy: no known scheduler has the command {self.package.submission_command!r} (set "
                f"--divvy-scheduler to one of {', '.join(SCHEDULERS)}); jobs are watched by their exit-status files "
                "alone"
            )

    def _begin(self) -> None:
        """Check all jobs that are known, and begin the journal and the queue; ValueError says what is wrong."""
        self.workdir = Path(self.workflow.workdir_init)
        checks.check_folder(self.workdir, self.scheduler)
        self.logdir = self.workdir / self.workflow.executor_settings.logdir
        self.run_name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        root = Path(self.workflow.persistence.path).absolute() / "divvy"
        self.checks = checks.JobChecks(self.package, self.scheduler, self.logdir, root / self.run_name, self.logger)
        jobs = {id(job): job for job in map(self._get_submitted, self.dag.needrun_jobs()) if job is not None}
        if complaints := self.checks.check_all(jobs.values()):
            raise ValueError("\n    ".join(complaints))
        self.journal = Journal(root, self.run_name)
        for folder in self.journal.foreign:
            self.logger.warning(f"divvy: {folder} is another user's: what runs there is not known here")
        remember_sources(jobs.values(), self.workflow)
        self.hand_over_plan(self.journal.state)
        self.queue = self._build_queue()
        self.earlier_runs = EarlierRuns(
            self.workflow, self.journal, self.queue, self.scheduler, self.logger, self._build_ticket, self._is_forced
        )

    def _get_submitted(self, job: Any) -> Any:
        """Return what is submitted for a job: itself, its group, or None if it runs here."""
        return None if self.workflow.is_local(job.rule) else self.dag.get_job_group(job) or job

    def _build_queue(self) -> Queue:
        settings, cores = self.workflow.executor_settings, math.inf
        lost, outage = 60.0 * settings.lost_after, 60.0 * settings.wait_for_scheduler
        if self.scheduler.name == "here":
            cores = count_cores() if self.cores == "all" else int(self.cores)
            self.times = Timing(query=self.times.poll, lost=lost, outage=outage)
        else:
            query = max(1.0, self.workflow.remote_execution_settings.seconds_between_status_checks)
            latency = self.workflow.execution_settings.latency_wait
            self.times = Timing(query=query, latency=latency, lost=lost, outage=outage)
        assert self.journal is not None
        command = self.package.submission_command
        if self.scheduler.name != "here" and (foreign := checks.find_foreign_options(self.package)):
            command = f"unset {' '.join(foreign)}; {command}"
            self.logger.warning(
                f"divvy: {', '.join(foreign)}: the environment does not change what is submitted; set resources or "
                "values of the compute package, or name the variable in the template, which lets it through"
            )
        return Queue(self, self.scheduler, command, self.journal, self.logger, cores, self.times)

    # --- from Snakemake's jobs to the queue

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Run jobs. SIGTERM now ends the run like Ctrl-C: otherwise Snakemake would wait for what is in the queue."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        self.batch_began = time.monotonic()
        super().run_jobs(jobs)
        self._flush_batch()

    def _flush_batch(self) -> None:
        assert self.queue is not None
        self.queue.add(self.batch)
        self.batch, self.batch_began = [], time.monotonic()
        self.wake()

    def run_job(self, job: JobExecutorInterface) -> None:
        """Check a job and queue it, or find it where an earlier run has submitted it; a mistake fails it alone."""
        assert self.journal is not None
        member = Member(SubmittedJobInfo(job), Ticket((), "", {}, job.attempt))
        self.report_job_submission(member.info, register_job=False)
        try:
            self.checks.check(job)
            member.pack = get_pack(job)
            member.ticket = self._build_ticket(member)
            if folder := self.journal.find_elsewhere(member.ticket.outputs):
                raise ValueError(f"another run, which still lives, has submitted a job for the same outputs: {folder}")
            is_left = self.earlier_runs.claim(member)
        except (OSError, ValueError) as error:
            self.report_failure(member, Failure("not submitted", str(error)))
            return
        if not is_left:
            self.batch.append(member)
            if time.monotonic() > self.batch_began + FLUSH_SECONDS:
                self._flush_batch()

    def _build_ticket(self, member: Member) -> Ticket:
        return provenance.build_ticket(member.job, self.common_call, self.workflow)

    def _is_forced(self, member: Member) -> bool:
        """Whether a job has to run whatever there is; Snakemake itself forces those that are incomplete as well."""
        settings = self.workflow.dag_settings
        asked = {*settings.forcerun, *(self.dag.targetfiles if settings.forcetargets else ())}
        files = {os.path.relpath(file) for file in asked}
        jobs = member.job if member.job.is_group() else [member.job]
        return any(
            job.rule in self.dag.forcerules or not files.isdisjoint(map(os.path.relpath, job.output)) for job in jobs
        )

    # --- what the queue needs

    def wake(self) -> None:
        """Let the next look come soon; called from any thread."""
        self.wake_event.set()

    def write(self, members: list[Member]) -> JobFiles:
        """Write the scripts of a submission, and mark the outputs of its jobs as not made yet."""
        assert self.journal is not None
        jobs = [member.job for member in members]
        self.serial += 1
        logs = self.logdir / make_safe_name(name_rule(jobs[0]))
        files = JobFiles(logs, self.journal.state, f"{name_jobs(jobs)}.{self.run_name}-{self.serial}")
        try:
            self.write_scripts(members, files)
            for log in {files.log_under(name_jobs([job])) for job in jobs} - {files.log}:
                log.symlink_to(files.log.name)
            for member in members:
                member.job.register(external_jobid=files.name)
        except (OSError, ValueError):
            files.remove()
            raise
        return files

    def prepare_again(self, member: Member) -> bool:
        """Prepare a job for another submission; return False if another one of an earlier run holds it too."""
        return not self.earlier_runs.claim(member)

    def is_recorded(self, member: Member) -> bool:
        """Whether Snakemake has recorded the end of a job that was reported."""
        return all(self.dag.finished(job) for job in (member.job if member.job.is_group() else [member.job]))

    # --- from the queue back to Snakemake

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Look after the jobs once; the queue reports those that have ended."""
        if self.queue:
            changed = await asyncio.to_thread(self._look)
            self.poll_seconds = self.times.poll if changed else min(self.times.longest_poll, self.poll_seconds * 1.5)
        gone = {id(info) for info in self.gone}
        self.gone.clear()
        for info in active_jobs:
            if id(info) not in gone:
                yield info

    def _look(self) -> bool:
        """Let the queue look; an error that nobody expected ends the run only if it comes again and again."""
        assert self.queue is not None
        try:
            changed = self.queue.look()
        except Exception as error:
            self.failed_looks += 1
            if self.failed_looks == FAILED_LOOKS:
                raise
            if self.failed_looks == 1:
                self.logger.warning(f"divvy: {type(error).__name__}: {error}; will try again", exc_info=True)
            return False
        self.failed_looks = 0
        return changed

    async def sleep(self) -> None:
        """Wait for the next poll, or until there is something to do; without jobs, until there are some."""
        end = time.monotonic() + self.poll_seconds if self.queue else float("inf")
        while time.monotonic() < end and not self.wake_event.is_set():
            await asyncio.sleep(WAKE_SECONDS)
        self.wake_event.clear()

    def report_success(self, member: Member, submission: Submission) -> None:
        """Report a job that has ended well."""
        self._note_end(member, "", submission)
        if submission.exit == 0 and self.workflow.executor_settings.prune_logs:
            files = submission.files
            for path in (files.log_under(name_jobs([member.job])), files.log, files.submission_script):
                path.unlink(missing_ok=True)
        self.report_job_success(member.info)

    def report_failure(self, member: Member, failure: Failure, submission: Submission | None = None) -> None:
        """Report a failed job: the reason, and the last lines of its logs."""
        self._note_end(member, failure.word, submission)
        self.report_job_error(member.info, msg=describe_failure(member, failure, submission))

    def print_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **kwargs: Any) -> None:
        """Print why a job has failed; of a group Snakemake itself would not."""
        if job_info.job.is_group():
            print_group_error(self.logger, job_info, msg or "")
        else:
            super().print_job_error(job_info, msg, **kwargs)

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        """Mark what --keep-incomplete keeps of a failed job, which Snakemake itself would take as made."""
        super().handle_job_error(job)
        if self.workflow.execution_settings.keep_incomplete:
            job.register()

    def _note_end(self, member: Member, word: str, submission: Submission | None) -> None:
        """Note the end of a job for the table, and that of its submission for who shared it."""
        if submission:
            self.earlier_runs.record_others(submission.files)
        self.gone.append(member.info)
        self.summary.note(member, word, submission)

    # --- the end

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Cancel all jobs that were submitted, including those that the polling thread holds at the moment."""
        if self.queue is None:
            return
        if self.queue:
            self.logger.info("divvy: waiting until canceled jobs have gone; another Ctrl-C ends that")
        with note_interrupts() as hurry:
            left = self.queue.cancel(hurry)
        if left:
            names = ", ".join(submission.name for submission in left)
            self.logger.error(
                f"divvy: {len(left)} jobs were not seen to end and may still wait or run: {names}; the next run "
                "takes care of them"
            )

    def shutdown(self) -> None:
        """Stop polling at once, and tell what became of the jobs."""
        with self.lock:
            self.wait = False  # before waking: a poll that woke too early would sleep again, with nobody to wake it
        self.wake()
        super().shutdown()
        if self.summary.ended:
            self.warn_of_edits()
            self.summary.tell(self.scheduler)
        if self.queue is not None and self.journal is not None:
            self.queue.forget_recorded()
            unneeded = self.journal.close(keep=self.summary.has_failures)
            if unneeded:
                ids = [entry.id or "(id unknown)" for entry in unneeded]
                self.logger.warning(
                    f"divvy: {len(ids)} jobs of earlier runs, which nothing here needs, may still run: {' '.join(ids)}"
                )
