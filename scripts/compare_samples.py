"""Compare the samples of a cohort by their normalized counts: principal components, correlations and clustering.

Writes the components, the correlations, and what both were computed from, with the order of the samples in a
clustering. Samples are read one at a time.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import add_cohort_options, run
from divvy_coverage.files import check_outputs, write_record
from divvy_coverage.matrix.cohort import read_cohort
from divvy_coverage.matrix.comparison import compare_cohort, describe_comparison
from divvy_coverage.matrix.normalization import METHODS, fit_to_statistics
from divvy_coverage.matrix.summaries import LIBRARY_SIZES
from divvy_coverage.matrix.tables import read_statistics, write_numbers
from divvy_coverage.samples import NAME


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add_cohort_options(parser)
    add("--stats", type=Path, required=True, help="table of statistics, one row per sample (.tsv)")
    add("--normalization", choices=METHODS, default="log2cpm", help="what makes samples comparable (%(default)s)")
    add(
        "--library-size",
        choices=LIBRARY_SIZES,
        default="usable",
        help="library size in --stats, to record (%(default)s)",
    )
    add("--pca", type=Path, required=True, help="principal components of the samples to write (.tsv)")
    add("--correlation", type=Path, required=True, help="correlations of the samples to write (.tsv)")
    add("--summary", type=Path, required=True, help="what these were computed from, and how, to write (.json)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: compare the samples of a table."""
    args = _parser().parse_args(argv)
    check_outputs(args.pca, args.correlation, args.summary)
    cohort = read_cohort(args.samples, args.regions, args.coverage, args.inputs)
    findings = cohort.read_findings()[0]
    statistics = read_statistics(args.stats, cohort.names)
    alike = compare_cohort(cohort, fit_to_statistics(args.normalization, cohort, statistics), args.normalization)
    components = [f"PC{number}" for number in range(1, len(alike.explained) + 1)]
    write_numbers([NAME, *components], zip(cohort.names, alike.scores, strict=True), args.pca)
    write_numbers([NAME, *alike.names], zip(alike.names, alike.correlation, strict=True), args.correlation)
    about = describe_comparison(alike, findings, args.normalization, args.library_size)
    write_record(about, args.summary)


if __name__ == "__main__":
    sys.exit(run(main))
