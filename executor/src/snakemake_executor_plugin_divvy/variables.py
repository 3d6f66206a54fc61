"""What a template's variables are filled with: names, files and resources of the jobs of a submission."""

import os
import re
import shlex
from collections.abc import Sequence

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_divvy.jobscript import JobFiles, make_safe_name
from snakemake_executor_plugin_divvy.packs import combine_resources
from snakemake_executor_plugin_divvy.schedulers import Scheduler

LONGEST_NAME = 80  # of the wildcards of a pack; beyond it, the first and a number stand for all
# resources that Snakemake or this plugin set themselves, so that a template without them is no surprise
IMPLICIT = {"mem", "mem_mb", "mem_mib", "disk", "disk_mb", "disk_mib", "runtime", "tmpdir", "pack"}


def build_variables(jobs: Sequence[JobExecutorInterface], files: JobFiles, scheduler: Scheduler) -> dict[str, str]:
    """Return the template's variables: the jobs' own, and each resource under its upper-case name."""
    resources = {
        name.upper(): str(value)
        for name, value in combine_resources(jobs).items()
        if not name.startswith(("_", "update_file_")) and value is not None and str(value) != "<TBD>"
    }
    variables = resources | {
        "JOBNAME": _make_job_name(jobs),
        "LOGFILE": _make_log_path(files),
        "CORES": str(max(1, jobs[0].threads)),
        "CODE": f"bash {shlex.quote(str(files.job_script))}",
    }
    if "MEM_MB" in resources:
        variables["MEM"] = scheduler.memory(int(resources["MEM_MB"]))
    if "RUNTIME" in resources:
        variables["TIME"] = scheduler.time(int(resources["RUNTIME"]))
    return variables


def make_name(jobs: Sequence[JobExecutorInterface]) -> str:
    """Return what people look for jobs by: their wildcards, or the rule's name if there are none."""
    names = [".".join(map(str, [] if job.is_group() else job.wildcards)) for job in jobs]
    together = "+".join(names)
    short = together if len(together) < LONGEST_NAME else f"{names[0]}+{len(names) - 1}"
    return make_safe_name(short or jobs[0].name)


def _make_job_name(jobs: Sequence[JobExecutorInterface]) -> str:
    parts = dict.fromkeys([make_safe_name(jobs[0].name), make_name(jobs)])
    return ".".join(parts).replace("=", "_")[:100]


def _make_log_path(files: JobFiles) -> str:
    """Return the scheduler's log; relative where templates, which may not quote it, could not hold the whole path."""
    path = str(files.scheduler_log)
    return path if re.fullmatch(r"[\w@%+=:,./-]+", path) else os.path.relpath(path)
