"""The columns of the general statistics: what they are called, what they mean, and how their numbers are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from divvy_coverage.report.data import RegionSet, Run

Values = list[float | None]  # one a sample; None where there is none


@dataclass(frozen=True)
class Column:
    """A statistic: its name in the table of statistics, its title, how it is written, and what it means.

    `form` is integer, percent or decimal. `high` tells what high values are: good, bad, or neither ("").
    """

    name: str
    title: str
    form: str
    help: str
    high: str = ""


OF_SAMPLES = (
    Column("alignments", "Alignments", "integer", "records of the alignment files"),
    Column("kept", "Kept", "integer", "alignments that pass the filters"),
    Column("duplicates_share", "Duplicates", "percent", "share of the alignments that are marked as duplicates", "bad"),
    Column(
        "mitochondrial", "Mitochondrial", "percent", "share of the primary alignments on mitochondrial contigs", "bad"
    ),
    Column("fragment_length_median", "Fragment length", "integer", "median length of the fragments (bp)"),
    Column("mapping_quality_median", "Mapping quality", "integer", "median mapping quality of the primary alignments"),
    Column("tss_enrichment", "TSS enrichment", "decimal", "cut sites at start sites over those 2 kb away", "good"),
)
OF_REGION_SETS = (
    Column("frip", "FRiP", "percent", "share of what is counted that overlaps a region", "good"),
    Column("regions_detected", "Regions detected", "integer", "regions with at least one count"),
    Column("library_size", "Library size", "integer", "what counts are divided by to compare samples"),
    Column("size_factor", "Size factor", "decimal", "DESeq2's median of ratios to the mean sample"),
    Column("tmm_factor", "TMM factor", "decimal", "edgeR's factor by which library sizes are multiplied"),
)


def general_statistics(run: Run) -> list[tuple[Column, str, Values]]:
    """Return the columns that have values, with the region set that each belongs to ("": to none)."""
    found = [(column, "", values(run.region_sets[0].statistics, column.name)) for column in OF_SAMPLES]
    for region_set in run.region_sets:
        found += [(column, region_set.name, of(region_set, column.name)) for column in OF_REGION_SETS]
    return [(column, name, numbers) for column, name, numbers in found if any(n is not None for n in numbers)]


def of(region_set: RegionSet, name: str) -> Values:
    """Return a statistic of all samples."""
    return values(region_set.statistics, name)


def values(statistics: pd.DataFrame, name: str) -> Values:
    """Return a column of a table of statistics, None where it has no number."""
    if name == "duplicates_share" and "duplicates" in statistics:
        return _plain((statistics["duplicates"] / statistics["alignments"]).tolist())
    return _plain(statistics[name].tolist()) if name in statistics else [None] * len(statistics)


def _plain(numbers: Sequence[float]) -> Values:
    return [number if math.isfinite(number) else None for number in numbers]
