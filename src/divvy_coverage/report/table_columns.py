"""The columns of the report's table: what they are called, what they mean, and how their numbers are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from divvy_coverage.report.data import RegionSet, Run

Values = list[float | None]  # one per sample; None where there is none


@dataclass(frozen=True)
class Column:
    """A column of the table of statistics, as the report shows it.

    Attributes
    ----------
    name
        Its name in the table of statistics, or that of a fraction computed here.
    title
        Its heading.
    form
        How its numbers are written: integer, percent or decimal.
    help
        What it means.
    high
        What high values are: good, bad, or neither ("").
    """

    name: str
    title: str
    form: str
    help: str
    high: str = ""


DUPLICATE_FRACTION = "duplicate_fraction"  # not in the table of statistics, which has numbers of alignments

SAMPLE_COLUMNS = (
    Column("alignments", "Alignments", "integer", "records in the alignment files"),
    Column("kept", "Kept", "integer", "alignments that pass the filters"),
    Column(DUPLICATE_FRACTION, "Duplicates", "percent", "fraction of the alignments marked as duplicates", "bad"),
    Column(
        "mitochondrial_fraction",
        "Mitochondrial",
        "percent",
        "fraction of the primary alignments on mitochondrial contigs",
        "bad",
    ),
    Column("fragment_length_median", "Fragment length", "integer", "median fragment length (bp)"),
    Column("mapping_quality_median", "Mapping quality", "integer", "median mapping quality of the primary alignments"),
    Column("tss_enrichment", "TSS enrichment", "decimal", "insertions at start sites over those 2 kb away", "good"),
)
REGION_SET_COLUMNS = (
    Column("frip", "FRiP", "percent", "fraction of what is counted that overlaps a region", "good"),
    Column("regions_detected", "Regions detected", "integer", "regions with at least one count"),
    Column("library_size", "Library size", "integer", "what counts are divided by to compare samples"),
    Column("size_factor", "Size factor", "decimal", "DESeq2's median of ratios to the mean sample"),
    Column("tmm_factor", "TMM factor", "decimal", "edgeR's factor by which library sizes are multiplied"),
)


def select_columns(run: Run) -> list[tuple[Column, str, Values]]:
    """Return the columns that have values, each with the region set it belongs to ("": to none) and its values."""
    columns = [(column, "", get_values(run.region_sets[0], column.name)) for column in SAMPLE_COLUMNS]
    for region_set in run.region_sets:
        columns += [(column, region_set.name, get_values(region_set, column.name)) for column in REGION_SET_COLUMNS]
    return [(column, name, values) for column, name, values in columns if any(value is not None for value in values)]


def get_values(region_set: RegionSet, name: str) -> Values:
    """Return a statistic of all samples, None where there is no number."""
    statistics = region_set.statistics
    if name == DUPLICATE_FRACTION and "duplicates" in statistics:
        return _convert_values((statistics["duplicates"] / statistics["alignments"]).tolist())
    return _convert_values(statistics[name].tolist()) if name in statistics else [None] * len(statistics)


def _convert_values(numbers: Sequence[float]) -> Values:
    return [number if math.isfinite(number) else None for number in numbers]
