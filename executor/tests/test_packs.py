"""Packs: which jobs share a submission, with which resources."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from snakemake_executor_plugin_divvy.packs import Member, combine_resources, get_pack, make_packs
from snakemake_executor_plugin_divvy.provenance import Ticket


def job(
    pack: object = 1, name: str = "count", attempt: int = 1, group: bool = False, output: int = 1, **more: Any
) -> Any:
    return SimpleNamespace(
        name=name,
        attempt=attempt,
        threads=more.pop("threads", 1),
        resources={"pack": pack, "tmpdir": "<TBD>", **more},
        output=["out"] * output,
        is_group=lambda: group,
    )


def member(each: Any) -> Member:
    return Member(SubmittedJobInfo(each), Ticket((), "", {}, 1, ""), get_pack(each, []))


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
    together = combine_resources(jobs)
    assert (together["mem_mb"], together["runtime"], together["partition"]) == (900, 12, "q")


def test_jobs_that_cannot_share() -> None:
    assert get_pack(job(4, output=0), []) == 1
    assert get_pack(job(4, group=True), []) == 1
    assert get_pack(job(4), ["removed at once"]) == 1
    assert get_pack(job(4), []) == 4


@pytest.mark.parametrize("pack", [0, -1, "many", 2.5])
def test_a_pack_that_is_no_number_of_jobs_is_refused(pack: object) -> None:
    with pytest.raises(ValueError, match="the resource pack is"):
        get_pack(job(pack), [])
