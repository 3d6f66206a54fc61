"""What is checked before anything is submitted: options that cannot work, and the values of jobs."""

import os
import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.settings import SharedFSUsage
from snakemake_interface_executor_plugins.utils import encode_target_jobs_cli_args, format_cli_arg

from snakemake_executor_plugin_divvy.compute_packages import PLACEHOLDER, ComputePackage
from snakemake_executor_plugin_divvy.jobscript import MODULE, JobFiles, quote_arguments
from snakemake_executor_plugin_divvy.names import find_filled_in, make_safe_name, name_jobs, name_rule
from snakemake_executor_plugin_divvy.packs import get_pack
from snakemake_executor_plugin_divvy.schedulers import Scheduler
from snakemake_executor_plugin_divvy.variables import IMPLICIT, build_variables, find_functions, find_read_as_python

DEFAULT_JOBNAMES = ("snakejob.{name}.{jobid}.sh", "snakejob.{rulename}.{jobid}.sh")
FILLED = {  # variables, by their names as resources, and what fills them
    "cores": "the threads of the job",
    "time": "runtime",
    "code": "the command of the job",
    "jobname": "the name of the job",
    "logfile": "the path of its log",
}
SNAKEMAKE_MB = 250  # memory that the Snakemake of a job takes itself
SHARED = (SharedFSUsage.INPUT_OUTPUT, SharedFSUsage.PERSISTENCE, SharedFSUsage.SOURCES)
# variables by which users set options of a submission, perhaps for other work; those of a job are another matter
OPTIONS = re.compile(r"(SBATCH_|LSB_DEFAULT|LSB_SUB_|BSUB_)\w+|PBS_DPREFIX")
PLAIN = re.compile(r"[\w./+@-]*")  # wildcards that certainly arrive as they are


def find_useless_options(workflow: Any) -> list[str]:
    """Return what is wrong with Snakemake's options: those that cannot work with this executor."""
    settings, usage = workflow.remote_execution_settings, workflow.storage_settings.shared_fs_usage
    missing = [each.item_to_choice() for each in SHARED if each not in usage]
    return [
        complaint
        for is_wrong, complaint in (
            (
                settings.immediate_submit,
                "--immediate-submit cannot be used: jobs are submitted when their inputs exist",
            ),
            (settings.jobscript, "--jobscript cannot be used: the template of the compute package takes its place"),
            (
                settings.jobname not in DEFAULT_JOBNAMES,
                "--jobname cannot be used: {JOBNAME} of the template takes its place",
            ),
            (missing, f"--shared-fs-usage lacks {' '.join(missing)}: jobs work in the workflow's own folder"),
        )
        if is_wrong
    ]


def check_folder(folder: Path, scheduler: Scheduler) -> None:
    """Check that jobs can begin in a folder; ValueError if the scheduler would look for another one."""
    if found := find_filled_in(folder, scheduler):
        raise ValueError(f"{folder}: {scheduler.name} fills in {found} in the path of a folder; work in another one")


def find_array(package: ComputePackage, scheduler: Scheduler) -> str:
    """Return the line of a compute package that would make an array of each job; "" if there is none."""
    lines = [package.submission_command, *(line for line in package.text.splitlines() if line.lstrip().startswith("#"))]
    return next((line for line in lines if re.search(scheduler.arrays, line)), "")


def find_foreign_options(package: ComputePackage) -> list[str]:
    """Return the variables of the environment that would change what is submitted; not those that the package names."""
    named = set(re.findall(r"\w+", f"{package.submission_command} {package.text}"))
    return sorted(name for name in os.environ if OPTIONS.fullmatch(name) and name not in named)


class JobChecks:
    """Checks the values of jobs against a compute package, and warns of what seems wrong, once."""

    def __init__(self, package: ComputePackage, scheduler: Scheduler, logdir: Path, state: Path, logger: Any) -> None:
        self.package, self.scheduler, self.logdir, self.state, self.logger = package, scheduler, logdir, state, logger
        self._warned: set[str] = set()
        self._checked: set[object] = set()

    def check(self, job: JobExecutorInterface) -> None:
        """Check a job; ValueError says what is wrong with it."""
        _check_functions(job)
        _check_wildcards(job)
        resources = tuple(job.resources.items())
        if (kind := (job.name, job.threads, resources)) in self._checked:
            return
        _check_names(job)
        get_pack(job)
        files = JobFiles(self.logdir / make_safe_name(name_rule(job)), self.state, name_jobs([job]))
        unset, unused = self.package.check(build_variables([job], files, self.scheduler))
        self._checked.add(kind)
        for name in unset:
            self.logger.debug(f"divvy: rule {name_rule(job)}: {name} is not set; directives using it are omitted")
        unused = [name for name in unused if name.lower() not in IMPLICIT]
        self._warn_once(unused, f"set as a resource, but not used by the template {self.package.template}")
        named = [f"rule {name_rule(job)}: {each}" for each in find_read_as_python(job)]
        self._warn_once(named, "read by Snakemake as Python; as text it needs quotes within the quotes")
        self._check_memory(job)

    def check_all(self, jobs: Iterable[JobExecutorInterface]) -> list[str]:
        """Return what is wrong with jobs whose values are known already, one line for each mistake of a rule."""
        complaints: dict[str, str] = {}
        for job in jobs:
            with suppress(Exception):  # values that a function cannot give yet
                job = copy(job)  # a group keeps resources that were asked for before they were all known
                try:
                    _check_functions(job)
                    known = {name: value for name, value in job.resources.items() if name != "tmpdir"}
                    if "<TBD>" not in map(str, known.values()):
                        self.check(job)
                except ValueError as error:
                    complaints.setdefault(str(error), f"rule {name_rule(job)}: {error}")
        return list(complaints.values())

    def _check_memory(self, job: JobExecutorInterface) -> None:
        memory = job.resources.get("mem_mb")
        if isinstance(memory, int) and memory < SNAKEMAKE_MB and "MEM" in PLACEHOLDER.findall(self.package.text):
            self._warn_once(
                [f"rule {name_rule(job)}"], f"mem_mb={memory}, but Snakemake itself takes {SNAKEMAKE_MB} MB in a job"
            )

    def _warn_once(self, names: Iterable[str], message: str) -> None:
        new = [name for name in names if f"{name} {message}" not in self._warned]
        if new:
            self._warned.update(f"{name} {message}" for name in new)
            self.logger.warning(f"divvy: {', '.join(new)}: {message}")


def _check_names(job: JobExecutorInterface) -> None:
    """Check that no resource is called like a variable that something else fills, as it would be ignored."""
    names = {name.lower(): name for name, _ in job.resources.items()}
    for name, source in FILLED.items():
        if name in names and (source != "runtime" or source in names):
            raise ValueError(
                f"the resource {names[name]} would be ignored: the variable {name.upper()} is filled with {source}"
            )


def _check_functions(job: JobExecutorInterface) -> None:
    """Check that no resource is a function, of which Snakemake would only say that it must be evaluated."""
    if found := find_functions(job):
        name, _, word = found[0].partition("=")
        raise ValueError(
            f"Snakemake reads the resource {found[0]} as Python, where {word} is a function; text needs quotes within "
            f"the quotes: {name}=\"'{word}'\""
        )


def _check_wildcards(job: JobExecutorInterface) -> None:
    """Check that a job's wildcards arrive at its own Snakemake, which gets them as RULE:NAME=VALUE,NAME=VALUE."""
    targets = job.get_target_spec()
    odd = {
        name: value for target in targets for name, value in target.wildcards_dict.items() if not PLAIN.fullmatch(value)
    }
    if not odd:
        return
    from snakemake.target_jobs import parse_target_jobs_cli_args  # takes its time, and few need it

    arguments = format_cli_arg("--target-jobs", encode_target_jobs_cli_args(targets))
    words = shlex.split(quote_arguments(f"{MODULE} {arguments}"))
    try:
        arrived = parse_target_jobs_cli_args(words[words.index("--target-jobs") + 1 :])
    except ValueError:
        arrived = None
    if arrived != list(targets):
        shown = ", ".join(f"{name}={value!r}" for name, value in odd.items())
        raise ValueError(
            f"the wildcard {shown} would not arrive at the job: Snakemake hands them over as NAME=VALUE,NAME=VALUE, "
            "without anything around the values; use other names"
        )
