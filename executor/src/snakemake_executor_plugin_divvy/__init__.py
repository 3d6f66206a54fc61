"""Snakemake executor plugin: jobs as submission scripts that divvy renders from a site's compute packages.

Every Snakemake process imports this module, each job's own too, so it imports nothing but the interface.
"""

from dataclasses import dataclass, field
from typing import Optional

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from snakemake_executor_plugin_divvy.executor import Executor
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """Options of the plugin: `--divvy-…` on the command line, `divvy-…` in a profile."""

    compute_package: str = field(
        default="default",
        metadata={"help": "Compute package of the divvy configuration; `divvy list` shows them. `default` runs here."},
    )
    config: Optional[str] = field(
        default=None,
        metadata={"help": "divvy configuration file (otherwise $DIVCFG, otherwise the one that comes with looper)."},
    )
    scheduler: Optional[str] = field(
        default=None,
        metadata={
            "help": "How to watch jobs, if the package's submission command does not tell. "
            f"Choices: {', '.join(SCHEDULERS)}."
        },
    )
    logdir: str = field(
        default="logs/divvy",
        metadata={"help": "Folder for submission scripts and logs, one folder a rule; jobs have to reach it."},
    )
    prune_logs: bool = field(
        default=False,
        metadata={"help": "Remove the logs and submission scripts of jobs that ended well."},
    )
    lost_after: int = field(
        default=1440,
        metadata={
            "help": "Minutes after which a job is given up of which nothing is heard, if its scheduler cannot be asked."
        },
    )


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=True,
    auto_deploy_default_storage_provider=False,
)
