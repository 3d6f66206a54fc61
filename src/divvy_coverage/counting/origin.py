"""What the evidence of a sample is made from: the code, the files, and what is counted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from divvy_coverage.alignments.fingerprints import compute_fingerprint
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.evidence import FileRecord
from divvy_coverage.errors import UserError, listing
from divvy_coverage.installation import compute_digest
from divvy_coverage.intervals.regions import Regions

CODE = ("scripts/measure_coverage", "intervals", "alignments", "counting")  # what evidence depends on


def describe_files(
    alignments: Sequence[Path],
    peaks: Sequence[Path] = (),
    start_sites: Path | None = None,
    blacklist: Path | None = None,
    reference: Path | None = None,
) -> list[FileRecord]:
    """Return what to tell of the files that a sample is counted from; counting says what is wrong with others."""
    paths: list[tuple[str, Path | None]] = [("alignments", path) for path in alignments]
    paths += [("peaks", path) for path in peaks]
    paths += [("start sites", start_sites), ("blacklist", blacklist), ("reference", reference)]
    return [
        {"kind": kind, "path": str(path), "bytes": path.stat().st_size, "fingerprint": compute_fingerprint(path)}
        for kind, path in paths
        if path is not None and path.is_file()
    ]


def check_planned(files: Sequence[FileRecord], fingerprints: Sequence[str] | None) -> None:
    """Raise UserError if files do not have the fingerprints that a run was planned with, if there was a plan."""
    if fingerprints is None:
        return
    if changed := [file["path"] for file in files if file["fingerprint"] not in fingerprints]:
        raise UserError(f"changed since the run was planned; run again, and what changed is counted:{listing(changed)}")


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
