"""What is counted by default, and which settings contradict each other, or the files."""

import argparse
import shlex
from typing import Any

import pytest

from divvy_coverage.command_line import write_options
from divvy_coverage.counting.definition import UNITS, Counting
from divvy_coverage.counting.options import SETTINGS, add_counting_options, get_settings
from divvy_coverage.counting.presets import PRESETS, resolve_counting
from divvy_coverage.errors import UserError


@pytest.mark.parametrize(
    ("assay", "paired", "unit"),
    [
        ("atac", True, "fragments"),
        ("atac", False, "insertions"),
        ("atac", None, "fragments"),
        ("chip", True, "fragments"),
        ("chip", False, "reads"),
        ("cutandrun", True, "fragments"),
        ("cutandrun", False, "reads"),
    ],
)
def test_the_unit_follows_the_assay_and_the_files(assay: str, paired: bool | None, unit: str) -> None:
    counting = resolve_counting(assay, {"unit": "auto"}, paired)
    assert counting.unit == unit
    assert counting.fragment_length == ((0, 2000) if unit == "fragments" else None)
    assert (counting.min_mapq, counting.exclude_flags) == ((20, 2820) if assay == "cutandrun" else (30, 3844))
    assert {"chrM", "MT", "Pt"} <= set(counting.exclude_contigs)


@pytest.mark.parametrize("assay", PRESETS)
def test_what_is_set_wins(assay: str) -> None:
    settings = {"unit": "reads", "min_mapq": 0, "exclude_flags": 4, "exclude_contigs": [], "extend": 100}
    counting = resolve_counting(assay, settings, False)
    assert counting == Counting("reads", 4, 0, 0, (), None, 100, PRESETS[assay].shift)


@pytest.mark.parametrize(
    ("settings", "paired", "problem"),
    [
        ({"unit": "cuts"}, None, "unit: expected one of auto, fragments, paired_insertions, insertions, reads, found"),
        ({"unit": "paired_insertions"}, False, "unit: paired_insertions are made of both mates of a pair, but"),
        ({"extend": 10}, True, "extend: is for single-end reads"),
        ({"unit": "insertions", "extend": 10}, False, "extend: applies to the unit reads, not to insertions"),
        ({"unit": "reads", "extend": 0}, False, "extend: expected a length of at least 1 bp, found 0"),
        ({"unit": "reads", "fragment_length": [0, 5]}, None, "fragment_length: applies to the units"),
        ({"fragment_length": [9, 5]}, True, "fragment_length: expected 0 <= minimum <= maximum, found 9 and 5"),
        ({"min_mapq": 256}, True, "min_mapq: expected a mapping quality, 0 to 255, found 256"),
        ({"exclude_flags": 4096}, True, "exclude_flags: expected SAM flags, 0 to 4095, found 4096"),
        ({"exclude_flags": 0x42}, True, "exclude_flags: 66 excludes proper_pair, first (66), which mates of fragments"),
        ({"require_flags": 0x80}, True, "require_flags: 128 requires second (128), which both mates of fragments"),
        ({"require_flags": 0x400}, True, "require_flags: 1024 has flags (1024: duplicate) that exclude_flags, 3844"),
    ],
)
def test_settings_that_contradict_each_other_or_the_files(
    settings: dict[str, Any], paired: bool | None, problem: str
) -> None:
    with pytest.raises(UserError) as error:
        resolve_counting("atac", settings, paired)
    assert str(error.value).startswith(problem)


def test_an_assay_that_there_is_not() -> None:
    with pytest.raises(UserError, match="assay: expected one of atac, chip, cutandrun, found 'rna'"):
        resolve_counting("rna", {}, None)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("contigs", [(), ("chrM", "it's")])
def test_what_is_resolved_is_the_same_on_a_command_line(unit: str, contigs: tuple[str, ...]) -> None:
    """The rule passes what preflight resolved; whatever the assay, nothing of a preset may come in."""
    length = (30, 500) if unit in ("fragments", "paired_insertions") else None
    counting = Counting(unit, 4, 0, 7, contigs, length, 50 if unit == "reads" else None, (1, -1), "zero")
    parser = argparse.ArgumentParser()
    add_counting_options(parser)
    described = counting.describe() | {"shift": list(counting.shift)}
    args = parser.parse_args(shlex.split(write_options(described)))
    assert resolve_counting(args.assay, get_settings(args), None) == counting
    assert set(get_settings(args)) == set(SETTINGS) == set(Counting.__dataclass_fields__)
