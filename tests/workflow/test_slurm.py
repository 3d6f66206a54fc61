"""The workflow on a real Slurm."""

import re
from pathlib import Path

import pytest

from helpers import FORMATS, link_profile, snakemake, succeed, write_config
from one_host_slurm import OneHostSlurm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]
SLURM = ["--profile", "divvy", "--divvy-compute-package", "slurm"]
MATRICES = [f"results/matrix/peak_set.matrix_{kind}.{format}" for kind in ("raw", "norm") for format in FORMATS]


def test_the_demo_gives_the_same_matrix_and_resources_arrive(slurm: OneHostSlurm, demo: Path, tmp_path: Path) -> None:
    matrices = {}
    listed = ("squeue", "--noheader", "--states=all", "--format=%i %j %P %m %C %l")
    earlier = slurm.run(*listed).splitlines()  # of other tests
    for name in ("serial", "slurm"):
        folder = tmp_path / name
        sets = {"peak_set": demo / "regions.bed"}
        write_config(folder, demo / "project_config.yaml", sets, matrix={"formats": list(FORMATS)})
        link_profile(folder)
    succeed(snakemake(tmp_path / "serial", *MATRICES, "--cores", "2"))

    options = ["--set-resources", "measure_coverage:partition=longq", "measure_coverage:mem_mb=300"]
    said = succeed(snakemake(tmp_path / "slurm", *MATRICES, *SLURM, *options, SLURM_CONF=slurm.env["SLURM_CONF"]))
    jobs = [line.split(" ", 1) for line in slurm.run(*listed).splitlines() if line not in earlier]
    seen = [job for _, job in jobs if job.startswith("measure_coverage.")]
    assert seen
    for line in seen:  # all twelve small samples share a submission
        assert re.fullmatch(r"measure_coverage\.(control|treated)_\d\+11 longq 300M 1 1:12:00", line)

    (script,) = (tmp_path / "slurm" / "logs" / "divvy" / "measure_coverage").glob("*.sub")
    assert "#SBATCH --partition='longq'\n" in script.read_text()
    assert "#SBATCH --mem='300'\n" in script.read_text()
    (summarize,) = (tmp_path / "slurm" / "logs" / "divvy" / "summarize_coverage").glob("*.sub")
    assert "partition" not in summarize.read_text()
    assert "PARTITION" not in said  # which most rules do not set, and may do without
    for name in ("serial", "slurm"):
        matrices[name] = [(tmp_path / name / matrix).read_bytes() for matrix in MATRICES]
    assert matrices["serial"] == matrices["slurm"]
