"""What every command line shares: the exit status, and messages on stderr."""

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

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
    add("--coverage", type=Path, required=True, help="folder with <sample>/evidence.json and the samples' counts")
    add("--inputs", type=Path, help="what these are to be made from (inputs.json of the results): others are refused")


def write_options(settings: Mapping[str, Any]) -> str:
    """Return settings as options, quoted for a shell: lists as several words, and nothing of what is None.

    >>> write_options({"min_mapq": 30, "shift": [4, -5], "tss": None})
    '--min-mapq 30 --shift 4 -5'
    """
    words = []
    for name, value in settings.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)
