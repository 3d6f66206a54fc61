"""Workflows while things go wrong, by the tool chaos.py, and that it would notice if something came of it."""

import random
from pathlib import Path

import pytest

import chaos
from chaos_run import Outages, Run
from chaos_workflow import Job, Note, find_wrong_outputs, find_wrong_starts, make_jobs
from one_host_slurm import OneHostSlurm

SEEDS = (3, 4)  # with every kind of fault; the tool runs as many as are asked for


@pytest.mark.slow
@pytest.mark.xdist_group("slurm")
def test_workflows_come_through(slurm: OneHostSlurm, tmp_path: Path) -> None:
    results = list(chaos.run_seeds(slurm, SEEDS, 4, tmp_path, outage=(5, 15)))
    assert sorted(result.seed for result in results) == list(SEEDS)
    assert not [result for result in results if result.problems], "\n".join(map(str, results))


def test_every_kind_of_fault_happens_in_these_and_some_while_others_last() -> None:
    schedules = []
    for seed in SEEDS:
        chance = random.Random(seed)
        assert len(make_jobs(chance)) == 60
        schedules.append(chaos.make_schedule(chance))
    assert {fault.kind for schedule in schedules for fault in schedule} == set(chaos.WEIGHTS)
    assert any(len({fault.after for fault in schedule}) < len(schedule) for schedule in schedules)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("start end", ""),
        ("start failed start end", ""),
        ("start start end", ""),  # the first was killed
        ("", "never ended well: no start"),
        ("start failed", "never ended well"),
        ("start twin start end", "twice at the same time"),
        ("start end start", "ran again although it had ended well"),
        ("start end start end", "ran again although it had ended well"),
    ],
)
def test_starts_that_should_not_be_are_noticed(words: str, problem: str) -> None:
    record = [Note(float(time), word, "7") for time, word in enumerate(words.split())]
    problems = find_wrong_starts({"a": record}, ["a"], lambda note: False)
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


def run_with(tmp_path: Path) -> Run:
    return Run(Outages(OneHostSlurm(tmp_path, "linuxproc")), tmp_path, tmp_path, random.Random(0))


def test_an_end_is_excused_only_at_the_time_of_a_fault(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    assert not run.is_excused(Note(100, "end", "7"))
    run.canceled["7"] = 105
    run.full = [(200, 210)]
    assert [time for time in range(80, 230, 10) if run.is_excused(Note(time, "end", "7"))][:2] == [100, 110]
    assert [time for time in range(80, 230, 5) if run.is_excused(Note(time, "end", "8"))] == [195, 200, 205]
    again = [Note(time, word, "8") for time, word in ((204, "start"), (205, "end"), (206, "start"), (207, "end"))]
    assert find_wrong_starts({"a": again}, ["a"], run.is_excused) == []
    (problem,) = find_wrong_starts(
        {"a": [*again, Note(220, "start", "9"), Note(221, "end", "9"), Note(222, "start", "10")]}, ["a"], run.is_excused
    )
    assert "ran again" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("b\na\na done\nb done\n", ""),
        ("b\nb\na\na done\nb done\nb done\n", "b.txt has the wrong content"),
        ("b\n", "b.txt has the wrong content"),
        (None, "b.txt is missing"),
    ],
)
def test_outputs_that_more_or_less_than_one_process_wrote_are_noticed(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    (tmp_path / "a.txt").write_text("a\na done\n")
    if text is not None:
        (tmp_path / "b.txt").write_text(text)
    problems = find_wrong_outputs(tmp_path, {"a": Job(1, 0), "b": Job(1, 0, ("a",))})
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


def test_seeds_and_ranges_are_read() -> None:
    assert chaos.read_seeds("7,0-2") == [7, 0, 1, 2]
    assert chaos.read_range("5-30") == (5, 30)
    assert chaos.read_range("120") == (120, 120)
