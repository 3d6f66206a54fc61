"""The process of a pack: Snakemake, with its local executor, which here notes when each job starts and how it ends.

`python -m snakemake_executor_plugin_divvy.packs.process FILE ARGUMENTS` is `snakemake ARGUMENTS` with notes in FILE.
"""

import sys
from pathlib import Path

from snakemake.cli import main
from snakemake.executors import local
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemake_executor_plugin_divvy.packs.notes import write_note

NAME = "divvy-pack"
common_settings = local.common_settings


class Executor(local.Executor):
    """Runs jobs here. Snakemake tells it of success only when the outputs are there and were looked after."""

    notes: Path

    def run_job(self, job: JobExecutorInterface) -> None:
        """Start a job."""
        write_note(self.notes, job)
        super().run_job(job)

    def handle_job_success(self, job: JobExecutorInterface) -> None:
        """Note that a job has ended well."""
        super().handle_job_success(job)
        write_note(self.notes, job, 0)

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        """Note that a job has failed; Snakemake does not tell with which status."""
        super().handle_job_error(job)
        write_note(self.notes, job, 1)


if __name__ == "__main__":
    Executor.notes = Path(sys.argv[1]).absolute()
    ExecutorPluginRegistry().register_plugin(NAME, sys.modules[__name__])
    main([*sys.argv[2:], "--executor", NAME])
