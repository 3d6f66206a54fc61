"""Colours of the report's plots: palettes that colour-blind readers can tell apart, and which attribute gets which.

An attribute of the sample sheet can colour samples if it groups them (few different values) or is a number.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from divvy_coverage.preflight.sheet import Sample

# Okabe and Ito, https://jfly.uni-koeln.de/color; yellow last, for it is faint on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
SHAPES = ("circle", "triangle-up", "square", "diamond", "cross", "triangle-down")
GREY = "#b0b0b0"
SEQUENTIAL = "viridis"
MOST_GROUPS = len(PALETTE) * len(SHAPES)
NONE = "(none)"
NOT_ATTRIBUTES = {"sample_name", "bam", "peaks"}
PATH = re.compile(
    r"(~|\.{0,2})/|.*/[^/]*\.\w+$|\w+://|.*\.(bam|cram|sam|bed|bw|bigwig|narrowpeak|broadpeak|fastq|fq|gz)$", re.I
)


@dataclass(frozen=True)
class Colouring:
    """Something to colour samples by: texts, or numbers (None where there is none), one a sample."""

    title: str
    values: Sequence[str] | Sequence[float | None]
    continuous: bool = False

    def groups(self) -> list[str]:
        """Return the different texts in natural order, NONE last."""
        texts = {str(value) for value in self.values} - {NONE}
        return sorted(texts, key=_natural) + [NONE] * (NONE in self.values)

    def palette(self) -> tuple[list[str], list[str]]:
        """Return a colour and a shape a group; the colours start again with the next shape."""
        groups = self.groups()
        colours = [GREY if group == NONE else PALETTE[i % len(PALETTE)] for i, group in enumerate(groups)]
        return colours, [SHAPES[i // len(PALETTE) % len(SHAPES)] for i in range(len(groups))]


def colourings(samples: Sequence[Sample], title: str) -> list[Colouring]:
    """Return the attributes that can colour samples, in the order of the sheet.

    Left out are the names and files of samples, `title` (the attribute that labels them), attributes with one value,
    and texts with more than MOST_GROUPS different ones.
    """
    columns = dict.fromkeys(key for sample in samples for key in sample)
    found = []
    for column in columns:
        values = [", ".join(sample.get(column, [])).strip() for sample in samples]
        if column in NOT_ATTRIBUTES or column == title or _are_paths(values):
            continue
        if (colouring := _colouring(column, values)) is not None:
            found.append(colouring)
    return found


def grouping(candidates: Sequence[Colouring], most: int = 10) -> Colouring | None:
    """Return the first attribute with 2 to `most` groups of which one has several samples; None if there is none."""
    for colouring in candidates:
        if not colouring.continuous and 2 <= len(colouring.groups()) <= min(most, len(colouring.values) - 1):
            return colouring
    return None


def statistic(title: str, values: Sequence[float | None]) -> Colouring | None:
    """Return numbers as something to colour by, unless they are all the same."""
    known = {value for value in values if value is not None}
    return Colouring(title, list(values), continuous=True) if len(known) > 1 else None


def _colouring(title: str, values: Sequence[str]) -> Colouring | None:
    different = set(values) - {""}
    if len(set(values)) < 2:
        return None
    numbers: Mapping[str, float | None] = {value: _number(value) for value in different}
    if len(different) > len(PALETTE) and None not in numbers.values():
        return Colouring(title, [numbers.get(value) for value in values], continuous=True)
    return Colouring(title, [value or NONE for value in values]) if len(set(values)) <= MOST_GROUPS else None


def _are_paths(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    return bool(filled) and all(PATH.match(value) for value in filled)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _natural(text: str) -> list[tuple[int, float, str]]:
    """Return a key by which numbers within texts sort as numbers: s2 before s10, -1 before 1."""
    if (number := _number(text)) is not None:
        return [(0, number, "")]
    return [(1, float(part), "") if part.isdecimal() else (2, 0, part.lower()) for part in re.split(r"(\d+)", text)]
