"""What one pass over the files of a sample has found: its evidence, which is written and read here, and nowhere else.

A folder per sample holds its evidence (JSON), and its counts in each region set (.npy; int32, one per region, in their
order). From these, everything else is derived.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from divvy_coverage import __version__
from divvy_coverage.arrays import Counts, Integers
from divvy_coverage.counting.tally import Tally
from divvy_coverage.errors import UserError
from divvy_coverage.files import ANEW, read_record, replacing, write_record
from divvy_coverage.intervals.regions import Regions

FileRecord = dict[str, Any]  # of a file that was read, by key
FILE_KEYS = ("kind", "path", "bytes", "fingerprint")

WHAT = "the evidence of a sample"
LARGEST_COUNT = np.iinfo(np.int32).max


@dataclass(frozen=True)
class RegionSetEvidence:
    """What was found in a region set, besides its counts.

    Attributes
    ----------
    regions
        How many it has.
    sha256
        Of the region set, by which it is known again.
    in_regions
        How many of what was counted overlap at least one region.
    sum, counts_sha256
        The sum of the counts, and the SHA-256 of them, by which a damaged file is recognized.
    """

    regions: int
    sha256: str
    in_regions: int
    sum: int
    counts_sha256: str


@dataclass(frozen=True)
class Evidence:
    """What was found in the files of a sample, and what these were.

    Attributes
    ----------
    code
        Digest of the code that counted.
    files
        Those that were read, as `describe_files` returns them.
    counting
        What was counted, as `describe_counting` returns it.
    tally
        Numbers of alignments.
    in_peaks
        How many of what was counted overlap at least one of the sample's own peaks; None without peaks.
    region_sets
        By name.
    """

    code: str
    files: Sequence[FileRecord]
    counting: Mapping[str, Any]
    tally: Tally
    in_peaks: int | None
    region_sets: Mapping[str, RegionSetEvidence]


def write_evidence(evidence: Evidence, path: Path) -> None:
    """Write the evidence of a sample."""
    sets = {name: asdict(each) for name, each in evidence.region_sets.items()}
    content = {
        "version": __version__,
        "code": evidence.code,
        "files": [dict(file) for file in evidence.files],
        "counting": dict(evidence.counting),
        "region_sets": sets,
        "in_peaks": evidence.in_peaks,
        **evidence.tally.describe(),
    }
    write_record(content, path)


def read_evidence(path: Path) -> Evidence:
    """Read the evidence of a sample. Raises UserError for a file that holds none, and for one that was edited."""
    found = read_record(path, WHAT)
    try:
        sets = {name: RegionSetEvidence(**each) for name, each in found["region_sets"].items()}
        files = [{key: file[key] for key in FILE_KEYS} for file in found["files"]]
        tally = Tally.from_json(found)
        return Evidence(found["code"], files, found["counting"], tally, found["in_peaks"], sets)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise UserError(f"{path}: not {WHAT}: {reason}; {ANEW}") from error


def write_counts(counts: Integers, path: Path, regions: Regions) -> None:
    """Write counts as .npy or, by any other name, as BED with the count in the fourth column.

    Raises UserError for a count that is too large for int32.
    """
    if counts.size and counts.max() > LARGEST_COUNT:
        raise UserError(f"{path}: a region has {counts.max()} counts, more than the largest possible {LARGEST_COUNT}")
    with replacing(path) as temporary:
        if path.suffix == ".npy":
            content = io.BytesIO()
            np.save(content, counts.astype(np.int32))  # to a file, it would not say why it cannot be written
            temporary.write_bytes(content.getbuffer())
        else:
            lines = zip(regions.bed().decode().splitlines(), counts.tolist(), strict=True)
            temporary.write_text("".join(f"{line}\t{count}\n" for line, count in lines), encoding="utf-8")


def read_counts(path: Path) -> Counts:
    """Return the counts of a sample, which are not read before they are used."""
    counts: Counts = np.load(path, mmap_mode="r")
    return counts


def find_damage(path: Path, evidence: RegionSetEvidence) -> str:
    """Say why counts are not those that were found; "" if they are."""
    try:
        if checksum(read_counts(path)) != evidence.counts_sha256:
            return f"{path}: its checksum is not that of the evidence"
    except (OSError, ValueError, EOFError) as error:
        return f"{path}: {error}"
    return ""


def checksum(counts: Counts | Integers) -> str:
    """Return the SHA-256 of counts, by which a damaged file is recognized."""
    return hashlib.sha256(np.ascontiguousarray(counts, "<i4").tobytes()).hexdigest()
