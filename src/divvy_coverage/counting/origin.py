"""What the files of a sample were made from: it is in their description, and compared with what is wanted now."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from divvy_coverage.alignments.fingerprints import compute_fingerprint
from divvy_coverage.counting.definition import MITOCHONDRIA, Counting
from divvy_coverage.errors import UserError
from divvy_coverage.installation import compute_digest
from divvy_coverage.intervals.regions import Regions

FileRecord = dict[str, Any]  # of a file that counts were made from: kind, path, bytes, fingerprint

CODE = ("scripts/measure_coverage", "intervals", "alignments", "counting")  # what both files depend on


def describe_files(
    alignments: Sequence[Path],
    peaks: Sequence[Path] = (),
    start_sites: Path | None = None,
    reference: Path | None = None,
) -> list[FileRecord]:
    """Return what to tell of the files that a sample is counted from; counting says what is wrong with others."""
    paths: list[tuple[str, Path | None]] = [("alignments", path) for path in alignments]
    paths += [*(("peaks", path) for path in peaks), ("start sites", start_sites), ("reference", reference)]
    return [
        {"kind": kind, "path": str(path), "bytes": path.stat().st_size, "fingerprint": compute_fingerprint(path)}
        for kind, path in paths
        if path is not None and path.is_file()
    ]


def check_unchanged(before: Sequence[FileRecord], after: Sequence[FileRecord]) -> None:
    """Raise UserError if files are not the same before and after they were counted."""
    changed = [record["path"] for record in before if record not in after]
    if changed:
        raise UserError(f"{', '.join(changed)}: changed while it was counted; run again when it is written no more")


def compute_code_digest() -> str:
    """Return the digest of the code that counts."""
    return compute_digest(*CODE)


def describe_counting(counting: Counting, blacklist: Regions | None, with_profile: bool) -> dict[str, Any]:
    """Return what is counted, outside of which regions, and for which profile, as JSON has it."""
    return counting.describe(with_profile) | {"blacklist": blacklist and blacklist.sha256()}


def get_mitochondrial_contigs(contigs: Sequence[str] | None) -> list[str]:
    """Return the contigs that a statistic is of: those that are set or, for None, those with the usual names."""
    return list(MITOCHONDRIA if contigs is None else contigs)


def describe_origin(
    code: str,
    regions: str,
    counting: Mapping[str, Any],
    files: Iterable[tuple[str, str]],
    mitochondrial_contigs: Iterable[str],
) -> dict[str, Any]:
    """Return what the files of a sample depend on: where two are equal, they are the same.

    Parameters
    ----------
    code
        Digest of the code that counted.
    regions
        SHA-256 of the region set.
    counting
        What is counted, as `Counting.describe` returns it.
    files
        Kind and fingerprint of each file that is read.
    mitochondrial_contigs
        The contigs that a statistic is of.
    """
    return {
        "code": code,
        "regions": regions,
        "counting": dict(counting),
        "files": [tuple(file) for file in files],
        "mitochondrial_contigs": list(mitochondrial_contigs),
    }


def read_origin(path: Path) -> dict[str, Any] | None:
    """Return what a description says of its origin, as `describe_origin` does; None if it cannot be known."""
    try:
        found = json.loads(path.read_bytes())
        files = [(record["kind"], record["fingerprint"]) for record in found["files"]]
        contigs = found["mitochondrial_contigs"]
        return describe_origin(found["code"], found["regions"]["sha256"], found["counting"], files, contigs)
    except (OSError, ValueError, KeyError, TypeError):
        return None
