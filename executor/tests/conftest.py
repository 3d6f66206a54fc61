"""Fixtures for the tests of the plugin."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["real_schedulers"]

settings.register_profile("ci", derandomize=True)  # the same examples each time
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first in PATH, for stand-ins of a scheduler's commands."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path
