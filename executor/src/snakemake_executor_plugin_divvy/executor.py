"""The executor: what Snakemake asks of a plugin, on top of the queue of submissions."""

import asyncio
import hashlib
import os
import re
import shlex
import signal
import threading
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.utils import encode_target_jobs_cli_args, format_cli_arg

from snakemake_executor_plugin_divvy import compute_packages, packs, scheduler, schedulers, summary
from snakemake_executor_plugin_divvy.jobscript import JobFiles, job_script, safe_name, tail
from snakemake_executor_plugin_divvy.journal import Entry, Journal, Ticket
from snakemake_executor_plugin_divvy.packs import Member, Pack
from snakemake_executor_plugin_divvy.submissions import Submission, Submissions

BEGIN = time.time()  # when this process began, before it planned anything
SHORTEST_POLL, LONGEST_POLL = 0.2, 2.0  # seconds between looks for exit-status files
WAKE_SECONDS = 0.1  # seconds until a sleeping poll notices that it is needed
INLINE_FILES = 20  # files to wait for that fit on a command line
# for the Snakemake of a job: its rule's `retries` are for this process, which can ask for more memory; without a limit
# of jobs a second it does not wait for the end of that second
ONCE = "--preemptible-rules --preemptible-retries 0"
AT_ONCE = "--max-jobs-per-timespan 1000000/0s"
IMPLICIT_RESOURCES = {"mem", "mem_mb", "mem_mib", "disk", "disk_mb", "disk_mib", "runtime", "tmpdir", "pack"}


class Executor(RemoteExecutor):
    """Runs each job as a submission script of the chosen compute package."""

    def __init__(self, workflow: Any, logger: Any) -> None:
        # the base class starts to poll before it calls __post_init__
        self.submissions: Submissions | None = None
        self.wake = threading.Event()
        self.poll_seconds = SHORTEST_POLL
        self.serial = 0
        self.batch: list[Member] = []
        self.reported: set[str] = set()
        self.ended: list[summary.Ended] = []
        self.gone: list[SubmittedJobInfo] = []  # reported, but still in the list of the base class
        super().__init__(workflow, logger)

    def __post_init__(self) -> None:
        """Load the compute package; any mistake in it ends the run before a job is started."""
        settings = self.workflow.executor_settings
        try:
            self.package = compute_packages.load_package(settings.config, settings.compute_package)
            self.scheduler = schedulers.choose(settings.scheduler, self.package.submission_command)
        except (compute_packages.ComputeError, scheduler.SchedulerError) as error:
            self.shutdown()
            raise WorkflowError(f"divvy: {error}") from None
        self.workdir = Path(self.workflow.workdir_init)
        self.logdir = self.workdir / settings.logdir
        self.run_name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self.journal = Journal(Path(self.workflow.persistence.path).absolute() / "divvy", self.run_name, BEGIN)
        self.submissions = self._submissions()
        self.logger.info(
            f"divvy: compute package {self.package.name!r} of {self.package.config} "
            f"(scheduler: {self.scheduler.name}, template: {self.package.template})"
        )
        if self.scheduler.name == "unknown":
            self.logger.warning(
                f"divvy: {self.package.submission_command!r} is of no scheduler known here (--divvy-scheduler names "
                f"one of {', '.join(schedulers.SCHEDULERS)}); only the jobs themselves will tell of their end"
            )

    def _submissions(self) -> Submissions:
        submissions = Submissions(self, self.scheduler, self.package.submission_command, self.journal, self.logger)
        submissions.lost_after = 60 * self.workflow.executor_settings.lost_after
        if self.scheduler.name == "here":
            available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            submissions.capacity = available if self.cores == "all" else int(self.cores)
            submissions.interval = SHORTEST_POLL
        else:
            submissions.grace = self.workflow.execution_settings.latency_wait
            submissions.interval = max(1.0, self.workflow.remote_execution_settings.seconds_between_status_checks)
        return submissions

    # --- from a job of Snakemake's to the queue

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Run jobs. SIGTERM now ends the run like Ctrl-C: otherwise Snakemake would wait for what is in the queue."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        super().run_jobs(jobs)
        assert self.submissions is not None
        self.submissions.add(self.batch)
        self.batch = []
        self.wake.set()

    def run_job(self, job: JobExecutorInterface) -> None:
        """Check a job and queue it, or find it where an earlier run has submitted it."""
        try:
            self._check(job)
            unneeded = [] if job.is_group() else self.dag.get_unneeded_temp_files(job)
            share = packs.share_of(job, unneeded)
            ticket = self._ticket(job)
        except (OSError, ValueError) as error:
            raise WorkflowError(f"divvy: rule {job.name}: {error}") from None
        left = self._left_by_earlier_run(job, ticket)
        marker = next((t.marker for t in left.tickets if t.key == ticket.key), "") if left else ticket.marker
        member = Member(SubmittedJobInfo(job, external_jobid=marker), Ticket(ticket.key, ticket.digest, marker), share)
        self.report_job_submission(member.info, register_job=not left)
        assert self.submissions is not None
        if left:
            member.info.external_jobid = left.id
            self.logger.info(
                f"divvy: job {job.jobid} is job {left.id} of an earlier run, log: {_relative(left.files.log)}"
            )
            self.submissions.adopt(left, member, min(job.threads, self.submissions.capacity))
        else:
            self.batch.append(member)

    def _check(self, job: JobExecutorInterface) -> None:
        """Report what is wrong with a job's resources while nothing has been written."""
        files = JobFiles(self.logdir / safe_name(job.name), self.journal.state, self._name([job]))
        omitted, unused = self.package.check(self._variables([job], files))
        self._warn_once(omitted, "not given; directives with it are left out, and the site's defaults hold")
        unused = [name for name in unused if name.lower() not in IMPLICIT_RESOURCES]
        self._warn_once(unused, f"given as a resource, but not a variable of the template {self.package.template}")

    def _ticket(self, job: JobExecutorInterface) -> Ticket:
        """Return what a job is called in any run, and a digest of what it does."""
        key = " ".join(sorted(encode_target_jobs_cli_args(job.get_target_spec())))
        command = self.format_job_exec(job).replace(str(self.workflow.sourcecache.runtime_cache_path), "")
        words = re.sub(r"--attempt \d+", "", command).split()
        code = [str(getattr(each, "shellcmd", "")) for each in (job if job.is_group() else [job])]
        digest = hashlib.sha256("\0".join([*sorted(words), *code]).encode()).hexdigest()
        return Ticket(key, digest, f"{self.run_name}-{job.jobid}-{job.attempt}")

    def _left_by_earlier_run(self, job: JobExecutorInterface, ticket: Ticket) -> Entry | None:
        """Return the submission of an earlier run that does what this job does; one that does not is taken back."""
        entry = self.journal.find(ticket.key)
        if entry is None:
            return None
        same = any(t.digest == ticket.digest for t in entry.tickets) and entry.scheduler == self.scheduler.name
        fresh = all(_mtime(path) <= entry.time for path in job.input)
        assert self.submissions is not None
        if same and fresh and not (entry.id is None and entry.files.take_back()):
            return entry
        if entry.id is not None:
            self.logger.info(f"divvy: job {entry.id} of an earlier run is not what is to be done now")
        submission = Submission([], entry.files, 0, entry.id or "")
        self.submissions.take_back([submission], schedulers.SCHEDULERS.get(entry.scheduler, self.scheduler))
        return None

    # --- from jobs to a submission script

    def write(self, members: list[Member]) -> JobFiles:
        """Write the scripts of a submission."""
        jobs = [member.job for member in members]
        self.serial += 1
        unique = f"{self.run_name}-{self.serial}"
        files = JobFiles(self.logdir / safe_name(jobs[0].name), self.journal.state, f"{self._name(jobs)}.{unique}")
        files.logs.mkdir(parents=True, exist_ok=True)
        call = jobs[0] if len(jobs) == 1 else Pack(tuple(jobs))
        last = "" if call.is_group() else AT_ONCE if len(jobs) == 1 else "--keep-going"
        command = f"{self.format_job_exec(call)} {ONCE} {last}"
        title = f"{jobs[0].name}, jobs {' '.join(str(job.jobid) for job in jobs)}, attempt {jobs[0].attempt}"
        files.job_script.write_text(job_script(title, command, self.workdir, files))
        self.package.render(self._variables(jobs, files), files.submission_script)
        for job in jobs[1:]:  # each job of a pack finds its log under its own name
            (files.logs / f"{self._name([job])}.{unique}.log").symlink_to(files.log.name)
        return files

    def _variables(self, jobs: Sequence[JobExecutorInterface], files: JobFiles) -> dict[str, str]:
        """Return the template's variables: the jobs' own, and each resource under its name in capitals."""
        resources = {
            name.upper(): str(value)
            for name, value in packs.resources(jobs).items()
            if not name.startswith("_") and value is not None and str(value) != "<TBD>"
        }
        variables = resources | {
            "JOBNAME": ".".join(dict.fromkeys([safe_name(jobs[0].name), self._name(jobs)])).replace("=", "_")[:100],
            "LOGFILE": self._logfile(files),
            "CORES": str(jobs[0].threads),
            "CODE": f"bash {shlex.quote(str(files.job_script))}",
        }
        if "MEM_MB" in resources:
            variables["MEM"] = self.scheduler.memory(int(resources["MEM_MB"]))
        if "RUNTIME" in resources:
            variables["TIME"] = self.scheduler.time(int(resources["RUNTIME"]))
        return variables

    def _name(self, jobs: Sequence[JobExecutorInterface]) -> str:
        """Return what people search jobs by: their wildcards; the rule's name if there are none."""
        names = [".".join(map(str, [] if job.is_group() else job.wildcards)) for job in jobs]
        together = "+".join(names)
        return safe_name((together if len(together) < 80 else f"{names[0]}+{len(names) - 1}") or jobs[0].name)

    def _logfile(self, files: JobFiles) -> str:
        """Return the scheduler's log: templates quote it or not, so beside a hostile folder it is a relative path."""
        path = str(files.scheduler_log)
        return path if re.fullmatch(r"[\w@%+=:,./-]+", path) else os.path.relpath(path)

    def _warn_once(self, names: Iterable[str], message: str) -> None:
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
        if self.submissions:
            changed = await asyncio.to_thread(self.submissions.look)
            self.poll_seconds = SHORTEST_POLL if changed else min(LONGEST_POLL, self.poll_seconds * 1.5)
        gone = {id(info) for info in self.gone}
        self.gone.clear()
        for info in active_jobs:
            if id(info) not in gone:
                yield info

    async def sleep(self) -> None:
        """Wait for the next poll, or until there is something to do; without jobs, until there are."""
        end = time.monotonic() + self.poll_seconds if self.submissions else float("inf")
        while time.monotonic() < end and not self.wake.is_set():
            await asyncio.sleep(WAKE_SECONDS)
        self.wake.clear()

    def succeeded(self, member: Member, submission: Submission) -> None:
        """Report a job that has ended well."""
        self._note(member, "", submission)
        if submission.well and self.workflow.executor_settings.prune_logs:
            files = submission.files
            own = files.log.with_name(f"{self._name([member.job])}.{files.name.rpartition('.')[2]}.log")
            for path in (own, files.log, files.submission_script):
                path.unlink(missing_ok=True)
        self.report_job_success(member.info)

    def failed(self, member: Member, word: str, reason: str, submission: Submission | None = None) -> None:
        """Report a failed job: the reason, and the last lines of its logs."""
        self._note(member, word, submission)
        job = member.job
        logs = [Path(path) for path in ([] if job.is_group() else job.log)]
        shown = []
        if submission:
            files = submission.files
            logs += [files.log, files.scheduler_log]
            shown = [f"log: {_relative(files.log)}", f"submission script: {_relative(files.submission_script)}"]
            if len(submission.members) > 1:
                reason += f"; it ran in a pack of {len(submission.members)} jobs"
        for path in logs:
            if lines := tail(path):
                shown += [f"last lines of {_relative(path)}:", *(f"    {line}" for line in lines)]
        self.report_job_error(member.info, msg="\n    ".join([reason, *shown, ""]))

    def outcome(self, member: Member) -> str:
        """Tell what became of a job in a pack that did not end well, by Snakemake's own markers.

        Snakemake marks the outputs of a job that it starts as incomplete, and takes the mark away when the job has
        ended; until it starts they bear the mark that was given to them here.
        """
        persistence = self.workflow.persistence
        persistence.deactivate_cache()
        if member.ticket.marker in persistence.external_jobids(member.job):
            return "waiting"
        incomplete = self.workflow.async_run(persistence.incomplete(member.job))
        return "done" if not incomplete and all(Path(str(file)).exists() for file in member.job.output) else "started"

    def _note(self, member: Member, word: str, submission: Submission | None) -> None:
        """Write down the end of a job for the table."""
        job, queued, ran = member.job, None, None
        if submission:
            start, end = submission.files.times()
            queued = start - submission.time if start else None
            ran = (end - start) / len(submission.members) if start and end else None
        memory = job.resources.get("mem_mb")
        self.gone.append(member.info)
        self.ended.append(
            summary.Ended(
                rule=job.name,
                word=word,
                attempt=job.attempt,
                id=submission.id if submission else "",
                queued=max(0.0, queued) if queued is not None else None,
                ran=ran,
                cores=job.threads,
                memory=memory if isinstance(memory, int) else None,
            )
        )

    # --- the end

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Cancel all jobs that were submitted, also those that the polling thread holds at the moment."""
        if self.submissions is not None:
            self.submissions.cancel()

    def shutdown(self) -> None:
        """Stop polling at once, and tell what became of the jobs."""
        with self.lock:
            self.wait = False  # before waking: a poll that woke too early would sleep again, with nobody to wake it
        self.wake.set()
        super().shutdown()
        if self.ended:
            ids = sorted({end.id for end in self.ended if end.id})
            usage = summary.slurm_usage(ids) if self.scheduler.name == "slurm" else {}
            self.logger.info("\n    ".join(["divvy: the jobs of this run", *summary.table(self.ended, usage)]))
        if self.submissions is not None:
            self.journal.close(keep=any(end.word for end in self.ended))


def _mtime(path: Any) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _relative(path: Path) -> str:
    """Return `path` relative to the current folder if it is inside."""
    return os.path.relpath(path) if path.absolute().is_relative_to(Path.cwd()) else str(path)
