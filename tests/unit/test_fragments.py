"""Fragments: where they start and end, and how the mates that they are made of find each other."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest

import oracle
import random_files
from divvy_coverage.counting.compiled import layout
from divvy_coverage.counting.count import count_alignments, count_sample
from divvy_coverage.counting.definition import PAIRED_UNITS, Counting
from divvy_coverage.counting.engines import bam as bam_engine
from divvy_coverage.counting.kernel import decoder
from divvy_coverage.counting.passes import Wanted
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.start_sites import NO_START_SITES
from divvy_coverage.quality.statistics import compute_statistics

SMALL = 4  # slots of a table of mates
Mate = tuple[int, int, str]  # flag, position, CIGAR


@pytest.mark.parametrize(
    ("left", "right", "template", "span", "contradictory"),
    [
        ((99, 1000, "50M"), (147, 1100, "50M"), 150, (1000, 1150), 0),
        ((163, 1000, "50M"), (83, 1100, "30M10D20M"), 160, (1000, 1160), 0),
        # read through into the adapter: the forward mate starts after the other one, or ends after it
        ((83, 994, "50M"), (163, 1000, "50M"), 44, (1000, 1044), 0),
        ((99, 1000, "50M10D5M"), (147, 1000, "44M"), 44, (1000, 1044), 0),
        # TLEN with clipped bases, without the other mate, between the outer ends, or not known
        ((99, 1000, "20M8S"), (147, 1020, "8S23M"), 59, (1000, 1043), 1),
        ((99, 1000, "50M"), (147, 1100, "50M"), 100, (1000, 1150), 1),
        ((83, 994, "50M"), (163, 1000, "50M"), 56, (1000, 1044), 1),
        ((99, 1000, "50M"), (147, 1100, "50M"), 0, (1000, 1150), 0),
        # no fragment: on one strand, or facing away from each other
        ((67, 1000, "50M"), (131, 1100, "50M"), 150, None, 0),
        ((83, 1000, "50M"), (163, 1100, "50M"), 150, None, 0),
        ((83, 1000, "50M"), (163, 1050, "50M"), 100, None, 0),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_fragment_reaches_from_5_end_to_5_end_of_its_alignments(
    tmp_path: Path,
    left: Mate,
    right: Mate,
    template: int,
    span: tuple[int, int] | None,
    contradictory: int,
    swapped: bool,
) -> None:
    mates = [
        {"name": "p", "contig": "chr1", "mapq": 60, "flag": flag, "start": start, "cigar": cigar}
        | {"mate_contig": "=", "mate_start": other, "template": sign * template}
        for (flag, start, cigar), (_, other, _), sign in ((left, right, 1), (right, left, -1))
    ]
    random_files.write(tmp_path / "x.bam", mates[:: -1 if swapped else 1], {"chr1": 2000})
    start, end = span or (1000, 1150)
    regions = random_files.to_regions([("chr1", base, base + 1) for base in (start - 1, start, end - 1, end)])
    for unit in PAIRED_UNITS:
        counts, tally = count_alignments(tmp_path / "x.bam", regions, Counting(unit, shift=(0, 0)))
        assert counts.tolist() == ([0, 1, 1, 0] if span else [0, 0, 0, 0])
    assert tally["contradictory_lengths"] == contradictory
    assert np.flatnonzero(tally.fragment_lengths).tolist() == ([end - start] if span else [])
    assert compute_statistics(tally, 0)["without_mate"] == (0 if span else 2)


# --- mates that wait for the other one

Pairs = list[tuple[str, int, int]]  # name, start and length (bp) of fragments on chr3


def make_mates(pairs: Pairs) -> list[random_files.Record]:
    """Return the left mates of pairs and then the right ones, of 10 bp each."""
    mates = []
    for place, flag in enumerate((99, 147)):
        for name, start, length in pairs:
            left, right = start, start + length - 10
            here, other = (right, left) if place else (left, right)
            mate = {"name": name, "flag": flag, "contig": "chr3", "start": here, "cigar": "10M", "mapq": 60}
            mates.append(mate | {"mate_contig": "=", "mate_start": other, "template": length * (1 - 2 * place)})
    return mates


def sort_mates(mates: list[random_files.Record]) -> list[random_files.Record]:
    return sorted(mates, key=lambda mate: mate["start"])


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of slots of the tables of mates, each as it was replaced, of which the first is small."""
    found: list[int] = []
    place = decoder.place_mates
    monkeypatch.setattr(decoder, "FIRST_SLOTS", SMALL)
    monkeypatch.setattr(decoder, "place_mates", lambda waiting, slots: (found.append(slots), place(waiting, slots))[1])
    return found


def check_fragments(path: Path, mates: list[random_files.Record], expected: int) -> None:
    """Check that a file counts as it is defined, and has that many fragments."""
    random_files.write(path, mates)
    starts = range(0, 1 + max(int(str(mate["start"])) for mate in mates), 97)
    rows = [("chr3", start, start + 120) for start in starts]
    found = count_sample([path], Wanted([random_files.to_regions(rows)]), warn=lambda text: None)
    assert found.tally["fragments"] == expected
    assert random_files.find_wrong_counts(found, [oracle.count(path, Counting(), rows)]) == ""
    assert random_files.find_wrong_statistics(found.tally, path, Counting(), NO_START_SITES) == ""


def test_mates_that_wait_in_vain_are_given_up(tmp_path: Path, tables: list[int]) -> None:
    mates = make_mates([(f"p{i}", 20 * i, 50) for i in range(300)])
    lost = [mate for mate in mates if mate["flag"] == 99 or int(str(mate["name"])[1:]) % 10 == 0]
    check_fragments(tmp_path / "x.bam", sort_mates(lost), 30)
    assert len(tables) > 20  # cleared again and again
    assert max(tables) <= 16


def test_the_table_of_mates_grows_with_those_that_wait(tmp_path: Path, tables: list[int]) -> None:
    mates = make_mates([(f"p{i}", i, 3000 - i % 7) for i in range(1000)])
    check_fragments(tmp_path / "x.bam", sort_mates(mates), 1000)
    assert tables == sorted(set(tables))
    assert tables[-1] == 2048


@pytest.mark.parametrize("seed", range(3))
def test_a_shuffled_file_has_all_its_fragments(tmp_path: Path, tables: list[int], seed: int) -> None:
    mates = make_mates([(f"p{i}", 7 * i, 100 + i % 50) for i in range(800)])
    random.Random(seed).shuffle(mates)
    check_fragments(tmp_path / "x.bam", mates, 800)
    assert max(tables) >= 512


@pytest.mark.parametrize("mode", ["wb", "w"])
def test_a_file_whose_order_breaks_at_its_end_is_counted_anew(
    tmp_path: Path, tables: list[int], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    orders: list[bool] = []

    class Noted(bam_engine.Walker):
        def __init__(self, path: Path, wanted: Wanted, in_order: bool, warn: Callable[[str], None]) -> None:
            orders.append(in_order)
            super().__init__(path, wanted, in_order, warn)

    monkeypatch.setattr(bam_engine, "Walker", Noted)
    *mates, last = sort_mates(make_mates([(f"p{i}", 20 * i, 100) for i in range(2000)]))
    first = next(mate for mate in mates if mate["name"] == last["name"])
    mates.remove(first)  # the left mate of the last pair, after which nothing would wait in a file in order
    random_files.write(tmp_path / "x.bam", [*mates, last, first])
    path = tmp_path / "x.bam"
    if mode == "w":
        path = tmp_path / "x.sam"
        pysam.view("-h", "-o", str(path), str(tmp_path / "x.bam"), catch_stdout=False)
    warned: list[str] = []
    rows = [("chr3", 0, 50_000), ("chr3", 20 * 1999, 2**31 - 1)]
    counts, tally = count_alignments(path, random_files.to_regions(rows), warn=warned.append)
    assert orders == [True, False]
    assert (counts.tolist(), tally["fragments"], tally["alignments"]) == ([2000, 5], 2000, 4000)
    assert len(warned) == 1  # and not once more


def test_more_mates_than_memory_is_for_are_refused_unless_the_file_is_sorted(
    tmp_path: Path, tables: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "MOST_SLOTS", 16)
    path, mates = tmp_path / "x.bam", make_mates([(f"p{i}", 100 * i, 60) for i in range(100)])
    random.Random(1).shuffle(mates)
    random_files.write(path, mates)
    with pytest.raises(UserError, match=r"x\.bam: more than 8 alignments wait for their mates.*samtools sort"):
        count_alignments(path, random_files.to_regions([("chr3", 0, 90)]), warn=print)
    check_fragments(path, sort_mates(mates), 100)


def test_mates_of_one_name_are_told_apart_by_their_positions(tmp_path: Path, tables: list[int]) -> None:
    same = [("x", start, length) for start in (10, 11, 30) for length in (40, 40, 61, 80)]  # some pairs are there twice
    mates = make_mates(same)
    check_fragments(tmp_path / "x.bam", sort_mates(mates), 12)
    check_fragments(tmp_path / "y.bam", [mate for mate in sort_mates(mates) if mate["start"] != 11], 8)
    random.Random(1).shuffle(mates)
    check_fragments(tmp_path / "z.bam", mates, 12)


@pytest.mark.parametrize("slots", [8, 16, 64])
def test_all_mates_are_found_in_a_table_that_they_wrap_around(slots: int) -> None:
    wrapped = 0
    for seed in range(200):
        chance = np.random.default_rng(seed)
        number = int(chance.integers(0, 3 * slots // 4))
        waiting = np.zeros((number, layout.SLOT), np.int64)
        low = slots - slots // 4 if seed % 2 else 0  # of every other table, all homes are at its end
        waiting[:, layout.KEY] = 2 * (chance.integers(low, slots, number) + slots * chance.integers(-9, 9, number)) + 1
        waiting[:, layout.START] = np.arange(number)
        table = decoder.place_mates(waiting, slots)
        assert np.count_nonzero(table[:, layout.KEY]) == number
        for mate in waiting:
            place = home = (int(mate[layout.KEY]) >> 1) % slots
            while (table[place] != mate).any():
                assert table[place, layout.KEY]  # there is no gap on the way
                place = (place + 1) % slots
            wrapped += place < home
    assert wrapped > 100
