"""Packs: which jobs share a submission, with which resources, and what they note."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.utils import TargetSpec

from snakemake_executor_plugin_divvy.packs import Member, combine_resources, get_pack, make_packs, notes
from snakemake_executor_plugin_divvy.provenance import Ticket


def job(pack: object = 1, name: str = "count", attempt: int = 1, group: bool = False, **more: Any) -> Any:
    return SimpleNamespace(
        name=name,
        attempt=attempt,
        threads=more.pop("threads", 1),
        resources={"pack": pack, "tmpdir": "<TBD>", **more},
        is_group=lambda: group,
    )


def member(each: Any) -> Member:
    return Member(SubmittedJobInfo(each), Ticket((), "", {}, 1), get_pack(each))


def sizes(jobs: list[Any], most: int = 1000) -> list[int]:
    return [len(pack) for pack in make_packs(map(member, jobs), most)]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 30))
def test_no_submission_is_more_than_full(numbers: list[int], most: int) -> None:
    packs = make_packs([member(job(pack)) for pack in numbers], most)
    assert sorted(m.job.resources["pack"] for pack in packs for m in pack) == sorted(numbers)
    for pack in packs:
        (number,) = {m.job.resources["pack"] for m in pack}
        assert 1 <= len(pack) <= min(number, most)


def test_equal_jobs_fill_submissions() -> None:
    assert sizes([job(25)] * 60) == [25, 25, 10]
    assert sizes([job(25)] * 60, most=20) == [20, 20, 20]
    assert sizes([job(1)] * 3) == [1, 1, 1]


@pytest.mark.parametrize(
    "other", [{"name": "other"}, {"pack": 3}, {"attempt": 2}, {"threads": 2}, {"partition": "longq"}, {"gpu": 1}]
)
def test_only_jobs_of_a_kind_share(other: dict[str, Any]) -> None:
    assert sizes([job(4), job(**{"pack": 4} | other), job(4), job(**{"pack": 4} | other)]) == [2, 2]


def test_sizes_may_differ_and_the_largest_counts() -> None:
    jobs = [job(4, mem_mb=100, runtime=5, partition="q"), job(4, mem_mb=900, runtime=7, partition="q")]
    assert sizes(jobs) == [2]
    together = combine_resources(job.resources for job in jobs)
    assert (together["mem_mb"], together["runtime"], together["partition"]) == (900, 12, "q")


def test_groups_do_not_share() -> None:
    assert get_pack(job(4, group=True)) == 1
    assert get_pack(job(4)) == 4


@pytest.mark.parametrize("pack", [0, -1, "many", 2.5])
def test_a_pack_that_is_no_number_of_jobs_is_refused(pack: object) -> None:
    with pytest.raises(ValueError, match="the resource pack is"):
        get_pack(job(pack))


# --- notes

FIRST = "1700000000 17 node1 4711\n"  # what the job script has written


def target(**wildcards: str) -> Any:
    return SimpleNamespace(get_target_spec=lambda: [TargetSpec("job", wildcards)])


def outcomes(path: Path, *jobs: Any) -> list[str]:
    found = notes.read_notes(path)
    return [notes.find_outcome(found, job) for job in jobs]


@pytest.fixture
def start(tmp_path: Path) -> Path:
    path = tmp_path / "x.start"
    path.write_text(FIRST)
    return path


def test_what_is_noted_is_read(start: Path) -> None:
    jobs = [target(n='it\'s\n\t"é"'), target(n="2"), target(n="3"), target(n="2", m="")]
    assert outcomes(start, *jobs) == ["waiting"] * 4
    notes.write_note(start, jobs[0])
    notes.write_note(start, jobs[0], 0)
    notes.write_note(start, jobs[1])
    notes.write_note(start, jobs[1], 1)
    notes.write_note(start, jobs[2])
    assert outcomes(start, *jobs) == ["done", "started", "started", "waiting"]
    assert start.read_text().startswith(FIRST)


def test_a_pack_that_was_killed_while_it_wrote_has_said_nothing(start: Path) -> None:
    notes.write_note(start, target(n="1"))
    notes.write_note(start, target(n="1"), 0)
    start.write_text(start.read_text()[:-3])
    assert outcomes(start, target(n="1")) == ["started"]


def test_a_submission_without_a_start_has_no_notes(tmp_path: Path) -> None:
    assert outcomes(tmp_path / "x.start", target(n="1")) == ["waiting"]
    with pytest.raises(FileNotFoundError):
        notes.write_note(tmp_path / "x.start", target(n="1"))
    assert not list(tmp_path.iterdir())


def test_a_note_that_did_not_fit_on_the_disk_is_written_later(start: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, tries = os.write, []

    def write_little(file: int, data: bytes) -> int:
        tries.append(data)
        if len(tries) == 1:
            raise OSError(errno.ENOSPC, "full")
        return write(file, data[:5] if len(tries) == 2 else data)

    monkeypatch.setattr(notes.os, "write", write_little)
    monkeypatch.setattr(notes, "WAIT", 0)
    notes.write_note(start, target(n="1"), 0)
    assert len(tries) == 3
    assert outcomes(start, target(n="1")) == ["done"]
