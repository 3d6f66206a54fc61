"""The counts of all samples of a region set, read one sample at a time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from divvy_coverage.arrays import Counts
from divvy_coverage.counting.sample_files import KEYS, Description, find_damage, read_counts, read_description
from divvy_coverage.errors import UserError, listing
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.samples import read_samples


@dataclass(frozen=True)
class Cohort:
    """All samples of a region set.

    Attributes
    ----------
    names
        The samples in the order of the sheet: the columns of the matrix.
    regions
        The rows of the matrix.
    folder
        The folder with <sample>.npy and <sample>.stats.json.
    """

    names: list[str]
    regions: Regions
    folder: Path

    def __len__(self) -> int:
        return len(self.names)

    def counts(self, sample: int) -> Counts:
        """Return the counts of a sample (regions), which are not read before they are used."""
        return read_counts(self.folder / f"{self.names[sample]}.npy")

    def read_descriptions(self, summary: Path | None = None) -> list[Description]:
        """Return the description of each sample, without its histograms: those of thousands would fill the memory.

        Parameters
        ----------
        summary
            A file that was made of all counts, if there is one: while it is there, the workflow counts nothing again.

        Raises
        ------
        UserError
            If the samples differ in what was counted, in which regions or by which version, or if counts are not those
            described.
        """
        try:
            descriptions = self._read_descriptions()
            self._check_counts(descriptions)
        except UserError as error:
            if summary is None:
                raise
            raise UserError(f"{error}\nremove {summary}, too: while it is there, nothing is counted again") from error
        return descriptions

    def _read_descriptions(self) -> list[Description]:
        paths = [self.folder / f"{name}.stats.json" for name in self.names]
        descriptions = [{key: found[key] for key in KEYS} for found in map(read_description, paths)]
        _check_regions(self, [description["regions"]["sha256"] for description in descriptions])
        _check_columns(self, [list(description["statistics"]) for description in descriptions])
        _check_counting(self, [json.dumps(description["counting"], sort_keys=True) for description in descriptions])
        return descriptions

    def _check_counts(self, descriptions: Sequence[Description]) -> None:
        pairs = zip(self.names, descriptions, strict=True)
        damaged = [problem for name, each in pairs if (problem := find_damage(self.folder / f"{name}.npy", each))]
        if damaged:
            raise UserError(
                f"{len(damaged)} count files are damaged or missing; remove them and run again:{listing(damaged)}"
            )


def read_cohort(samples: Path, regions: Path, folder: Path) -> Cohort:
    """Read which samples and regions have their counts in a folder.

    Parameters
    ----------
    samples
        Table with a column sample_name.
    regions
        Region set (BED).
    folder
        With <sample>.npy and <sample>.stats.json, which are not read yet.

    Raises
    ------
    UserError
        For a table or a region set that is missing, damaged or empty.
    """
    names = [sample.name for sample in read_samples(samples)]
    if not names:
        raise UserError(f"{samples}: expected at least one sample, found none; add samples to the sheet and run again")
    return Cohort(names, read_regions(regions), folder)


def _check_regions(cohort: Cohort, found: Sequence[str]) -> None:
    expected = cohort.regions.sha256()
    stale = [name for name, sha in zip(cohort.names, found, strict=True) if sha != expected]
    if stale:
        raise UserError(
            f"{cohort.folder}: {len(stale)} of {len(cohort)} samples were counted over another region set:"
            f"{listing(stale)}\nremove their files there and run the workflow again"
        )


def _check_columns(cohort: Cohort, found: Sequence[Sequence[str]]) -> None:
    if "usable" not in found[0] or any(columns != found[0] for columns in found):
        raise UserError(
            f"{cohort.folder}: expected the same statistics of all samples, found those of an older version; remove "
            "this folder and run the workflow again"
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
