"""What is counted by default, and which settings contradict each other, or the files."""

import argparse
import json
import shlex
from typing import Any

import pytest
import yaml

from divvy_coverage.command_line import write_options
from divvy_coverage.counting.compiled import layout
from divvy_coverage.counting.compiled.constants import UNITS
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.kernel.decoder import Decoder
from divvy_coverage.counting.kernel.load import get_run
from divvy_coverage.counting.options import SETTINGS, add_counting_options, get_settings
from divvy_coverage.counting.presets import PRESETS, resolve_counting
from divvy_coverage.errors import UserError
from helpers import CLONE

SCHEMA = CLONE / "workflow" / "schemas" / "config.schema.yaml"


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
    counting = Counting(unit, 4, 0, 7, contigs, length, 50 if unit == "reads" else None, (1, -1))
    parser = argparse.ArgumentParser()
    add_counting_options(parser)
    described = counting.describe() | {"shift": list(counting.shift)}
    args = parser.parse_args(shlex.split(write_options(described)))
    assert resolve_counting(args.assay, get_settings(args), None) == counting
    assert Counting.from_config(json.loads(json.dumps(described))) == counting


def test_each_field_of_what_is_counted_has_one_option_and_one_key() -> None:
    parser, schema = argparse.ArgumentParser(), yaml.safe_load(SCHEMA.read_text())
    add_counting_options(parser)
    options = [action.dest for action in parser._actions if action.dest not in ("help", "assay")]
    assert options == [*schema["properties"]["counting"]["properties"]] == [*SETTINGS]
    with pytest.raises(UserError, match=r"mapq: no setting of what is counted; expected one of unit, exclude_flags, "):
        resolve_counting("atac", {"mapq": 30}, None)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_compiled_loop_is_told_each_field(name: str) -> None:
    given = {"min_mapq": 7, "exclude_contigs": ("chr1",), "unit": "insertions", "shift": (1, -1), "extend": 80}
    given |= {"exclude_flags": 4, "require_flags": 2, "fragment_length": (30, 500)}
    unit = {"extend": "reads", "shift": "insertions"}.get(name, "fragments")

    def tell(counting: Counting) -> list[list[int]]:
        cells = Decoder(get_run(), counting, {"chr1": 1000}, True, False)._cells
        return [[cells[cell] for cell in range(layout.AT_LENGTHS)], cells.arrays[layout.AT_EXCLUDED].tolist()]

    assert tell(Counting(**({"unit": unit} | {name: given[name]}))) != tell(Counting(unit))
