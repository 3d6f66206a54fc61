"""The coverage of all samples of a region set, as the files of `coverage` hold it, read a sample at a time."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.counting.sample_files import checksum
from divvy_coverage.errors import UserError, listing
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.preflight.sheet import read_table

# what is needed of what coverage.py says of a sample; histograms of thousands of samples would fill the memory
DESCRIPTION = ("regions", "counting", "counts", "statistics")


@dataclass(frozen=True)
class Cohort:
    """All samples of a region set: `names` in sheet order, the columns of the matrix; `regions`, its rows."""

    names: list[str]
    regions: Regions
    folder: Path  # with <sample>.npy and <sample>.stats.json

    def __len__(self) -> int:
        return len(self.names)

    def counts(self, sample: int) -> NDArray[np.int32]:
        """Return the counts of a sample (regions), which are not read before they are used."""
        counts: NDArray[np.int32] = np.load(self.folder / f"{self.names[sample]}.npy", mmap_mode="r")
        return counts

    def descriptions(self) -> list[dict[str, Any]]:
        """Return what coverage.py says of each sample; UserError if they differ in what was counted, or where."""
        descriptions = [_description(self.folder / f"{name}.stats.json") for name in self.names]
        _check_regions(self, [description["regions"]["sha256"] for description in descriptions])
        _check_counting(self, [json.dumps(description["counting"], sort_keys=True) for description in descriptions])
        return descriptions

    def check_counts(self, descriptions: Sequence[dict[str, Any]]) -> None:
        """Check that each sample's counts are those that its description names; UserError if not."""
        damaged = []
        for number, (name, description) in enumerate(zip(self.names, descriptions, strict=True)):
            path = self.folder / f"{name}.npy"
            try:
                if checksum(self.counts(number)) != description["counts"]["sha256"]:
                    damaged.append(f"{path}: its checksum is not that of {name}.stats.json")
            except (OSError, ValueError, EOFError) as error:
                damaged.append(f"{path}: {error}")
        if damaged:
            raise UserError(f"{len(damaged)} count files are damaged; remove them and run again:{listing(damaged)}")


def add_cohort_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name what `read_cohort` reads."""
    add = parser.add_argument
    add("--samples", type=Path, required=True, help="table with a column sample_name; gives the columns")
    add("--regions", type=Path, required=True, help="region set; gives the rows")
    add("--coverage", type=Path, required=True, help="folder with <sample>.npy and <sample>.stats.json")


def read_cohort(samples: Path, regions: Path, folder: Path) -> Cohort:
    """Read which samples (a table with a column sample_name) and regions (BED) have their coverage in `folder`."""
    return Cohort([sample["sample_name"][0] for sample in read_table(samples)], read_regions(regions), folder)


def _check_regions(cohort: Cohort, found: Sequence[str]) -> None:
    expected = cohort.regions.sha256()
    stale = [name for name, sha in zip(cohort.names, found, strict=True) if sha != expected]
    if stale:
        raise UserError(
            f"{cohort.folder}: {len(stale)} of {len(cohort)} samples were counted over another region set:"
            f"{listing(stale)}\nremove their files there and run the workflow again"
        )


def _check_counting(cohort: Cohort, countings: Sequence[str]) -> None:
    members: dict[str, list[str]] = {}
    for name, counting in zip(cohort.names, countings, strict=True):
        members.setdefault(counting, []).append(name)
    if len(members) > 1:
        kinds = [f"{', '.join(names[:10])}: {counting}" for counting, names in members.items()]
        raise UserError(
            f"{cohort.folder}: samples were counted in different ways:{listing(kinds)}\ncount them in the same way"
        )


def _description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text())
        if not isinstance(description, dict) or not description.keys() >= set(DESCRIPTION):
            raise ValueError(f"expected {', '.join(DESCRIPTION)} in it")
        return {key: description[key] for key in DESCRIPTION}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the statistics of a sample: {error}; remove it and run again") from error
