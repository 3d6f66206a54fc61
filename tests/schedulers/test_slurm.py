"""The executor on a real Slurm."""

import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from snakemake.common.tests import TestWorkflowsLocalStorageBase

from helpers import environment, link_profile, refuse, snakemake, succeed, write_config
from one_host_slurm import OneHostSlurm
from snakemake_executor_plugin_divvy import ExecutorSettings

pytestmark = pytest.mark.xdist_group("slurm")
SLURM = ["--profile", "divvy", "--divvy-compute-package", "slurm"]
RULE = (
    "rule all:\n    input: expand('{{n}}.txt', n=range({}))\n\n\nrule job:\n    output: '{{n}}.txt'\n    shell: '{}'\n"
)


def workflow(folder: Path, command: str, targets: int = 1) -> Path:
    (folder / "Snakefile").write_text(RULE.format(targets, command))
    link_profile(folder)
    return folder / "Snakefile"


def start(folder: Path, slurm: OneHostSlurm, *options: str, snakefile: Path | None = None) -> subprocess.Popen[str]:
    """Start Snakemake in the background, on Slurm."""
    from helpers import SNAKEFILE

    return subprocess.Popen(
        ["snakemake", "--snakefile", str(snakefile or SNAKEFILE), *SLURM, *options],
        cwd=folder,
        env=environment() | {"SLURM_CONF": slurm.env["SLURM_CONF"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(ready: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_the_demo_gives_the_same_matrix_and_resources_arrive(slurm: OneHostSlurm, demo: Path, tmp_path: Path) -> None:
    matrices = {}
    for name in ("serial", "slurm"):
        folder = tmp_path / name
        write_config(folder, demo / "project_config.yaml", {"peak_set": demo / "regions.bed"})
        link_profile(folder)
    succeed(snakemake(tmp_path / "serial", "--cores", "2"))

    options = ["--set-resources", "coverage:partition=longq", "coverage:mem_mb=300"]
    process = start(tmp_path / "slurm", slurm, *options)
    wait_until(lambda: slurm.queue())
    seen = slurm.run("squeue", "--noheader", "--states=all", "--format=%j %P %m %C %l").splitlines()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert seen
    for line in seen:
        assert re.fullmatch(r"coverage\.peak_set\.(control|treated)_\d longq 300M 1 1:00:00", line)

    (script,) = (tmp_path / "slurm" / "logs" / "divvy" / "coverage").glob("peak_set.control_1.*.sub")
    assert "#SBATCH --partition='longq'\n" in script.read_text()
    assert "#SBATCH --mem='300'\n" in script.read_text()
    (collect,) = (tmp_path / "slurm" / "logs" / "divvy" / "collect").glob("*.sub")
    assert "partition" not in collect.read_text()
    assert said.count("PARTITION: not given; directives with it are left out") == 1
    for name in ("serial", "slurm"):
        matrix = tmp_path / name / "results" / "matrix"
        matrices[name] = [(matrix / f"peak_set.matrix_raw.{suffix}").read_bytes() for suffix in ("csv.gz", "parquet")]
    assert matrices["serial"] == matrices["slurm"]


def test_a_failed_job_is_reported_with_its_log(slurm: OneHostSlurm, tmp_path: Path) -> None:
    snakefile = workflow(tmp_path, "echo what went wrong >&2; exit 3")
    done = snakemake(tmp_path, *SLURM, snakefile=snakefile, SLURM_CONF=slurm.env["SLURM_CONF"])
    refuse(done, "exit status 1", "what went wrong", "log: logs/divvy/job/0.", "external_jobid")


def test_a_cancelled_job_is_noticed(slurm: OneHostSlurm, tmp_path: Path) -> None:
    process = start(tmp_path, slurm, "--latency-wait", "1", snakefile=workflow(tmp_path, "touch started; sleep 300"))
    wait_until((tmp_path / "started").exists)
    slurm.run("scancel", *slurm.queue())
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ended without an exit status (slurm: CANCELLED" in said


def test_ctrl_c_empties_the_queue(slurm: OneHostSlurm, tmp_path: Path) -> None:
    process = start(tmp_path, slurm, snakefile=workflow(tmp_path, "sleep 300", targets=8))
    wait_until(lambda: len(slurm.queue()) == 8)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cancelling 8 jobs" in said
    wait_until(lambda: not slurm.queue())


def test_a_submission_that_fails_twice_is_tried_again(slurm: OneHostSlurm, tmp_path: Path) -> None:
    (tmp_path / "sbatch").write_text(
        f"#!/bin/bash\necho try >> {tmp_path}/tries\n"
        f"[ $(wc -l < {tmp_path}/tries) -gt 2 ] || {{ echo 'Socket timed out' >&2; exit 1; }}\nexec /usr/bin/sbatch \"$@\"\n"
    )
    (tmp_path / "sbatch").chmod(0o755)
    snakefile = workflow(tmp_path, "touch {output}")
    path = f"{tmp_path}:{environment()['PATH']}"
    done = snakemake(tmp_path, *SLURM, snakefile=snakefile, SLURM_CONF=slurm.env["SLURM_CONF"], PATH=path)
    assert succeed(done).count("Socket timed out") == 2


def test_a_submission_that_always_fails_fails_its_job_alone(slurm: OneHostSlurm, tmp_path: Path) -> None:
    snakefile = workflow(tmp_path, "touch {output}", targets=3)
    snakefile.write_text(
        snakefile.read_text().replace(
            "shell:", "resources: partition=lambda w: 'nosuch' if w.n == '1' else 'shortq'\n    shell:"
        )
    )
    done = snakemake(tmp_path, *SLURM, snakefile=snakefile, SLURM_CONF=slurm.env["SLURM_CONF"])
    refuse(done, "could not be submitted in 4 tries", "invalid partition specified: nosuch")
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == ["0.txt", "2.txt"]


class TestUpstreamOnSlurm(TestWorkflowsLocalStorageBase):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _slurm(self, slurm: OneHostSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLURM_CONF", slurm.env["SLURM_CONF"])

    def get_executor(self) -> str:
        return "divvy"

    def get_executor_settings(self) -> Any:
        return ExecutorSettings(compute_package="slurm")
