"""Fixtures for the tests of the plugin."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from plugin_helpers import need

# a loaded machine is no mistake; in CI, the same examples each time
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("default")
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures of real schedulers, which both folders of tests share.

    `pytest_plugins` would do the same, but is refused in a conftest that pytest finds late, as by `pytest .`.
    """
    config.pluginmanager.import_plugin("real_schedulers")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first in PATH, for stand-ins of a scheduler's commands."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        need(False, "mount", "no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
