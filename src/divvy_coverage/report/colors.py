"""Colors of the report's plots: palettes that color-blind readers can tell apart, and what samples are colored by.

An attribute of the sample sheet can color samples if it groups them (few different values) or is a number.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from divvy_coverage.samples import Sample

# Okabe and Ito, https://jfly.uni-koeln.de/color; yellow last, because it is faint on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
SHAPES = ("circle", "triangle-up", "square", "diamond", "cross", "triangle-down")
BLUE = PALETTE[0]  # of what has no groups
GRAY = "#b0b0b0"  # of what has no value
SEQUENTIAL = "viridis"
MOST_GROUPS = len(PALETTE) * len(SHAPES)
NONE = "(none)"
PATH = re.compile(
    r"(~|\.{0,2})/|.*/[^/]*\.\w+$|\w+://|.*\.(bam|cram|sam|bed|bw|bigwig|narrowpeak|broadpeak|fastq|fq|gz)$", re.I
)


@dataclass(frozen=True)
class Coloring:
    """Something to color samples by.

    Attributes
    ----------
    name
        An attribute of the sheet, or a statistic.
    values
        One per sample: texts or, if `continuous`, numbers (None where there is none).
    """

    name: str
    values: Sequence[str] | Sequence[float | None]
    continuous: bool = False

    def get_groups(self) -> list[str]:
        """Return the different texts in natural order, NONE last."""
        texts = {str(value) for value in self.values} - {NONE}
        return sorted(texts, key=_get_natural_key) + [NONE] * (NONE in self.values)

    def get_palette(self) -> tuple[list[str], list[str]]:
        """Return one color and one shape per group; the colors start again with the next shape."""
        groups = self.get_groups()
        colors = [GRAY if group == NONE else PALETTE[i % len(PALETTE)] for i, group in enumerate(groups)]
        return colors, [SHAPES[i // len(PALETTE) % len(SHAPES)] for i in range(len(groups))]


def find_colorings(samples: Sequence[Sample], label: str) -> list[Coloring]:
    """Return the attributes that can color samples, in the order of the sheet.

    Attributes that hold paths or a single value, `label` (the attribute with the labels), and texts with more than
    MOST_GROUPS different values cannot.
    """
    attributes = dict.fromkeys(name for sample in samples for name in sample.attributes)
    colorings = []
    for name in attributes:
        values = [", ".join(sample.attributes.get(name, ())).strip() for sample in samples]
        if name == label or _are_paths(values):
            continue
        if (coloring := _build_coloring(name, values)) is not None:
            colorings.append(coloring)
    return colorings


def choose_grouping(candidates: Sequence[Coloring], most: int = 10) -> Coloring | None:
    """Return the first attribute with 2 to `most` groups of which one has several samples; None if there is none."""
    for coloring in candidates:
        if not coloring.continuous and 2 <= len(coloring.get_groups()) <= min(most, len(coloring.values) - 1):
            return coloring
    return None


def build_statistic_coloring(name: str, values: Sequence[float | None]) -> Coloring | None:
    """Return numbers as something to color by, unless they are all the same."""
    known = {value for value in values if value is not None}
    return Coloring(name, list(values), continuous=True) if len(known) > 1 else None


def _build_coloring(name: str, values: Sequence[str]) -> Coloring | None:
    different = set(values) - {""}
    if len(set(values)) < 2:
        return None
    numbers: Mapping[str, float | None] = {value: _parse_number(value) for value in different}
    if len(different) > len(PALETTE) and None not in numbers.values():
        return Coloring(name, [numbers.get(value) for value in values], continuous=True)
    return Coloring(name, [value or NONE for value in values]) if len(set(values)) <= MOST_GROUPS else None


def _are_paths(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    return bool(filled) and all(PATH.match(value) for value in filled)


def _parse_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _get_natural_key(text: str) -> list[tuple[int, float, str]]:
    """Return a key by which numbers within texts sort as numbers: s2 before s10, -1 before 1."""
    if (number := _parse_number(text)) is not None:
        return [(0, number, "")]
    return [(1, float(part), "") if part.isdecimal() else (2, 0, part.lower()) for part in re.split(r"(\d+)", text)]
