"""The executor: hands jobs to a scheduler by submission scripts, and learns of their end by exit-status files."""

import asyncio
import os
import re
import shlex
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.utils import format_cli_arg

from snakemake_executor_plugin_divvy import compute, schedulers
from snakemake_executor_plugin_divvy.jobscript import JobFiles, job_script, safe_name, tail

SHORTEST_POLL, LONGEST_POLL = 0.2, 2.0  # seconds between looks for exit-status files
WAKE_SECONDS = 0.1  # seconds until a sleeping poll notices that it is needed
SUBMISSION_TRIES, SUBMISSION_DELAY = 4, 2.0  # the delay (s) doubles with each try
INLINE_FILES = 20  # files to wait for that fit on a command line
IMPLICIT_RESOURCES = {"mem", "mem_mb", "mem_mib", "disk", "disk_mb", "disk_mib", "runtime", "tmpdir"}


@dataclass
class Submission:
    """A job on its way: waiting for its turn (no id), or with the scheduler."""

    info: SubmittedJobInfo
    files: JobFiles
    cores: float
    id: str | None = None
    tries: int = 0
    not_before: float = 0.0
    missed: float | None = None  # since when the scheduler says that the job is over, or does not know it
    state: str = ""


class Executor(RemoteExecutor):
    """Runs each job as a submission script of the chosen compute package."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        # the base class starts to poll before it calls __post_init__
        self.submissions_lock = threading.RLock()
        self.wake = threading.Event()
        self.submissions: list[Submission] = []
        self.stopped = False
        self.poll_seconds = SHORTEST_POLL
        self.next_query = 0.0
        self.reported: set[str] = set()
        super().__init__(workflow, logger)

    def __post_init__(self) -> None:
        """Load the compute package; any mistake in it ends the run before a job is started."""
        settings = self.workflow.executor_settings
        try:
            self.package = compute.load_package(settings.config, settings.compute_package)
            self.scheduler = schedulers.choose(settings.scheduler, self.package.submission_command)
        except (compute.ComputeError, schedulers.SchedulerError) as error:
            self.shutdown()
            raise WorkflowError(f"divvy: {error}") from None
        self.workdir = Path(self.workflow.workdir_init)
        self.logdir = self.workdir / settings.logdir
        self.run_name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self.capacity = self._capacity()
        self.grace = self.workflow.execution_settings.latency_wait if self.scheduler.name != "here" else 0
        self.logger.info(
            f"divvy: compute package {self.package.name!r} of {self.package.config} "
            f"(scheduler: {self.scheduler.name}, template: {self.package.template})"
        )

    def _capacity(self) -> float:
        """Return how many cores jobs may use at a time; what a cluster has is its scheduler's affair."""
        if self.scheduler.name != "here":
            return float("inf")
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return available if self.cores == "all" else int(self.cores)

    # --- from a job to a submission script

    def run_job(self, job: JobExecutorInterface) -> None:
        """Write the scripts of a job and queue it; the polling thread submits it."""
        files = self._files(job)
        info = SubmittedJobInfo(job, aux={"log": str(files.log)})
        try:
            self._write_scripts(job, files)
        except (compute.ComputeError, OSError, ValueError) as error:
            raise WorkflowError(f"divvy: rule {job.name}: {error}") from None
        self.report_job_submission(info)
        with self.submissions_lock:
            self.submissions.append(Submission(info, files, min(job.threads, self.capacity)))
        self.wake.set()

    def _files(self, job: JobExecutorInterface) -> JobFiles:
        """Return the files of this attempt; run, job and attempt stand whole in their names, which no other has."""
        unique = f"{self.run_name}-{job.jobid}-{job.attempt}"
        return JobFiles(self.logdir / safe_name(job.name) / ".".join(filter(None, [_wildcards(job), unique])))

    def _write_scripts(self, job: JobExecutorInterface, files: JobFiles) -> None:
        files.stem.parent.mkdir(parents=True, exist_ok=True)
        title = f"{job.name}, job {job.jobid}, attempt {job.attempt}"
        files.job_script.write_text(job_script(title, self.format_job_exec(job), self.workdir, files))
        script = self.package.render(self._variables(job, files), files.submission_script)
        self._warn_once(script.omitted, "not given; directives with it are left out, and the site's defaults hold")
        unused = [name for name in script.unused if name.lower() not in IMPLICIT_RESOURCES]
        self._warn_once(unused, f"given as a resource, but not a variable of the template {self.package.template}")

    def _variables(self, job: JobExecutorInterface, files: JobFiles) -> dict[str, str]:
        """Return the template's variables: the job's own, and each resource under its name in capitals."""
        resources = {
            name.upper(): str(value)
            for name, value in job.resources.items()
            if not name.startswith("_") and value is not None and str(value) != "<TBD>"
        }
        variables = resources | {
            "JOBNAME": self._jobname(job),
            "LOGFILE": self._logfile(files),
            "CORES": str(job.threads),
            "CODE": f"bash {shlex.quote(str(files.job_script))}",
        }
        if "MEM_MB" in resources:
            variables["MEM"] = self.scheduler.memory(int(resources["MEM_MB"]))
        if "RUNTIME" in resources:
            variables["TIME"] = self.scheduler.time(int(resources["RUNTIME"]))
        return variables

    def _jobname(self, job: JobExecutorInterface) -> str:
        return safe_name(".".join(filter(None, [job.name, _wildcards(job)]))).replace("=", "_")

    def _logfile(self, files: JobFiles) -> str:
        """Return the scheduler's log: templates quote it or not, so beside a hostile folder it is a relative path."""
        path = str(files.scheduler_log)
        return path if re.fullmatch(r"[\w@%+=:,./-]+", path) else os.path.relpath(path)

    def _warn_once(self, names: Sequence[str], message: str) -> None:
        new = [name for name in names if name not in self.reported]
        if new:
            self.reported.update(new)
            self.logger.warning(f"divvy: {', '.join(new)}: {message}")

    # --- the job's own Snakemake call

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
        """Return the arguments of the job's call, without the controller's temporary folder of the base class."""
        arguments = RealExecutor.get_job_args(self, job, **kwargs)
        wait_for = [str(file) for file in job.get_wait_for_files()]
        if len(wait_for) <= INLINE_FILES:
            return f"{arguments} {format_cli_arg('--wait-for-files', wait_for)}"
        path = self._files(job).wait_for_files
        path.write_text("".join(f"{file}\n" for file in wait_for))
        return f"{arguments} --wait-for-files-file {shlex.quote(str(path))}"

    # --- from submissions to their end

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Look after the jobs once: report those that ended, and submit those whose turn it is."""
        if self.submissions:
            with self.submissions_lock:
                before = [(s.id, s.tries) for s in self.submissions]
                if not self.stopped:
                    self._find_ended()
                    self._find_lost()
                    self._submit_waiting()
                changed = before != [(s.id, s.tries) for s in self.submissions]
            self.poll_seconds = SHORTEST_POLL if changed else min(LONGEST_POLL, self.poll_seconds * 1.5)
        underway = {id(submission.info) for submission in self.submissions}
        for info in active_jobs:
            if id(info) in underway:
                yield info

    async def sleep(self) -> None:
        """Wait for the next poll, or until there is something to do; without jobs, until there are."""
        end = time.monotonic() + self.poll_seconds if self.submissions else float("inf")
        while time.monotonic() < end and not self.wake.is_set():
            await asyncio.sleep(WAKE_SECONDS)
        self.wake.clear()

    def _find_ended(self) -> None:
        for submission in [s for s in self.submissions if s.id]:
            status = submission.files.exit_status()
            if status == 0:
                self.submissions.remove(submission)
                self.report_job_success(submission.info)
            elif status is not None:
                self._fail(submission, f"exit status {status}")

    def _find_lost(self) -> None:
        """Ask the scheduler after jobs that have not recorded their end, and give up those that it holds for ended."""
        submitted = {s.id: s for s in self.submissions if s.id}
        now = time.monotonic()
        if not submitted or now < self.next_query:
            return
        self.next_query = now + self._query_interval()
        try:
            states = self.scheduler.states([str(id) for id in submitted])
        except schedulers.SchedulerError as error:
            self.logger.warning(f"divvy: {self.scheduler.name} did not tell the state of jobs, will ask again: {error}")
            return
        for job, submission in submitted.items():
            state = states.get(str(job))
            if state and state.name not in self.scheduler.final:
                submission.missed = None
                continue
            submission.missed = submission.missed or now
            submission.state = state.name if state else "no longer known"
            if now - submission.missed >= self.grace and submission.files.exit_status() is None:
                self._fail(submission, f"ended without an exit status ({self.scheduler.name}: {submission.state})")
            else:
                self.next_query = min(self.next_query, submission.missed + max(1, self.grace))

    def _query_interval(self) -> float:
        """Return seconds between queries: Snakemake's setting, as jobs that end well say so themselves."""
        if self.scheduler.name == "here":
            return SHORTEST_POLL
        return float(self.workflow.remote_execution_settings.seconds_between_status_checks)

    def _submit_waiting(self) -> None:
        """Submit what waits, in order, as long as there are cores for it."""
        now = time.monotonic()
        in_use = sum(s.cores for s in self.submissions if s.id)
        for submission in [s for s in self.submissions if not s.id]:
            if in_use + submission.cores > self.capacity:
                break
            if submission.not_before <= now and self._submit(submission):
                in_use += submission.cores

    def _submit(self, submission: Submission) -> bool:
        """Submit one job; return whether it is with the scheduler now. Failures are retried, then fail the job."""
        submission.tries += 1
        try:
            submission.id = self.scheduler.submit(self.package.submission_command, submission.files.submission_script)
        except (schedulers.SchedulerError, OSError) as error:
            if submission.tries == SUBMISSION_TRIES:
                self._fail(submission, f"could not be submitted in {submission.tries} tries: {error}")
            else:
                delay = SUBMISSION_DELAY * 2 ** (submission.tries - 1)
                submission.not_before = time.monotonic() + delay
                self.logger.warning(f"divvy: a submission failed and is tried again in {delay:g} s: {error}")
            return False
        submission.info.external_jobid = submission.id
        self.logger.info(
            f"divvy: submitted job {submission.info.job.jobid} as {self.scheduler.name} job {submission.id}, "
            f"log: {_relative(submission.files.log)}"
        )
        return True

    def _fail(self, submission: Submission, reason: str) -> None:
        """Report a failed job: the reason, and the last lines of its logs."""
        self.submissions.remove(submission)
        job = submission.info.job
        logs = [Path(path) for path in ([] if job.is_group() else job.log)]
        logs += [submission.files.log, submission.files.scheduler_log]
        shown = [f"log: {_relative(submission.files.log)}"]
        for path in logs:
            if lines := tail(path):
                shown += [f"last lines of {_relative(path)}:", *(f"    {line}" for line in lines)]
        self.report_job_error(submission.info, msg="\n    ".join([reason, *shown, ""]))

    # --- the end

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Cancel all jobs that were submitted, also those that the polling thread holds at the moment."""
        with self.submissions_lock:
            self.stopped = True
            ids = [submission.id for submission in self.submissions if submission.id]
            if ids:
                self.logger.info(f"divvy: cancelling {len(ids)} jobs")
                try:
                    self.scheduler.cancel_jobs(ids)
                except schedulers.SchedulerError as error:
                    self.logger.error(f"divvy: jobs could not be cancelled: {error}; their ids: {' '.join(ids)}")

    def shutdown(self) -> None:
        """Stop polling at once."""
        with self.lock:
            self.wait = False  # before waking: a poll that woke too early would sleep again, with nobody to wake it
        self.wake.set()
        super().shutdown()


def _wildcards(job: JobExecutorInterface) -> str:
    """Return the values of a job's wildcards, for names that people search by; "" for a group."""
    values = [] if job.is_group() else [str(value) for value in job.wildcards]
    return safe_name(".".join(values)) if values else ""


def _relative(path: Path) -> str:
    """Return `path` relative to the current folder if it is inside."""
    return os.path.relpath(path) if path.absolute().is_relative_to(Path.cwd()) else str(path)
