"""Snakemake executor plugin: jobs as submission scripts that divvy renders from a site's compute packages.

Every Snakemake process imports this module, including that of each job, so it imports only Snakemake's interface.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from snakemake_executor_plugin_divvy.executor import Executor
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS

__version__ = "0.1.0"
__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Options of the plugin: `--divvy-…` on the command line, `divvy-…` in a profile."""

    compute_package: str = field(
        default="default",
        metadata={"help": "Compute package of the divvy configuration; `divvy list` shows them."},
    )
    config: Optional[str] = field(
        default=None,
        metadata={"help": "divvy configuration file (otherwise $DIVCFG, otherwise the one that comes with looper)."},
    )
    scheduler: Optional[str] = field(
        default=None,
        metadata={
            "help": "How to watch jobs, if that cannot be told from the package's submission command. "
            f"Choices: {', '.join(SCHEDULERS)}."
        },
    )
    logdir: str = field(
        default="logs/divvy",
        metadata={
            "help": "Folder for submission scripts and logs, one folder per rule; jobs must be able to reach it."
        },
    )
    prune_logs: bool = field(
        default=False,
        metadata={"help": "Remove the logs and submission scripts of jobs that succeeded."},
    )
    lost_after: int = field(
        default=1440,
        metadata={"help": "Minutes after which a job not heard of is given up, if its scheduler cannot be asked."},
    )
    wait_for_scheduler: int = field(
        default=60,
        metadata={
            "help": "Minutes to wait for a scheduler that takes no jobs, full or out of reach, while it has "
            "none of this run; then the waiting jobs fail. As long as it has some, it is waited for."
        },
    )

    def __post_init__(self) -> None:
        """Note where relative paths of the user start: Snakemake goes to the folder of --directory or workdir later."""
        self.folder = Path.cwd()


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=True,
    auto_deploy_default_storage_provider=False,
)
