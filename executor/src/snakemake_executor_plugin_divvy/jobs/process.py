"""The process of a job: Snakemake with its local executor, which here refuses a job that is not what was planned.

`python -m snakemake_executor_plugin_divvy.jobs.process PLAN NOTES DIGEST … -- ARGUMENTS` is `snakemake ARGUMENTS` for
jobs that a run has planned. In a pack, it also notes in NOTES when each job starts and how it ends.
"""

import sys
from pathlib import Path

from snakemake.cli import main
from snakemake.executors import local
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from snakemake_executor_plugin_divvy.jobs.plan import Plan, call_process, hand_over_configuration, read_plan
from snakemake_executor_plugin_divvy.names import show_path
from snakemake_executor_plugin_divvy.packs.notes import write_note
from snakemake_executor_plugin_divvy.provenance import UNKNOWN, digest_job

NAME = "divvy-job"
common_settings = local.common_settings


class Executor(local.Executor):
    """Runs jobs here. Snakemake tells it of success only when the outputs are there and were looked after."""

    plan_file: Path
    plan: Plan
    planned: frozenset[str]
    notes: Path | None

    def run_job(self, job: JobExecutorInterface) -> None:
        """Start a job, or let it fail if it is another one than was planned."""
        self._note(job)
        if edited := self._find_edits(job):
            info = SubmittedJobInfo(job)
            self.report_job_submission(info, register_job=False)
            message = f"the workflow was edited since this job was planned, which is not the same any more: {edited}"
            self.report_job_error(info, msg=f"divvy: {message}")
        else:
            super().run_job(job)

    def _find_edits(self, job: JobExecutorInterface) -> str:
        """Return what was edited if a job, or one of a group, differs from what was planned because of that."""
        planned_sources = {digest.partition(":")[0] for digest in self.planned}
        for each in job if job.is_group() else [job]:
            digest = digest_job(each, self.workflow)
            sources, _, comparable = digest.partition(":")
            if UNKNOWN in self.planned or (comparable and digest in self.planned):
                continue
            if edited := self.plan.find_edited(self.workflow):
                return ", ".join(show_path(Path(file)) for file in edited)
            if sources not in planned_sources:
                return f"what the rule {each.name} runs"
        return ""

    def format_job_exec(self, job: JobExecutorInterface) -> str:
        """Return the call for a job that needs a process of its own, which reads the workflow once more."""
        return call_process(super().format_job_exec(job), self.workflow, self.plan_file, "-", self.planned)

    def handle_job_success(self, job: JobExecutorInterface) -> None:
        """Note that a job has ended well."""
        super().handle_job_success(job)
        self._note(job, 0)

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        """Note that a job has failed; Snakemake does not tell with which status."""
        super().handle_job_error(job)
        self._note(job, 1)

    def _note(self, job: JobExecutorInterface, status: int | None = None) -> None:
        if self.notes:
            write_note(self.notes, job, status)


if __name__ == "__main__":
    end = sys.argv.index("--")
    file, notes, *digests = sys.argv[1:end]
    Executor.plan_file, Executor.plan, Executor.planned = Path(file), read_plan(Path(file)), frozenset(digests)
    Executor.notes = None if notes == "-" else Path(notes).absolute()
    hand_over_configuration(Executor.plan)
    ExecutorPluginRegistry().register_plugin(NAME, sys.modules[__name__])
    main([*sys.argv[end + 1 :], "--executor", NAME])
