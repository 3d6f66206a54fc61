"""Preflight: find everything that is wrong with the inputs before a job starts, and write what a run is to be made of.

Resolves the sample sheet, looks at every alignment and peak file, makes the region sets, and checks that all of it fits
together. One error names all problems, in groups. The tables of samples, excluded samples and warnings, the region sets
and a list of the results that are not what is wanted now (differing.json) are written to a folder of their own, and
nothing is changed in the results.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from divvy_coverage import results
from divvy_coverage.command_line import run, warn
from divvy_coverage.errors import UserError
from divvy_coverage.files import write_if_changed
from divvy_coverage.preflight.checks import check_inputs
from divvy_coverage.preflight.folders import Folders


def read_config(source: str) -> dict[str, Any]:
    """Read a configuration from a file, or from the standard input if `source` is "-"; UserError if it is not JSON."""
    try:
        config = json.loads(sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it has no keys")
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: expected a configuration as JSON, with all its keys: {error}") from error
    return config


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: check the inputs of a configuration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--config", default="-", help="the configuration with all its keys, as JSON; - for the standard input (default)"
    )
    parser.add_argument("--plan", type=Path, required=True, help="folder to write to")
    parser.add_argument("--results", type=Path, required=True, help="folder of the results, which is only looked at")
    parser.add_argument("--cache", type=Path, required=True, help="folder for what need not be read again")
    args = parser.parse_args(argv)
    checked = check_inputs(read_config(args.config), Folders(args.plan, args.results, args.cache))
    write_if_changed(args.plan / results.DIFFERING, json.dumps(checked.differing).encode())
    for message in checked.list_messages(args.results):
        warn(message)


if __name__ == "__main__":
    sys.exit(run(main))
