"""Fixtures for the tests of the plugin."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True)  # the same examples each time
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
