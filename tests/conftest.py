"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from helpers import BIN, CLONE, DATA, need, script, succeed

settings.register_profile("ci", derandomize=True)  # the same examples each time
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures of real schedulers, which the tests of the executor have too.

    `pytest_plugins` would do the same, but is refused in a conftest that pytest finds late, as by `pytest .`.
    """
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
    succeed(script("generate_project.py", "--out", folder / "demo", folder=CLONE))
    return folder / "demo"


@pytest.fixture(scope="session")
def readers() -> Path:
    """The programs of an environment with anndata and MultiQC, whose dependencies do not fit ours."""
    folder = BIN.parent / "readers" / "bin"
    need((folder / "python").exists(), "readers", "make readers installs it")
    return folder
