"""Summarize the counts of all samples: statistics of each sample and of each region.

Writes a table with one row per sample (statistics, library size, factors) and one with one row per region. They do not
depend on the normalization. Samples are read one at a time.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import add_cohort_options, run
from divvy_coverage.files import check_outputs
from divvy_coverage.matrix.cohort import read_cohort
from divvy_coverage.matrix.summaries import LIBRARY_SIZES, summarize_cohort
from divvy_coverage.matrix.tables import read_support, write_regions, write_statistics


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add_cohort_options(parser)
    add("--support", type=Path, help="table with the fraction of samples that support each region (.parquet)")
    add("--library-size", choices=LIBRARY_SIZES, default="usable", help="what a library's size is (%(default)s)")
    add("--mitochondrial-contigs", nargs="*", help="mitochondrial contigs (the usual names)")
    add("--stats", type=Path, required=True, help="table of samples to write (.tsv)")
    add("--region-stats", type=Path, required=True, help="table of regions to write (.tsv.gz)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: summarize the samples of a table."""
    args = _parser().parse_args(argv)
    check_outputs(args.stats, args.region_stats)
    cohort = read_cohort(args.samples, args.regions, args.coverage, args.inputs)
    findings = cohort.read_findings(args.mitochondrial_contigs)
    support = read_support(args.support, len(cohort.regions)) if args.support else None
    statistics, regions = summarize_cohort(cohort, findings, support, args.library_size)
    write_regions(regions, args.region_stats)
    write_statistics(cohort, findings, statistics, args.stats)


if __name__ == "__main__":
    sys.exit(run(main))
