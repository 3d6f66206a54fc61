"""The two files of a sample's counts: what is in them is written and read here, and nowhere else.

Counts are a .npy file (int32, one per region, in region order). The description is JSON: the region set, what was
counted, the alignment files, the statistics, and histograms.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from divvy_coverage import __version__
from divvy_coverage.arrays import Counts, Floats, Integers
from divvy_coverage.errors import UserError
from divvy_coverage.files import replacing
from divvy_coverage.intervals.regions import Regions

Description = dict[str, Any]  # the JSON of a sample

KEYS = ("regions", "counting", "counts", "statistics")  # that every description has
LARGEST_COUNT = np.iinfo(np.int32).max


def to_int32(counts: Integers, source: Path) -> Counts:
    """Return counts as they are written. Raises UserError for a count of `source` that is too large for int32."""
    if counts.size and counts.max() > LARGEST_COUNT:
        raise UserError(f"{source}: a region has {counts.max()} counts, more than the largest possible {LARGEST_COUNT}")
    return counts.astype(np.int32)


def describe(
    files: Sequence[Mapping[str, Any]],
    regions: Regions,
    counting: Mapping[str, Any],
    counts: Counts,
    statistics: dict[str, Any],
) -> Description:
    """Return the description of a sample.

    Parameters
    ----------
    files
        What it was counted from, as `describe_files` returns it.
    regions, counting
        Where and what was counted.
    counts
        The counts in region order.
    statistics
        The row of statistics ("statistics"), the histograms ("histograms") and, with start sites, the profile around
        them ("tss_profile"), as `Tally.describe` returns them; and what else is to be told.
    """
    return {
        "version": __version__,
        "regions": {"number": len(regions), "sha256": regions.sha256()},
        "counting": dict(counting),
        "files": [dict(file) for file in files],
        "counts": {"sum": int(counts.sum(dtype=np.int64)), "sha256": checksum(counts)},
        **statistics,
    }


def write_sample(
    counts_path: Path, description_path: Path, counts: Counts, description: Description, regions: Regions | None = None
) -> None:
    """Write both files of a sample; either both are there, or none.

    With `regions`, counts whose file is not called .npy are written as BED, with the count in the fourth column.
    """
    with replacing(counts_path) as counts_file:
        if regions is None or counts_path.suffix == ".npy":
            _write_npy(counts_file, counts)
        else:
            _write_bed(counts_file, counts, regions)
        with replacing(description_path) as description_file:
            description_file.write_text(json.dumps(description, indent=1) + "\n")


def _write_npy(path: Path, counts: Counts) -> None:
    content = io.BytesIO()
    np.save(content, counts)  # to a file, it would not say why it cannot be written
    path.write_bytes(content.getbuffer())


def _write_bed(path: Path, counts: Counts, regions: Regions) -> None:
    lines = zip(regions.bed().decode().splitlines(), counts.tolist(), strict=True)
    path.write_text("".join(f"{line}\t{count}\n" for line, count in lines))


def read_counts(path: Path) -> Counts:
    """Return the counts of a sample, which are not read before they are used."""
    counts: Counts = np.load(path, mmap_mode="r")
    return counts


def read_description(path: Path) -> Description:
    """Return the description of a sample. Raises UserError for a file that is none."""
    try:
        description = json.loads(path.read_bytes())
        if not isinstance(description, dict) or not description.keys() >= set(KEYS):
            raise ValueError(f"expected {', '.join(KEYS)} in it")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the description of a sample: {error}; remove it and run again") from error
    return description


def read_histogram(description: Description, kind: str, size: int) -> Floats:
    """Return a histogram of a description (size), zeros included."""
    counts = np.zeros(size)
    histogram = description.get("histograms", {}).get(kind, {})
    counts[np.array(list(histogram), np.int64)] = list(histogram.values())
    return counts


def find_damage(counts_path: Path, description: Description) -> str:
    """Say why the counts are not those that the description names; "" if they are."""
    try:
        if checksum(read_counts(counts_path)) != description["counts"]["sha256"]:
            return f"{counts_path}: its checksum is not that of its description"
    except (OSError, ValueError, EOFError) as error:
        return f"{counts_path}: {error}"
    return ""


def checksum(counts: Counts) -> str:
    """Return the SHA-256 of counts, by which a damaged file is recognized."""
    return hashlib.sha256(np.ascontiguousarray(counts, "<i4").tobytes()).hexdigest()
