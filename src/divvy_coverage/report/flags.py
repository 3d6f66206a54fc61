"""Samples as the report shows them: their labels, and what is conspicuous about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from divvy_coverage.preflight.sheet import Sample

LOW_FRIP = 0.5  # of the cohort's median
LOW_LIBRARY = 0.25  # of the cohort's median
RULES = (
    "no counts: nothing was counted, or nothing of it overlaps a region",
    f"low FRiP: less than {LOW_FRIP:.0%} of the median of all samples",
    f"small library: less than {LOW_LIBRARY:.0%} of the median of all samples",
)


@dataclass(frozen=True)
class Finding:
    """Something conspicuous about a sample in a region set."""

    sample: str  # its label
    region_set: str
    kind: str
    column: str  # the statistic that shows it
    text: str


def labels(samples: Sequence[Sample], title: str) -> list[str]:
    """Return a different label for each sample: its attribute `title`, or its name where that is empty.

    Where samples share a label, their names are added to it.
    """
    names = [sample["sample_name"][0] for sample in samples]
    titles = [" ".join(" ".join(sample.get(title, [])).split()) for sample in samples]
    found = [text or name for text, name in zip(titles, names, strict=True)]
    while len(set(found)) < len(found):
        number = Counter(found)
        found = [
            f"{label} ({name})" if number[label] > 1 and label != name else label
            for label, name in zip(found, names, strict=True)
        ]
    return found


def findings(labels: Sequence[str], statistics: pd.DataFrame, region_set: str) -> list[Finding]:
    """Return the samples to which one of RULES applies, the first one that does."""
    frip, library, counted, inside = (
        statistics[name].tolist() for name in ("frip", "library_size", "counted", "in_regions")
    )
    usual_frip, usual_library = statistics["frip"].median(), statistics["library_size"].median()
    found = []
    for i, label in enumerate(labels):
        if counted[i] == 0 or inside[i] == 0:
            found.append(Finding(label, region_set, "no counts", "regions_detected", "nothing is counted in regions"))
        elif frip[i] < LOW_FRIP * usual_frip:
            text = f"FRiP is {frip[i]:.1%}, the median {usual_frip:.1%}"
            found.append(Finding(label, region_set, "low FRiP", "frip", text))
        elif library[i] < LOW_LIBRARY * usual_library:
            text = f"library size is {library[i]:,.0f}, the median {usual_library:,.0f}"
            found.append(Finding(label, region_set, "small library", "library_size", text))
    return found
