"""Names of jobs and files: valid wherever they go, and the same in each run."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters import Cluster
from snakemake_executor_plugin_divvy.compute_packages import LOGFILE_IN_DIRECTIVE, ComputePackage
from snakemake_executor_plugin_divvy.names import (
    escape,
    find_filled_in,
    make_safe_name,
    name_jobs,
    name_rule,
    name_submission,
    write_path,
)
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS


def job(rule: str, *wildcards: str, group: bool = False) -> Any:
    return SimpleNamespace(name=rule, wildcards=wildcards, is_group=lambda: group)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("s1", "s1"),
        ("a;b $(touch x) {MEM}", "a_b_touch_x_MEM"),
        ("../..", ".._.."),
        ("", "_"),
        ("é/ü", "_"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_of_files_and_jobs_are_harmless(name: str, safe: str) -> None:
    assert make_safe_name(name) == safe


def test_people_find_jobs_by_their_wildcards() -> None:
    assert name_jobs([job("count", "s1", "peaks")]) == "s1.peaks"
    assert name_jobs([job("count", "s1"), job("count", "s2")]) == "s1+s2"
    assert name_jobs([job("count", f"sample{n}") for n in range(25)]) == "sample0+24"
    assert name_jobs([job("all")]) == "all"


def test_groups_that_nobody_has_named_are_called_the_same_in_each_run() -> None:
    id = "0b0f3a52-6c1d-4f3e-9d2a-1f6a4e3b2c1d"
    assert name_rule(job(f"{id}_receive_send", group=True)) == "receive_send"
    assert name_rule(job("g_a_b", group=True)) == "g_a_b"
    assert name_rule(job(f"{id}_rule")) == f"{id}_rule"


@given(st.text(min_size=1), st.lists(st.text(), max_size=3), st.sampled_from(sorted(SCHEDULERS)))
def test_schedulers_take_the_names_of_jobs(rule: str, wildcards: list[str], scheduler: str) -> None:
    name = name_submission([job(rule, *wildcards)], SCHEDULERS[scheduler])
    assert name.isascii()
    assert not set(name).intersection(" \t\n\r/:@\\*?'\"$`=[]%")
    if scheduler in ("grid_engine", "pbs", "torque"):
        assert name[0].isalpha()
    assert 0 < len(name) <= (15 if scheduler == "torque" else 100)


@pytest.mark.parametrize(
    ("scheduler", "folder", "is_plain"),
    [
        ("slurm", "/data/run_12:30,b@c+d=é", True),
        ("slurm", "/data/50%u", True),
        ("slurm", "/data/a b", False),
        ("lsf", "/data/%J", False),
        ("grid_engine", "/data/50%u", True),
        ("grid_engine", "/data/run_12:30", False),
        ("grid_engine", "/data/a,b", False),
        ("grid_engine", "/data/$HOME", False),
        ("pbs", "/data/node1:x", False),
        ("torque", "/data/node1:x", False),
        ("here", "/data/12:30,%u", True),
        ("here", "/data/it's", False),
    ],
)
def test_paths_in_which_something_would_be_filled_in_are_relative(scheduler: str, folder: str, is_plain: bool) -> None:
    path = Path(folder) / ".snakemake" / "x.scheduler.log"
    assert write_path(path, SCHEDULERS[scheduler]) == (str(path) if is_plain else os.path.relpath(path))


def test_what_slurm_would_fill_in_is_escaped_where_slurm_reads_it(tmp_path: Path) -> None:
    log = "/data/50%u %%/x.log"
    template = tmp_path / "x.sub"
    template.write_text("#SBATCH --output='{LOGFILE}'\necho {LOGFILE}\n{CODE}\n")
    package = ComputePackage("p", tmp_path, template, "sbatch", template.read_text(), {})
    values = {"LOGFILE": log, LOGFILE_IN_DIRECTIVE: escape(log, SCHEDULERS["slurm"]), "CODE": "true"}
    script = package.render(values, tmp_path / "rendered").splitlines()
    assert script[:2] == ["#SBATCH --output='/data/50%%u %%%%/x.log'", f"echo {log}"]
    assert escape(log, SCHEDULERS["grid_engine"]) == log


@pytest.mark.parametrize(
    ("folder", "found"), [("/a$HOME", "$HOME"), ("/$USERS/x", "$USER"), ("/a$x", ""), ("/a b", "")]
)
def test_folders_in_which_grid_engine_fills_something_in(folder: str, found: str) -> None:
    assert find_filled_in(Path(folder), SCHEDULERS["grid_engine"]) == found
    assert find_filled_in(Path(folder), SCHEDULERS["slurm"]) == ""


UNNAMED = """\
rule all:
    input: "1.txt", "received.txt"

rule:
    output: "1.txt"
    shell: "touch {output}"

rule send:
    output: pipe("stream")
    shell: "echo sent > {output}"

rule receive:
    input: "stream"
    output: "received.txt"
    shell: "cat {input} > {output}"
"""


@pytest.mark.slow
def test_rules_groups_and_folders_with_odd_names_run(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / ("run 12:30 50%j%%" if cluster.package == "slurm" else "run 12:30 50%j,$x")
    folder.mkdir()
    (folder / "Snakefile").write_text(UNNAMED)
    status, said = cluster.run(folder)
    assert status == 0, said
    assert (folder / "received.txt").read_text() == "sent\n"
    assert sorted(path.name for path in (folder / "logs" / "divvy").iterdir()) == ["2", "receive_send"]
    if cluster.package == "grid_engine":
        other = tmp_path / "$HOME"
        folder.rename(other)
        status, said = cluster.run(other, "--forceall")
        assert status == 1
        assert "fills in $HOME in the path of a folder" in said
