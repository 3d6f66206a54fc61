"""The tests that Snakemake has for executors."""

from typing import Any

from snakemake.common.tests import TestWorkflowsLocalStorageBase

from snakemake_executor_plugin_divvy import ExecutorSettings


class TestOnThisMachine(TestWorkflowsLocalStorageBase):
    __test__ = True

    def get_executor(self) -> str:
        return "divvy"

    def get_executor_settings(self) -> Any:
        return ExecutorSettings()
