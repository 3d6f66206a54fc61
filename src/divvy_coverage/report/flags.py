"""Which samples the report flags, and by which criteria."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

LOW_FRIP = 0.5  # of the cohort's median
LOW_LIBRARY = 0.25  # of the cohort's median
CRITERIA = (
    "no counts (nothing was counted, or nothing that was counted overlaps a region)",
    f"low FRiP (less than {LOW_FRIP:.0%} of the median of all samples)",
    f"small library (less than {LOW_LIBRARY:.0%} of the median of all samples)",
)


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


def find_flags(labels: Sequence[str], statistics: pd.DataFrame, region_set: str) -> list[Flag]:
    """Return a flag for each sample that meets one of CRITERIA, by the first one that it meets.

    `labels` (n) and `statistics` (n rows) are of the same samples.
    """
    frip, library, counted, inside = (
        statistics[name].tolist() for name in ("frip", "library_size", "counted", "in_regions")
    )
    median_frip, median_library = statistics["frip"].median(), statistics["library_size"].median()
    flags = []
    for i, label in enumerate(labels):
        if counted[i] == 0 or inside[i] == 0:
            flags.append(Flag(label, region_set, "no counts", "regions_detected", "nothing was counted in regions"))
        elif frip[i] < LOW_FRIP * median_frip:
            text = f"FRiP is {frip[i]:.1%}; the median is {median_frip:.1%}"
            flags.append(Flag(label, region_set, "low FRiP", "frip", text))
        elif library[i] < LOW_LIBRARY * median_library:
            text = f"library size is {library[i]:,.0f}; the median is {median_library:,.0f}"
            flags.append(Flag(label, region_set, "small library", "library_size", text))
    return flags
