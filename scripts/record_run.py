"""Record what a run is: versions, configuration, samples, region sets, command line and date.

The record goes into the report and into the metadata of the matrix files.
"""

import argparse
import hashlib
import json
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from divvy_coverage import __version__
from divvy_coverage.command_line import run
from divvy_coverage.files import replacing

SOFTWARE = (
    *("altair", "deflate", "h5py", "isal", "looper", "numba", "numpy", "pandas", "peppy", "pyarrow", "pysam"),
    *("scipy", "snakemake"),
)


def record(config: Mapping[str, Any], command: Sequence[str], results: Path) -> dict[str, Any]:
    """Return what determines a run's results, and when and how it was started.

    `config` has every default filled in; `results` holds the sample table and the region sets as they are used.
    """
    return {
        "version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(command),
        "config": dict(config),
        "samples_sha256": _sha256(results / "samples.tsv"),
        "region_sets": {name: _sha256(results / "regions" / f"{name}.bed") for name in config["regions"]},
        "software": {"python": platform.python_version(), **_versions(SOFTWARE)},
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _versions(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # jobs may have what the controller does not
            continue
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: record a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder with samples.tsv and regions/")
    parser.add_argument("--out", type=Path, required=True, help="record to write (.json)")
    parser.add_argument("command", nargs="*", help="command line of the run, after --")
    args = parser.parse_args(argv)
    content = record(json.load(sys.stdin), args.command, args.results)
    with replacing(args.out) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run(main))
