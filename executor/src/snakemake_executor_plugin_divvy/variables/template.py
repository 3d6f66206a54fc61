"""What a template's variables are filled with: names, files and resources of the jobs of a submission."""

import shlex
from collections.abc import Sequence

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_divvy.compute_packages import LOGFILE_IN_DIRECTIVE
from snakemake_executor_plugin_divvy.jobscript import JobFiles
from snakemake_executor_plugin_divvy.names import escape, name_submission, write_path
from snakemake_executor_plugin_divvy.packs import combine_resources
from snakemake_executor_plugin_divvy.schedulers import Scheduler
from snakemake_executor_plugin_divvy.variables.resources import read_resources

# resources that Snakemake or this plugin set themselves, so that a template without them is no surprise
IMPLICIT = {"mem", "mem_mb", "mem_mib", "disk", "disk_mb", "disk_mib", "runtime", "tmpdir", "pack"}


def build_variables(jobs: Sequence[JobExecutorInterface], files: JobFiles, scheduler: Scheduler) -> dict[str, str]:
    """Return the template's variables: the jobs' own, and each resource under its upper-case name."""
    resources = {
        name.upper(): str(value)
        for name, value in combine_resources(map(read_resources, jobs)).items()
        if not name.startswith(("_", "update_file_")) and value is not None and str(value) != "<TBD>"
    }
    log = write_path(files.scheduler_log, scheduler)
    variables = resources | {
        "JOBNAME": name_submission(jobs, scheduler),
        "LOGFILE": log,
        LOGFILE_IN_DIRECTIVE: escape(log, scheduler),
        "CORES": str(max(1, jobs[0].threads)),
        "CODE": f"bash {shlex.quote(str(files.job_script))}",
    }
    if "MEM_MB" in resources:
        variables["MEM"] = scheduler.memory(int(resources["MEM_MB"]))
    if "RUNTIME" in resources:
        variables["TIME"] = scheduler.time(int(resources["RUNTIME"]))
    return variables
