"""Fixtures of whole runs: a project whose matrix is there."""

import shutil
from pathlib import Path

import pytest

from helpers import MATRIX, made_once, snakemake, succeed, tiny_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A tiny project that nothing was made of."""
    tiny_project(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny project whose raw matrix is there; not to be changed."""

    def make(folder: Path) -> None:
        tiny_project(folder)
        succeed(snakemake(folder, MATRIX, "--cores", "2"))

    return made_once(tmp_path_factory, "finished", make)


@pytest.fixture
def counted(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "counted", symlinks=True))
