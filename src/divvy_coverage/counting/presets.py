"""What is counted by default, for each assay; config/README.md has it as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from divvy_coverage.counting.compiled.constants import UNITS
from divvy_coverage.counting.definition import INSERTION_UNITS, ORGANELLES, PAIRED_UNITS, Counting
from divvy_coverage.errors import UserError

AUTO = "auto"
USUAL_LENGTHS = (0, 2000)  # bp, of fragments


@dataclass(frozen=True)
class Preset:
    """What an expert counts: the units of paired- and single-end alignments, filters, and the shift of insertions."""

    paired: str
    single: str
    exclude_flags: int
    min_mapq: int
    shift: tuple[int, int]


PRESETS = {
    "atac": Preset("fragments", "insertions", 3844, 30, (4, -5)),
    "chip": Preset("fragments", "reads", 3844, 30, (0, 0)),
    # duplicates are kept: many are real, as nuclease cuts at the same places, and nf-core/cutandrun keeps them too
    "cutandrun": Preset("fragments", "reads", 2820, 20, (0, 0)),
}


def resolve_counting(assay: str, settings: Mapping[str, Any], paired: bool | None) -> Counting:
    """Return what is counted: what is set, and the preset of the assay for the rest.

    Parameters
    ----------
    assay
        One of PRESETS.
    settings
        Fields of `Counting`, None for the preset's value; `unit` may be "auto".
    paired
        Whether the alignments are paired-end; None if that is not known, as of a file without any.

    Raises
    ------
    UserError
        For settings that contradict each other, or the alignments.
    """
    if assay not in PRESETS:
        raise UserError(f"assay: expected one of {', '.join(PRESETS)}, found {assay!r}")
    preset = PRESETS[assay]
    chosen = {key: value for key, value in settings.items() if value is not None}
    unit = chosen.pop("unit", AUTO)
    if unit == AUTO:
        unit = preset.single if paired is False else preset.paired
    elif unit not in UNITS:
        raise UserError(f"unit: expected one of {', '.join((AUTO, *UNITS))}, found {unit!r}")
    elif unit in PAIRED_UNITS and paired is False:
        raise UserError(
            f"unit: {unit} are made of both mates of a pair, but the alignments are single-end; choose "
            f"{preset.single}, or {AUTO}"
        )
    if chosen.get("extend") is not None and paired:
        raise UserError("extend: is for single-end reads, but the alignments are paired-end; remove it")
    return Counting.from_config({"unit": unit} | _get_defaults(preset, unit) | chosen)


def check_shift(settings: Mapping[str, Any], counting: Counting, with_start_sites: bool) -> None:
    """Raise UserError if a shift is set, and nothing is shifted."""
    if settings.get("shift") is not None and counting.unit not in INSERTION_UNITS and not with_start_sites:
        raise UserError(
            f"shift: moves insertions, but {counting.unit} are counted, and no profile around start sites is asked "
            "for; remove it"
        )


def _get_defaults(preset: Preset, unit: str) -> dict[str, Any]:
    defaults = {
        "exclude_flags": preset.exclude_flags,
        "min_mapq": preset.min_mapq,
        "exclude_contigs": ORGANELLES,
        "shift": preset.shift,
    }
    return defaults | ({"fragment_length": USUAL_LENGTHS} if unit in PAIRED_UNITS else {})
