"""The tests that Snakemake has for executors, on this machine and on Slurm."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.common.tests import TestWorkflowsLocalStorageBase

from one_host_slurm import OneHostSlurm
from snakemake_executor_plugin_divvy import ExecutorSettings
from snakemake_executor_plugin_divvy.compute_packages import load_package


@pytest.mark.slow
class TestOnThisMachine(TestWorkflowsLocalStorageBase):
    __test__ = True

    def get_executor(self) -> str:
        return "divvy"

    def get_executor_settings(self) -> Any:
        return ExecutorSettings()


@pytest.mark.slow
@pytest.mark.xdist_group("slurm")
class TestOnSlurm(TestWorkflowsLocalStorageBase):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _slurm(self, slurm: OneHostSlurm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SLURM_CONF", slurm.env["SLURM_CONF"])
        # one of its rules asks for 5 MB, on which no Snakemake can live where limits are real
        template = Path(load_package(None, "slurm").template)
        package = {
            "submission_template": str(template),
            "submission_command": "sbatch --mem=500",
            "pre_command": "",
            "post_command": "",
        }
        self.config = tmp_path / "divvy_config.yaml"
        self.config.write_text(yaml.safe_dump({"compute_packages": {"slurm": package}}))

    def get_executor(self) -> str:
        return "divvy"

    def get_executor_settings(self) -> Any:
        return ExecutorSettings(compute_package="slurm", config=str(self.config))
