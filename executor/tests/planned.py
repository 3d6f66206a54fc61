"""Workflows as Snakemake plans them, for tests of what the executor reads from their jobs."""

import linecache
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings import types
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry


@contextmanager
def plan(folder: Path, **resources: Any) -> Iterator[Any]:
    """Let Snakemake plan the workflow in a folder, as a new run does, with these settings of resources."""
    here = Path.cwd()
    linecache.clearcache()  # which a new process has not
    try:
        with SnakemakeApi(types.OutputSettings(quiet={types.Quietness.ALL})) as api:
            opened = api.workflow(types.ResourceSettings(**resources), snakefile=folder / "Snakefile", workdir=folder)
            workflow = opened._workflow
            workflow.dag_settings = types.DAGSettings(max_checksum_file_size=10, forceall=True)
            workflow.execution_settings = types.ExecutionSettings()
            workflow.group_settings = types.GroupSettings()
            workflow.remote_execution_settings = types.RemoteExecutionSettings()
            workflow._executor_plugin = ExecutorPluginRegistry().get_plugin("divvy")
            workflow.scheduling_settings = types.SchedulingSettings()
            workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
            workflow._build_dag()
            workflow.async_run(workflow.dag.postprocess(update_needrun=False))
            yield workflow
    finally:
        os.chdir(here)
