"""The executor on a real Slurm."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.common.tests import TestWorkflowsLocalStorageBase
from snakemake_executor_plugin_divvy.compute import load_package

from helpers import link_profile, snakemake, succeed, write_config
from one_host_slurm import OneHostSlurm
from snakemake_executor_plugin_divvy import ExecutorSettings

pytestmark = pytest.mark.xdist_group("slurm")
COMMANDS = {"pre_command": "", "post_command": ""}
SLURM = ["--profile", "divvy", "--divvy-compute-package", "slurm"]


def test_the_demo_gives_the_same_matrix_and_resources_arrive(slurm: OneHostSlurm, demo: Path, tmp_path: Path) -> None:
    matrices = {}
    for name in ("serial", "slurm"):
        folder = tmp_path / name
        write_config(folder, demo / "project_config.yaml", {"peak_set": demo / "regions.bed"})
        link_profile(folder)
    succeed(snakemake(tmp_path / "serial", "--cores", "2"))

    options = ["--set-resources", "coverage:partition=longq", "coverage:mem_mb=300"]
    said = succeed(snakemake(tmp_path / "slurm", *SLURM, *options, SLURM_CONF=slurm.env["SLURM_CONF"]))
    seen = slurm.run("squeue", "--noheader", "--states=all", "--format=%j %P %m %C %l").splitlines()
    seen = [line for line in seen if line.startswith("coverage.")]
    assert seen
    for line in seen:  # all twelve small samples share a submission
        assert re.fullmatch(r"coverage\.peak_set\.(control|treated)_\d\+11 longq 300M 1 1:12:00", line)

    (script,) = (tmp_path / "slurm" / "logs" / "divvy" / "coverage").glob("peak_set.*.sub")
    assert "#SBATCH --partition='longq'\n" in script.read_text()
    assert "#SBATCH --mem='300'\n" in script.read_text()
    (summarize,) = (tmp_path / "slurm" / "logs" / "divvy" / "summarize").glob("*.sub")
    assert "partition" not in summarize.read_text()
    assert said.count("PARTITION: not given; directives with it are left out") == 1
    for name in ("serial", "slurm"):
        matrix = tmp_path / name / "results" / "matrix"
        matrices[name] = [(matrix / f"peak_set.matrix_{kind}.csv.gz").read_bytes() for kind in ("raw", "norm")]
    assert matrices["serial"] == matrices["slurm"]


class TestUpstreamOnSlurm(TestWorkflowsLocalStorageBase):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _slurm(self, slurm: OneHostSlurm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("SLURM_CONF", slurm.env["SLURM_CONF"])
        # one of its rules asks for 5 MB, on which no Snakemake can live where limits are real
        template = Path(load_package(None, "slurm").template)
        package = {"submission_template": str(template), "submission_command": "sbatch --mem=500"}
        self.config = tmp_path / "divvy_config.yaml"
        self.config.write_text(yaml.safe_dump({"compute_packages": {"slurm": package | COMMANDS}}))

    def get_executor(self) -> str:
        return "divvy"

    def get_executor_settings(self) -> Any:
        return ExecutorSettings(compute_package="slurm", config=str(self.config))
