"""Fixtures for all tests."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

from divvy_coverage.demo.files import write_project
from helpers import BIN, DATA, made_once, need

# a loaded machine is no mistake; in CI, the same examples each time
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("default")
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
def bedtools() -> str:
    """The program."""
    path = shutil.which("bedtools")
    need(path is not None, "bedtools", "no bedtools in PATH, with which counts are compared")
    return str(path)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project with its default size; not to be changed."""
    numbers = {"n_samples": 12, "n_regions": 1000, "n_reads": 50_000, "seed": 1}
    return made_once(tmp_path_factory, "demo", partial(write_project, **numbers))


@pytest.fixture(scope="session")
def readers() -> Path:
    """The programs of an environment with anndata and MultiQC, whose dependencies do not fit ours."""
    folder = BIN.parent / "readers" / "bin"
    need((folder / "python").exists(), "readers", "make readers installs it")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, text=True, check=False
    )
    need(not done.returncode, "mount", f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
