"""Make a small project of simulated ATAC-seq samples: a PEP, BAM files, peaks, and regions.

The two groups have the same regions; in a tenth of them the counts differ (truth.tsv says where and how much).
Alignments are paired-end, coordinate-sorted and indexed, including duplicates, low mapping qualities and unmapped
pairs. The same options give the same files.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import run
from divvy_coverage.demo import generate_project


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: make a project."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, default=Path("demo"), help="folder of the project (default: %(default)s)")
    add("--samples", type=int, default=12, help="samples, in two groups (default: %(default)s)")
    add("--regions", type=int, default=1000, help="regions (default: %(default)s)")
    add("--reads", type=int, default=50_000, help="aligned reads per sample (default: %(default)s)")
    add("--seed", type=int, default=1, help="seed of the simulation (default: %(default)s)")
    args = parser.parse_args(argv)
    generate_project(args.out, samples=args.samples, regions=args.regions, reads=args.reads, seed=args.seed)


if __name__ == "__main__":
    sys.exit(run(main))
