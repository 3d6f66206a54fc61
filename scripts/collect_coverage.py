"""Collect the counts of all samples into a matrix of regions × samples, as they are or normalized.

Rows are in the order of the regions, columns in the order of the sheet. The suffix of the file to write tells its
format; all formats hold the same. Values are written a block of rows or a sample at a time.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import add_cohort_options, run
from divvy_coverage.files import check_outputs
from divvy_coverage.matrix.cohort import read_cohort
from divvy_coverage.matrix.collecting import collect_coverage, write_matrix
from divvy_coverage.matrix.formats import WRITERS, find_writer
from divvy_coverage.matrix.normalization import METHODS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add_cohort_options(parser)
    add("--stats", type=Path, required=True, help="table of statistics, one row per sample (.tsv)")
    add("--region-stats", type=Path, required=True, help="table of regions, one row per region (.tsv.gz)")
    add("--kind", choices=("raw", "norm"), required=True, help="values: counts, or normalized")
    add("--normalization", choices=METHODS, default="log2cpm", help="how to normalize (%(default)s)")
    add("--out", type=Path, required=True, help=f"matrix to write: {', '.join(WRITERS)}")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: collect the samples of a table."""
    args = _parser().parse_args(argv)
    find_writer(args.out)  # a format that does not exist, and a file that cannot be written, are errors at once
    check_outputs(args.out)
    method = args.normalization if args.kind == "norm" else "none"
    cohort = read_cohort(args.samples, args.regions, args.coverage, args.inputs)
    matrix = collect_coverage(cohort, args.samples, args.stats, args.region_stats, method)
    write_matrix(matrix, args.out)


if __name__ == "__main__":
    sys.exit(run(main))
