"""What the report is made of: the files of a run, and what the report calls samples."""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from divvy_coverage import results
from divvy_coverage.arrays import Floats
from divvy_coverage.errors import UserError
from divvy_coverage.files import read_record
from divvy_coverage.naming import check_name
from divvy_coverage.problems import read_problems
from divvy_coverage.report.colors import Coloring, find_colorings
from divvy_coverage.report.curves import Curves, read_curves
from divvy_coverage.report.flags import Flag, find_flags
from divvy_coverage.samples import NAME, Sample, read_samples

# what is counted, in a word, by the unit
COUNTED = {"fragments": "fragments", "paired_insertions": "fragments", "insertions": "insertions", "reads": "reads"}
REGION_COLUMNS = ("mean", "variance", "dispersion", "detection_rate", "support")
# columns of a table of statistics that the report cannot do without
STATISTICS_COLUMNS = (NAME, "usable", "alignments", "in_regions", "frip", "library_size")


@dataclass(frozen=True)
class RegionSet:
    """What the matrix of a region set is summarized by.

    Attributes
    ----------
    name
        The name of the region set.
    statistics
        One row per sample.
    regions
        One row per region (REGION_COLUMNS).
    scores
        Principal components (samples × components; maybe none).
    clustered
        Numbers of the samples of `correlation`, in the order of their clustering.
    correlation
        Pearson's r of these samples (n × n).
    summary
        What all this was computed from.
    """

    name: str
    statistics: pd.DataFrame
    regions: pd.DataFrame
    scores: Floats
    clustered: list[int]
    correlation: Floats
    summary: dict[str, Any]

    @property
    def counting(self) -> dict[str, Any]:
        """What one count is, and which alignments are kept."""
        found: dict[str, Any] = self.summary.get("counting", {})
        return found

    @property
    def counted(self) -> str:
        """What is counted, in a word: fragments, insertions or reads."""
        return COUNTED.get(self.counting.get("unit", ""), "alignments")


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes
    ----------
    samples, labels
        The samples of the matrices, and what the report calls them.
    colorings
        The attributes that can color samples.
    excluded, warnings
        Problems of the inputs by column: errors for which samples were excluded, and warnings.
    flags
        What is flagged about the samples.
    provenance
        What the run was made of, by which command, and when; empty if this was not recorded.
    region_sets
        The region sets, at least one.
    curves
        The curves of samples by kind.
    """

    samples: list[Sample]
    labels: list[str]
    colorings: list[Coloring]
    excluded: list[dict[str, str]]
    warnings: list[dict[str, str]]
    flags: list[Flag]
    provenance: dict[str, Any]
    region_sets: list[RegionSet]
    curves: dict[str, Curves]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def names(self) -> list[str]:
        """The names of the samples."""
        return [sample.name for sample in self.samples]

    @property
    def counting(self) -> dict[str, Any]:
        """What one count is, and which alignments are kept, which is the same in all region sets."""
        return self.region_sets[0].counting

    @property
    def counted(self) -> str:
        """What is counted, in a word: fragments, insertions or reads."""
        return self.region_sets[0].counted

    @property
    def number_flagged(self) -> int:
        """The number of samples that are flagged in any region set."""
        return len({flag.sample for flag in self.flags})

    @property
    def number_excluded(self) -> int:
        """The number of samples that were excluded; each may have several problems."""
        return len({(problem[NAME], problem["row"]) for problem in self.excluded})


def read_run(folder: Path, region_sets: Sequence[str], label: str) -> Run:
    """Read the files of a run.

    Parameters
    ----------
    folder
        Of the results.
    region_sets
        Names of the region sets to report, at least one.
    label
        The attribute of the sheet with the labels of samples.

    Raises
    ------
    UserError
        For files that are missing, damaged, or of other samples.
    """
    samples = read_samples(_check_there(folder / results.SAMPLES))
    names = [sample.name for sample in samples]
    labels = build_labels(samples, label)
    sets = [_read_region_set(folder, name, names) for name in region_sets]
    provenance = folder / results.PROVENANCE
    return Run(
        samples=samples,
        labels=labels,
        colorings=find_colorings(samples, label),
        excluded=read_problems(folder / results.EXCLUDED),
        warnings=read_problems(folder / results.WARNINGS),
        flags=[flag for one in sets for flag in find_flags(labels, one.statistics, one.name, one.counted)],
        provenance=read_record(provenance, "the record of a run") if provenance.is_file() else {},
        region_sets=sets,
        curves=read_curves([folder / results.EVIDENCE.format(sample=name) for name in names]),
    )


def build_labels(samples: Sequence[Sample], attribute: str) -> list[str]:
    """Return a different label for each sample: the value of an attribute, or the sample's name where that is empty.

    Where samples share a label, their names are added to it.
    """
    names = [sample.name for sample in samples]
    values = [" ".join(" ".join(sample.attributes.get(attribute, ())).split()) for sample in samples]
    labels = [value or name for value, name in zip(values, names, strict=True)]
    while len(set(labels)) < len(labels):
        number = Counter(labels)
        labels = [
            f"{label} ({name})" if number[label] > 1 and label != name else label
            for label, name in zip(labels, names, strict=True)
        ]
    return labels


def _read_region_set(folder: Path, name: str, names: Sequence[str]) -> RegionSet:
    """Read what is known of a region set; `names` are those of the samples."""
    check_name(name, "region sets")

    def find(path: str) -> Path:
        return folder / path.format(region_set=name)

    statistics = _read_statistics(find(results.STATS), names)
    summary = read_record(_check_there(find(results.SUMMARY)), "what samples were compared by")
    clustered, correlation = _read_correlation(find(results.CORRELATION), names, summary.get("order", []))
    regions = _read_table(find(results.REGION_STATS), usecols=lambda c: c in REGION_COLUMNS, dtype=np.float64)
    scores = _read_scores(find(results.PCA), names)
    return RegionSet(name, statistics, regions, scores, clustered, correlation, summary)


def _read_statistics(path: Path, names: Sequence[str]) -> pd.DataFrame:
    """Read the statistics of the samples, which are numbers."""
    table = _read_table(path)
    if missing := [column for column in STATISTICS_COLUMNS if column not in table]:
        raise UserError(f"{path}: expected the columns {', '.join(missing)}, found none; run the workflow again")
    _check_samples(path, table, names)
    return table.drop(columns=NAME).apply(pd.to_numeric, errors="coerce")


def _read_scores(path: Path, names: Sequence[str]) -> Floats:
    """Read the principal components (samples × components); none if there is no file."""
    if not path.is_file():
        return np.empty((len(names), 0))
    table = _read_table(path)
    _check_samples(path, table, names)
    return _convert_numbers(table)


def _read_correlation(path: Path, names: Sequence[str], order: Sequence[str]) -> tuple[list[int], Floats]:
    """Read the correlation of samples, in the order `order` or, if that is of others, as it is in the file."""
    if not path.is_file():
        return [], np.empty((0, 0))
    table = _read_table(path)
    rows = {name: row for row, name in enumerate(table.iloc[:, 0])}
    numbers = {name: number for number, name in enumerate(names)}
    if not rows.keys() <= numbers.keys():
        raise UserError(f"{path}: its samples are not those of {results.SAMPLES}; run the workflow again")
    chosen = [rows[name] for name in order] if set(order) == rows.keys() else list(range(len(rows)))
    return [numbers[table.iloc[row, 0]] for row in chosen], _convert_numbers(table)[np.ix_(chosen, chosen)]


def _convert_numbers(table: pd.DataFrame) -> Floats:
    """Return the numbers of a table whose first column has names."""
    numbers: Floats = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    return numbers


def _check_samples(path: Path, table: pd.DataFrame, names: Sequence[str]) -> None:
    if list(table.iloc[:, 0]) != list(names):
        raise UserError(f"{path}: its samples are not those of {results.SAMPLES}; run the workflow again")


def _check_there(path: Path) -> Path:
    if not path.is_file():
        raise UserError(
            f"{path}: expected a file of a finished run, found none; run the workflow, or correct --results"
        )
    return path


def _read_table(path: Path, **options: Any) -> pd.DataFrame:
    """Read a table; by default as texts, so that a sample called NA, 007 or 1e5 stays what it is."""
    try:
        return pd.read_csv(_check_there(path), sep="\t", **(options or {"dtype": str, "keep_default_na": False}))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{path}: not a table of a finished run: {error}; remove it and run again") from error
