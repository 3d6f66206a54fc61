"""Summarize the counts of all samples: statistics of each sample and region, and how alike samples are.

Writes a table with one row per sample (statistics, library size, factors), one with one row per region, principal
components and correlations of the samples, and a summary of what they were computed from. Samples are read one at a
time.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import add_cohort_options, run
from divvy_coverage.files import replacing
from divvy_coverage.matrix.cohort import read_cohort
from divvy_coverage.matrix.normalization import METHODS
from divvy_coverage.matrix.summaries import LIBRARY_SIZES, summarize_cohort
from divvy_coverage.matrix.tables import read_support, write_numbers, write_regions, write_statistics
from divvy_coverage.samples import NAME


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add_cohort_options(parser)
    add("--support", type=Path, help="table with the fraction of samples that support each region (.parquet)")
    add("--normalization", choices=METHODS, default="log2cpm", help="what makes samples comparable (%(default)s)")
    add("--library-size", choices=LIBRARY_SIZES, default="kept", help="what a library's size is (%(default)s)")
    add("--stats", type=Path, required=True, help="table of samples to write (.tsv)")
    add("--region-stats", type=Path, required=True, help="table of regions to write (.tsv.gz)")
    add("--pca", type=Path, required=True, help="principal components of the samples to write (.tsv)")
    add("--correlation", type=Path, required=True, help="correlations of the samples to write (.tsv)")
    add("--summary", type=Path, required=True, help="what these were computed from, and how, to write (.json)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: summarize the samples of a table."""
    args = _parser().parse_args(argv)
    cohort = read_cohort(args.samples, args.regions, args.coverage)
    descriptions = cohort.read_descriptions()
    cohort.check_counts(descriptions)
    support = read_support(args.support, len(cohort.regions)) if args.support else None
    summary = summarize_cohort(cohort, descriptions, support, args.normalization, args.library_size)
    alike = summary.similarity
    components = [f"PC{number}" for number in range(1, len(alike.explained) + 1)]
    write_numbers([NAME, *components], zip(cohort.names, alike.scores, strict=True), args.pca)
    write_numbers([NAME, *alike.names], zip(alike.names, alike.correlation, strict=True), args.correlation)
    write_regions(summary.regions, args.region_stats)
    write_statistics(cohort, descriptions, summary.statistics, args.stats)
    with replacing(args.summary) as temporary:
        temporary.write_text(json.dumps(summary.about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run(main))
