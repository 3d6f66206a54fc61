"""Fixtures for all tests."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from divvy_coverage.demo.files import write_project
from helpers import BIN, DATA, need

settings.register_profile("ci", derandomize=True)  # the same examples each time
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures of real schedulers, which the tests of the executor have too.

    `pytest_plugins` would do the same, but is refused in a conftest that pytest finds late, as by `pytest .`.
    """
    if find_spec("real_schedulers"):  # it is not in the source distribution of the workflow
        config.pluginmanager.import_plugin("real_schedulers")


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
