"""Fixtures for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import one_host_sge
import one_host_slurm
from divvy_coverage.demo.files import write_project
from helpers import BIN, DATA, need
from one_host_sge import OneHostGridEngine
from one_host_slurm import OneHostSlurm

settings.register_profile("ci", derandomize=True)  # the same examples each time
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real cohorts and expected counts."""
    need(DATA.is_dir(), "data", f"no folder {DATA}; set DIVVY_COVERAGE_DATA to the one with the real cohorts")
    return DATA


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project with its default size; not to be changed."""
    folder = tmp_path_factory.mktemp("demo")
    write_project(folder / "demo", n_samples=12, n_regions=1000, n_reads=50_000, seed=1)
    return folder / "demo"


@pytest.fixture(scope="session")
def readers() -> Path:
    """The programs of an environment with anndata and MultiQC, whose dependencies do not fit ours."""
    folder = BIN.parent / "readers" / "bin"
    need((folder / "python").exists(), "readers", "make readers installs it")
    return folder


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first in PATH, for stand-ins of a scheduler's commands."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneHostSlurm]:
    """A running Slurm."""
    reason = one_host_slurm.unavailable()
    need(not reason, "slurm", reason)
    with OneHostSlurm(tmp_path_factory.mktemp("slurm")) as server:
        yield server


@pytest.fixture(scope="session")
def grid_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneHostGridEngine]:
    """A running Grid Engine."""
    reason = one_host_sge.unavailable()
    need(not reason, "grid_engine", reason)
    with OneHostGridEngine(tmp_path_factory.mktemp("grid_engine")) as server:
        yield server
