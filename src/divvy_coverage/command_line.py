"""What every command line shares: the exit status, and messages on stderr."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from divvy_coverage.errors import UserError


def run(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> int:
    """Run a script's `main` and return its exit status: 0, or 1 after printing a `UserError` to stderr."""
    try:
        main(argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return 0


def warn(message: str) -> None:
    """Print a warning to stderr."""
    print(f"warning: {message}", file=sys.stderr)


def add_cohort_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the counts of all samples."""
    add = parser.add_argument
    add("--samples", type=Path, required=True, help="table with a column sample_name; gives the columns")
    add("--regions", type=Path, required=True, help="region set; gives the rows")
    add("--coverage", type=Path, required=True, help="folder with <sample>.npy and <sample>.stats.json")
