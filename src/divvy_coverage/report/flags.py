"""Which samples the report flags, and by which criteria."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

LOW_FRIP = 0.5  # of the cohort's median
LOW_LIBRARY = 0.25  # of the cohort's median


@dataclass(frozen=True)
class Flag:
    """A criterion that a sample meets in a region set.

    Attributes
    ----------
    sample
        The sample's label.
    region_set
        The name of the region set.
    kind
        The criterion in two words.
    column
        The column of the table of statistics that shows it.
    text
        The numbers behind it.
    """

    sample: str
    region_set: str
    kind: str
    column: str
    text: str


def describe_criteria(counted: str) -> list[str]:
    """Return the criteria in their order; `counted` is what is counted: fragments, insertions or reads."""
    return [
        f"no counts (no usable {counted}, or none of them in a region)",
        f"low FRiP (less than {LOW_FRIP:.0%} of the median of all samples)",
        f"small library (less than {LOW_LIBRARY:.0%} of the median of all samples)",
    ]


def find_flags(labels: Sequence[str], statistics: pd.DataFrame, region_set: str, counted: str) -> list[Flag]:
    """Return a flag for each sample that meets one of the criteria, by the first one that it meets.

    Parameters
    ----------
    labels, statistics
        Of the same samples (n, n rows).
    region_set
        The name of the region set.
    counted
        What is counted: fragments, insertions or reads.
    """
    frip, library, usable, inside = (
        statistics[name].tolist() for name in ("frip", "library_size", "usable", "in_regions")
    )
    median_frip, median_library = statistics["frip"].median(), statistics["library_size"].median()
    flags = []
    for i, label in enumerate(labels):
        if usable[i] == 0 or inside[i] == 0:
            text = f"none of {usable[i]:,.0f} usable {counted} is in a region" if usable[i] else f"no usable {counted}"
            flags.append(Flag(label, region_set, "no counts", "regions_detected", text))
        elif frip[i] < LOW_FRIP * median_frip:
            text = f"FRiP is {frip[i]:.1%}; the median is {median_frip:.1%}"
            flags.append(Flag(label, region_set, "low FRiP", "frip", text))
        elif library[i] < LOW_LIBRARY * median_library:
            text = f"library size is {library[i]:,.0f}; the median is {median_library:,.0f}"
            flags.append(Flag(label, region_set, "small library", "library_size", text))
    return flags
