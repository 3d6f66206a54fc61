"""Real schedulers as fixtures, one server of each kind per process.

This is a plugin of pytest, which the conftests load, because fixtures of a conftest belong to its folder: two folders of
tests would start two servers.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import one_host_sge
import one_host_slurm
from clusters import GRID_ENGINE, SLURM, Cluster, list_twins
from one_host_sge import OneHostGridEngine
from one_host_slurm import OneHostSlurm
from overlaps import describe_overlaps
from plugin_helpers import need, wait_until


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of a file that use a scheduler share a process, and with it a server.

    Those that fail in CI run once more; the summary names them (RERUN). Groups come first, lest the last process work long
    when the others have nothing left.
    """
    for item in items:
        groups = {mark.args[0] for mark in item.iter_markers("xdist_group") if mark.args}
        if groups & {"slurm", "grid_engine"}:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
            if os.environ.get("CI"):
                item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: not item.get_closest_marker("xdist_group"))


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


@pytest.fixture(params=[SLURM, GRID_ENGINE])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler with an empty queue, on which no job of the test may have run twice at the same time."""
    server = request.getfixturevalue(request.param)
    words = {
        "slurm": ("sbatch", "squeue", "scancel", "sbatch --hold"),
        "grid_engine": ("qsub", "qstat", "qdel", "qsub -h"),
    }[request.param]
    found = Cluster(request.param, server, *words)
    yield found
    try:
        wait_until(lambda: not server.queue(), 60)  # a job that has reported its end stays in it for a moment
    except AssertionError:
        found.tell(found.cancel, *server.queue())  # lest all tests that follow fail too
        raise
    assert list_twins(tmp_path) == []
    if request.param == "slurm":
        assert describe_overlaps(server, tmp_path) == []
