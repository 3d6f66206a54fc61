"""Record what results were made from: versions, configuration, what was counted, samples, region sets, command, date.

The report shows it; no other result has a date.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from divvy_coverage import __version__
from divvy_coverage.command_line import run
from divvy_coverage.counting.inputs import read_inputs
from divvy_coverage.files import compute_sha256, write_record
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.naming import name_region_set

COMMAND = "DIVVY_COVERAGE_COMMAND"  # environment variable with the command line of the run
SOFTWARE = (
    *("altair", "deflate", "h5py", "isal", "llvmlite", "looper", "numba", "numpy", "pandas", "peppy", "pyarrow"),
    *("pysam", "scipy", "snakemake"),
)


def describe_run(
    config: Mapping[str, Any], counting: Mapping[str, Any], command: str, samples: Path, regions: Sequence[Path]
) -> dict[str, Any]:
    """Return what determines a run's results, and when and how it was started.

    `config` has every default filled in, and `counting` those of the assay, too; `samples` is the sample table and
    `regions` are the region sets, as used.
    """
    return {
        "version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "config": dict(config),
        "counting": dict(counting),
        "samples_sha256": compute_sha256(samples),
        "region_sets": {name_region_set(path): read_regions(path).sha256() for path in regions},
        "software": {"python": platform.python_version(), **find_versions(SOFTWARE)},
    }


def find_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: record a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--config", type=json.loads, required=True, help="the configuration with all its keys (JSON)")
    add("--inputs", type=Path, help="what the evidence was made from, with the defaults of the assay (.json)")
    add("--samples", type=Path, required=True, help="sample table")
    add("--regions", type=Path, nargs="+", required=True, help="region sets, each in a file of its name")
    add("--command", default=os.environ.get(COMMAND, ""), help=f"command line of the run (default: ${COMMAND})")
    add("--out", type=Path, required=True, help="record to write (.json)")
    args = parser.parse_args(argv)
    counting = read_inputs(args.inputs).counting if args.inputs else {}
    record = describe_run(args.config, counting, args.command, args.samples, args.regions)
    write_record(record, args.out)


if __name__ == "__main__":
    sys.exit(run(main))
