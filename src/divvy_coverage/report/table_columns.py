"""The columns of the report's table: what they are called, what they mean, and how their numbers are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        Its heading; {counted} stands for what is counted: fragments, insertions or reads.
    form
        How its numbers are written: integer, percent or decimal.
    help
        What it means, with {counted} as above.
    high
        What high values are: good, bad, or neither ("").
    """

    name: str
    title: str
    form: str
    help: str
    high: str = ""

    def fill(self, counted: str) -> "Column":
        """Return the column with what is counted in place of {counted}."""
        return replace(self, title=self.title.format(counted=counted), help=self.help.format(counted=counted))


DUPLICATE_FRACTION = "duplicate_fraction"  # not in the table of statistics, which has numbers of alignments

SAMPLE_COLUMNS = (
    Column("usable", "Usable {counted}", "integer", "{counted} that are counted, in regions or not", "good"),
    Column("alignments", "Alignments", "integer", "records in the alignment files"),
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
    Column("frip", "FRiP", "percent", "fraction of the usable {counted} that are in regions", "good"),
    Column("regions_detected", "Regions detected", "integer", "regions with at least one count"),
    Column("library_size", "Library size", "integer", "what counts are divided by to compare samples"),
    Column("size_factor", "Size factor", "decimal", "DESeq2's median of ratios to the mean sample"),
    Column("tmm_factor", "TMM factor", "decimal", "edgeR's factor by which library sizes are multiplied"),
)


def select_columns(run: Run) -> list[tuple[Column, str, Values]]:
    """Return the columns that have values, each with the region set it belongs to ("": to none) and its values."""
    found = [(column, "", get_values(run.region_sets[0], column.name)) for column in SAMPLE_COLUMNS]
    for region_set in run.region_sets:
        found += [(column, region_set.name, get_values(region_set, column.name)) for column in REGION_SET_COLUMNS]
    known = [each for each in found if any(value is not None for value in each[-1])]
    return [(column.fill(run.counted), name, values) for column, name, values in known]


def get_values(region_set: RegionSet, name: str) -> Values:
    """Return a statistic of all samples, None where there is no number."""
    statistics = region_set.statistics
    if name == DUPLICATE_FRACTION and "duplicates" in statistics:
        return _convert_values((statistics["duplicates"] / statistics["alignments"]).tolist())
    return _convert_values(statistics[name].tolist()) if name in statistics else [None] * len(statistics)


def _convert_values(numbers: Sequence[float]) -> Values:
    return [number if math.isfinite(number) else None for number in numbers]
