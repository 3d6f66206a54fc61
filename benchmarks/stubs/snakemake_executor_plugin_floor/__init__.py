"""An executor that costs next to nothing: it makes the outputs itself, and reports them in batches.

What a controller takes with it is what Snakemake takes, whatever the executor. It runs only the jobs of the benchmark.
"""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.real import RealExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecMode, ExecutorSettingsBase

PAUSE_OF_A_BATCH, PAUSE_OF_A_JOB = 0.02, 0.003  # seconds: what has ended together is taken together, as on a cluster

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=True,
    auto_deploy_default_storage_provider=False,
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Options of the plugin."""

    batch: int = field(default=1, metadata={"help": "How many jobs end together."})


class Executor(RealExecutor):
    """Makes outputs, and tells Snakemake so."""

    def run_jobs(self, jobs: list[JobExecutorInterface]) -> None:
        """Register jobs, and let them end in the background."""
        super().run_jobs(jobs)
        threading.Thread(target=self._end, args=(jobs,), daemon=True).start()

    def run_job(self, job: JobExecutorInterface) -> None:
        """Register a job as submitted."""
        self.report_job_submission(SubmittedJobInfo(job, external_jobid=str(job.jobid)))

    def _end(self, jobs: list[JobExecutorInterface]) -> None:
        size = self.workflow.executor_settings.batch
        for first in range(0, len(jobs), size):
            batch = jobs[first : first + size]
            for job in batch:
                for path in map(Path, job.output):
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(repr(time.time()))
            for job in batch:
                self.report_job_success(SubmittedJobInfo(job))
            time.sleep(PAUSE_OF_A_BATCH + PAUSE_OF_A_JOB * len(batch))

    @property
    def cores(self) -> Any:
        """The cores that a job may use."""
        return "all"

    def get_python_executable(self) -> str:
        """Return the Python of the jobs, of which there are none."""
        return "python"

    def get_exec_mode(self) -> ExecMode:
        """Return the mode of the jobs."""
        return ExecMode.REMOTE

    def cancel(self) -> None:
        """Nothing runs elsewhere."""

    def shutdown(self) -> None:
        """Nothing is to be ended."""
