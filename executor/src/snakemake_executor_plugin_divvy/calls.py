"""The calls of Snakemake that jobs make, and the scripts around them."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.utils import format_cli_arg

from snakemake_executor_plugin_divvy import provenance
from snakemake_executor_plugin_divvy.compute_packages import ComputePackage
from snakemake_executor_plugin_divvy.failed_lines import add_trap
from snakemake_executor_plugin_divvy.jobs.plan import CONFIG, PLAN, Plan, call_process, make_plan, write_plan
from snakemake_executor_plugin_divvy.jobs.sources import checksum_code, get_remembered_sources
from snakemake_executor_plugin_divvy.jobscript import (
    JobFiles,
    build_job_script,
    quote_arguments,
    write_privately,
)
from snakemake_executor_plugin_divvy.names import name_rule, show_path
from snakemake_executor_plugin_divvy.packs import Member, Pack
from snakemake_executor_plugin_divvy.schedulers import Scheduler
from snakemake_executor_plugin_divvy.variables import build_variables

INLINE_FILES = 20  # files to wait for that fit on a command line
# for the Snakemake of a job: its rule's `retries` are left to this process, which can ask for more memory; without a
# limit on jobs per second it does not wait for that second to end
ONCE = "--preemptible-rules --preemptible-retries 0"
AT_ONCE = "--max-jobs-per-timespan 1000000/0s"


class JobCalls(RemoteExecutor):
    """The part of the executor that writes what a job runs, with everything in it quoted for the shell."""

    package: ComputePackage
    scheduler: Scheduler
    workdir: Path
    plan: Plan
    list_of_inputs: Path  # file for the inputs of the job whose call is written, if they are many

    def hand_over_plan(self, state: Path) -> None:
        """Write what this run's jobs have to know, and let them read the values of --configfile from there."""
        settings = copy(self.workflow.config_settings)  # which a caller may use again
        given = settings.configfiles
        self.plan = make_plan(self.workflow, self.workdir)
        write_plan(self.plan, settings.overwrite_config if given else None, state)
        if given:
            settings.configfiles = [state / CONFIG]
            self.workflow.config_settings = settings

    def warn_of_edits(self) -> None:
        """Tell which scripts were edited since jobs were planned, for their results are newer than the edit."""
        for path, checksum in get_remembered_sources(self.workflow).items():
            if path in self.plan.snakefiles or not Path(path).is_file():
                continue
            with suppress(OSError):
                if checksum != checksum_code(path):
                    self.logger.warning(
                        f"divvy: {show_path(Path(path))} was edited while this run was on, whose jobs ran it as it was "
                        "before: Snakemake takes their results for those of the edited one, as they are newer; "
                        "--forcerun with the rule's name makes them again"
                    )

    def write_scripts(self, members: Sequence[Member], files: JobFiles) -> None:
        """Write the job script and the submission script of jobs that share a submission."""
        jobs = [member.job for member in members]
        self.list_of_inputs = files.inputs
        files.logs.mkdir(parents=True, exist_ok=True)
        call = jobs[0] if len(jobs) == 1 else Pack(tuple(jobs))
        last = "" if call.is_group() else AT_ONCE if len(jobs) == 1 else "--keep-going"
        command = f"{quote_arguments(self.format_job_exec(call))} {ONCE} {last}"
        notes = str(files.start) if members[0].pack > 1 else "-"
        planned = [digest for member in members for digest in member.ticket.planned]
        command = call_process(command, self.workflow, files.state / PLAN, notes, planned)
        title = f"{name_rule(jobs[0])}, jobs {' '.join(str(job.jobid) for job in jobs)}, attempt {jobs[0].attempt}"
        markers = [path for job in jobs for path in provenance.list_markers(job, self.workflow.persistence)]
        variable = self.scheduler.job_variable
        python = self.get_python_executable()
        text = build_job_script(title, command, self.workdir, files, variable, markers, python)
        write_privately(files.job_script, text)
        variables = build_variables(jobs, files, self.scheduler)
        text = self.package.render(variables, files.submission_script)
        files.submission_script.write_text(add_trap(text, files.submission_script, files.job_script))

    @cached_property
    def common_call(self) -> str:
        """What the calls of all jobs have in common, without the controller's temporary folders."""
        factory = self.workflow.spawned_job_args_factory
        common = factory.general_args(executor_common_settings=self.common_settings)
        before = factory.precommand(executor_common_settings=self.common_settings)
        text = " ".join([self.get_envvar_declarations(), before, self.get_snakefile(), common])
        for passing in (self.workflow.sourcecache.runtime_cache_path, *self.workflow.config_settings.configfiles):
            text = text.replace(str(passing), "")
        words = text.split()
        return " ".join(sorted(words))  # Snakemake keeps some of them in sets

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
        """Return the arguments of the job's call: with its own threads, without the controller's temporary folders."""
        arguments = RealExecutor.get_job_args(self, job, **kwargs | {"cores": max(1, job.threads)})
        passing = str(self.workflow.sourcecache.runtime_cache_path)
        wait_for = [str(file) for file in job.get_wait_for_files() if not str(file).startswith(passing)]
        if len(wait_for) <= INLINE_FILES:
            return f"{arguments} {format_cli_arg('--wait-for-files', wait_for)}"
        write_privately(self.list_of_inputs, "".join(f"{file}\n" for file in wait_for))
        return f"{arguments} --wait-for-files-file {shlex.quote(str(self.list_of_inputs))}"
