"""Real schedulers as fixtures, one server of each kind per session.

This is a plugin of pytest, which the conftests load, because fixtures of a conftest belong to its folder: two folders of
tests would start two servers.
"""

from collections.abc import Iterator

import pytest

import one_host_sge
import one_host_slurm
from one_host_sge import OneHostGridEngine
from one_host_slurm import OneHostSlurm
from plugin_helpers import need


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
