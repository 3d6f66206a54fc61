"""The executor: what Snakemake asks of a plugin, on top of the queue of submissions."""

import asyncio
import hashlib
import os
import shlex
import signal
import threading
import time
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.utils import format_cli_arg

from snakemake_executor_plugin_divvy import compute_packages, packs, summary
from snakemake_executor_plugin_divvy.earlier_runs import EarlierRuns, build_ticket, get_marker
from snakemake_executor_plugin_divvy.jobscript import JobFiles, build_job_script, make_safe_name, read_tail
from snakemake_executor_plugin_divvy.journal import Journal, Ticket
from snakemake_executor_plugin_divvy.packs import Member, Pack
from snakemake_executor_plugin_divvy.queue import Limits, Queue
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, SchedulerError, choose_scheduler
from snakemake_executor_plugin_divvy.schedulers.here import count_cores
from snakemake_executor_plugin_divvy.submission import Phase, Submission
from snakemake_executor_plugin_divvy.variables import IMPLICIT, build_variables, make_name
from snakemake_executor_plugin_divvy.watch import Failure, Patience

BEGIN = time.time()  # when this process began, before it planned anything
SHORTEST_POLL, LONGEST_POLL = 0.2, 2.0  # seconds between looks for exit-status files
WAKE_SECONDS = 0.1  # seconds until a sleeping poll notices that it is needed
INLINE_FILES = 20  # files to wait for that fit on a command line
# for the Snakemake of a job: its rule's `retries` are left to this process, which can ask for more memory; without a
# limit on jobs per second it does not wait for that second to end
ONCE = "--preemptible-rules --preemptible-retries 0"
AT_ONCE = "--max-jobs-per-timespan 1000000/0s"


class Executor(RemoteExecutor):
    """Runs each job as a submission script of the chosen compute package."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        # the base class starts to poll before it calls __post_init__
        self.queue: Queue | None = None
        self.wake = threading.Event()
        self.poll_seconds = SHORTEST_POLL
        self.serial = 0
        self.batch: list[Member] = []
        self.warned: set[str] = set()
        self.ended: list[summary.Ended] = []
        self.gone: list[SubmittedJobInfo] = []  # reported, but still in the list of the base class
        super().__init__(workflow, logger)

    def __post_init__(self) -> None:
        """Load the compute package; any mistake in it ends the run before a job is started."""
        settings = self.workflow.executor_settings
        try:
            self.package = compute_packages.load_package(settings.config, settings.compute_package)
            self.scheduler = choose_scheduler(settings.scheduler, self.package.submission_command)
        except (compute_packages.ComputeError, SchedulerError) as error:
            self.shutdown()
            raise WorkflowError(f"divvy: {error}") from None
        self.workdir = Path(self.workflow.workdir_init)
        self.logdir = self.workdir / settings.logdir
        self.run_name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self.journal = Journal(Path(self.workflow.persistence.path).absolute() / "divvy", self.run_name, BEGIN)
        self.queue = self._build_queue()
        self.earlier_runs = EarlierRuns(self.journal, self.queue, self.scheduler, self.logger)
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

    def _build_queue(self) -> Queue:
        lost = 60 * self.workflow.executor_settings.lost_after
        if self.scheduler.name == "here":
            limits = Limits(cores=count_cores() if self.cores == "all" else int(self.cores))
            patience = Patience(interval=SHORTEST_POLL, lost=lost)
        else:
            interval = max(1.0, self.workflow.remote_execution_settings.seconds_between_status_checks)
            limits = Limits()
            patience = Patience(interval=interval, grace=self.workflow.execution_settings.latency_wait, lost=lost)
        command = self.package.submission_command
        return Queue(self, self.scheduler, command, self.journal, self.logger, limits, patience)

    # --- from Snakemake's jobs to the queue

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Run jobs. SIGTERM now ends the run like Ctrl-C: otherwise Snakemake would wait for what is in the queue."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        super().run_jobs(jobs)
        assert self.queue is not None
        self.queue.add(self.batch)
        self.batch = []
        self.wake.set()

    def run_job(self, job: JobExecutorInterface) -> None:
        """Check a job and queue it, or find it where an earlier run has submitted it."""
        assert self.queue is not None
        try:
            self._check(job)
            unneeded = [] if job.is_group() else self.dag.get_unneeded_temp_files(job)
            share = packs.get_share(job, unneeded)
            command = self.format_job_exec(job).replace(str(self.workflow.sourcecache.runtime_cache_path), "")
            ticket = build_ticket(job, command, f"{self.run_name}-{job.jobid}-{job.attempt}")
        except (OSError, ValueError) as error:
            raise WorkflowError(f"divvy: rule {job.name}: {error}") from None
        left = self.earlier_runs.claim(job, ticket)
        marker = get_marker(left, ticket.key) if left else ticket.marker
        member = Member(SubmittedJobInfo(job, external_jobid=marker), Ticket(ticket.key, ticket.digest, marker), share)
        self.report_job_submission(member.info, register_job=not left)
        if left:
            member.info.external_jobid = left.id
            self.logger.info(
                f"divvy: job {job.jobid} is job {left.id} of an earlier run, log: {_relative(left.files.log)}"
            )
            self.queue.adopt(left, member)
        else:
            self.batch.append(member)

    def _check(self, job: JobExecutorInterface) -> None:
        """Report what is wrong with a job's resources while nothing has been written."""
        files = JobFiles(self.logdir / make_safe_name(job.name), self.journal.state, make_name([job]))
        unset, unused = self.package.check(build_variables([job], files, self.scheduler))
        self._warn_once(unset, "not set; directives using it are omitted, so the site's defaults apply")
        unused = [name for name in unused if name.lower() not in IMPLICIT]
        self._warn_once(unused, f"set as a resource, but not used by the template {self.package.template}")

    def _warn_once(self, names: Iterable[str], message: str) -> None:
        new = [name for name in names if name not in self.warned]
        if new:
            self.warned.update(new)
            self.logger.warning(f"divvy: {', '.join(new)}: {message}")

    # --- from jobs to the scripts of a submission

    def write(self, members: list[Member]) -> JobFiles:
        """Write the scripts of a submission."""
        jobs = [member.job for member in members]
        self.serial += 1
        unique = f"{self.run_name}-{self.serial}"
        files = JobFiles(self.logdir / make_safe_name(jobs[0].name), self.journal.state, f"{make_name(jobs)}.{unique}")
        files.logs.mkdir(parents=True, exist_ok=True)
        call = jobs[0] if len(jobs) == 1 else Pack(tuple(jobs))
        last = "" if call.is_group() else AT_ONCE if len(jobs) == 1 else "--keep-going"
        command = f"{self.format_job_exec(call)} {ONCE} {last}"
        title = f"{jobs[0].name}, jobs {' '.join(str(job.jobid) for job in jobs)}, attempt {jobs[0].attempt}"
        files.job_script.write_text(build_job_script(title, command, self.workdir, files))
        self.package.render(build_variables(jobs, files, self.scheduler), files.submission_script)
        for job in jobs[1:]:  # each job of a pack has its log under its own name
            (files.logs / f"{make_name([job])}.{unique}.log").symlink_to(files.log.name)
        return files

    def get_snakefile(self) -> str:
        """Return the path of the Snakefile, quoted for the shell."""
        return shlex.quote(str(super().get_snakefile()))

    def get_python_executable(self) -> str:
        """Return the path of Python, quoted for the shell."""
        return shlex.quote(super().get_python_executable())

    def get_envvar_declarations(self) -> str:
        """Return shell code that exports the variables that the workflow passes to its jobs."""
        declarations = [f"{name}={shlex.quote(value)}" for name, value in self.envvars().items()]
        return f"export {' '.join(declarations)} &&" if declarations else ""

    def get_job_args(self, job: JobExecutorInterface, **kwargs: Any) -> str:
        """Return the arguments of the job's call, without the controller's temporary folders."""
        one_after_another = {"cores": job.threads} if isinstance(job, Pack) else {}
        arguments = RealExecutor.get_job_args(self, job, **kwargs | one_after_another)
        passing = str(self.workflow.sourcecache.runtime_cache_path)
        wait_for = [str(file) for file in job.get_wait_for_files() if not str(file).startswith(passing)]
        if len(wait_for) <= INLINE_FILES:
            return f"{arguments} {format_cli_arg('--wait-for-files', wait_for)}"
        text = "".join(f"{file}\n" for file in wait_for)
        path = self.journal.state.parent / f"wait-for-{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
        path.write_text(text)
        return f"{arguments} --wait-for-files-file {shlex.quote(str(path))}"

    # --- from the queue back to Snakemake

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Look after the jobs once; the queue reports those that have ended."""
        if self.queue:
            changed = await asyncio.to_thread(self.queue.look)
            self.poll_seconds = SHORTEST_POLL if changed else min(LONGEST_POLL, self.poll_seconds * 1.5)
        gone = {id(info) for info in self.gone}
        self.gone.clear()
        for info in active_jobs:
            if id(info) not in gone:
                yield info

    async def sleep(self) -> None:
        """Wait for the next poll, or until there is something to do; without jobs, until there are some."""
        end = time.monotonic() + self.poll_seconds if self.queue else float("inf")
        while time.monotonic() < end and not self.wake.is_set():
            await asyncio.sleep(WAKE_SECONDS)
        self.wake.clear()

    def report_success(self, member: Member, submission: Submission) -> None:
        """Report a job that has ended well."""
        self._note_end(member, "", submission)
        if submission.phase is Phase.DONE and self.workflow.executor_settings.prune_logs:
            files = submission.files
            own = files.log.with_name(f"{make_name([member.job])}.{files.name.rpartition('.')[2]}.log")
            for path in (own, files.log, files.submission_script):
                path.unlink(missing_ok=True)
        self.report_job_success(member.info)

    def report_failure(self, member: Member, failure: Failure, submission: Submission | None = None) -> None:
        """Report a failed job: the reason, and the last lines of its logs."""
        self._note_end(member, failure.word, submission)
        job, reason = member.job, failure.reason
        logs = [Path(path) for path in ([] if job.is_group() else job.log)]
        shown = []
        if submission:
            files = submission.files
            logs += [files.log, files.scheduler_log]
            shown = [f"log: {_relative(files.log)}", f"submission script: {_relative(files.submission_script)}"]
            if len(submission.members) > 1:
                reason += f"; it ran in a pack of {len(submission.members)} jobs"
        for path in logs:
            if lines := read_tail(path):
                shown += [f"last lines of {_relative(path)}:", *(f"    {line}" for line in lines)]
        self.report_job_error(member.info, msg="\n    ".join([reason, *shown, ""]))

    def find_outcome(self, member: Member) -> str:
        """Tell what became of a job in a pack that has not ended well, from Snakemake's own markers.

        Snakemake marks the outputs of a job that it starts as incomplete, and removes the mark when the job has ended;
        until it starts they have the mark that was given to them here.
        """
        persistence = self.workflow.persistence
        persistence.deactivate_cache()
        if member.ticket.marker in persistence.external_jobids(member.job):
            return "waiting"
        incomplete = self.workflow.async_run(persistence.incomplete(member.job))
        return "done" if not incomplete and all(Path(str(file)).exists() for file in member.job.output) else "started"

    def _note_end(self, member: Member, word: str, submission: Submission | None) -> None:
        """Note the end of a job for the table."""
        self.gone.append(member.info)
        self.ended.append(summary.describe_end(member, word, submission))

    # --- the end

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Cancel all jobs that were submitted, including those that the polling thread holds at the moment."""
        if self.queue is not None:
            self.queue.cancel()

    def shutdown(self) -> None:
        """Stop polling at once, and tell what became of the jobs."""
        with self.lock:
            self.wait = False  # before waking: a poll that woke too early would sleep again, with nobody to wake it
        self.wake.set()
        super().shutdown()
        if self.ended:
            ids = sorted({end.id for end in self.ended if end.id})
            usage = summary.read_slurm_usage(ids) if self.scheduler.name == "slurm" else {}
            self.logger.info("\n    ".join(["divvy: the jobs of this run", *summary.build_table(self.ended, usage)]))
        if self.queue is not None:
            self.journal.close(keep=any(end.word for end in self.ended))


def _relative(path: Path) -> str:
    """Return `path` relative to the current folder if it is inside."""
    return os.path.relpath(path) if path.absolute().is_relative_to(Path.cwd()) else str(path)
