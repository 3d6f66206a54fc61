"""The files of a run as the report needs them. Histograms are read a sample at a time, and kept in bins."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from divvy_coverage.counting.statistics import EDGE, TSS_FLANK
from divvy_coverage.errors import UserError
from divvy_coverage.preflight.sheet import Sample, read_table
from divvy_coverage.report.flags import Finding, findings, labels

Floats = NDArray[np.float64]
Description = dict[str, Any]  # of a sample, as coverage.py writes it

FRAGMENT_BIN, LONGEST = 5, 1000  # bp
TSS_BIN = 10  # bp
REGION_COLUMNS = ("mean", "variance", "dispersion", "detection", "support")
# of these columns of a table of statistics the report cannot do without
STATISTICS = ("sample_name", "alignments", "kept", "counted", "in_regions", "frip", "library_size")


@dataclass(frozen=True)
class RegionSet:
    """What is told of a region set.

    `statistics` has a row a sample; `regions` a row a region (REGION_COLUMNS); `scores` (samples × PCs, maybe none);
    `clustered` are the samples (numbers) of `correlation` (n × n) in the order of their clustering.
    """

    name: str
    statistics: pd.DataFrame
    regions: pd.DataFrame
    scores: Floats
    clustered: list[int]
    correlation: Floats
    summary: dict[str, Any]


@dataclass(frozen=True)
class Curves:
    """A curve a sample: `values` (samples × places) at `places`; rows of NaN for samples without one."""

    places: Floats
    values: Floats


@dataclass(frozen=True)
class Run:
    """A run: its samples, their labels, the excluded ones, and what is told of each region set."""

    samples: list[Sample]
    labels: list[str]
    excluded: list[dict[str, str]]
    warnings: list[str]
    findings: list[Finding]
    provenance: dict[str, Any]
    region_sets: list[RegionSet]
    curves: dict[str, Curves]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def conspicuous(self) -> int:
        """The number of samples that are conspicuous in any region set."""
        return len({found.sample for found in self.findings})


def read_run(results: Path, region_sets: Sequence[str], title: str) -> Run:
    """Read the files of a run in the folder `results`; `title` is the attribute with the samples' labels."""
    samples = read_table(_there(results / "samples.tsv"))
    names = [sample["sample_name"][0] for sample in samples]
    titles = labels(samples, title)
    sets = [_read_region_set(results / "matrix", name, names) for name in region_sets]
    provenance = results / "provenance.json"
    return Run(
        samples=samples,
        labels=titles,
        excluded=_read_excluded(results / "excluded_samples.tsv"),
        warnings=_read_warnings(results / "warnings.txt"),
        findings=[found for one in sets for found in findings(titles, one.statistics, one.name)],
        provenance=json.loads(provenance.read_text()) if provenance.is_file() else {},
        region_sets=sets,
        curves=read_curves(results / "coverage" / region_sets[0], names),  # they do not depend on the regions
    )


def _there(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: expected a file of a finished run, found none; run the workflow, or mend --results")
    return path


def _read_region_set(folder: Path, name: str, names: Sequence[str]) -> RegionSet:
    path = _there(folder / f"{name}.stats.tsv")
    statistics = read_text(path)
    if missing := [column for column in STATISTICS if column not in statistics]:
        raise UserError(f"{path}: expected the columns {', '.join(missing)}, found none; run the workflow again")
    if list(statistics["sample_name"]) != list(names):
        raise UserError(f"{path}: its samples are not those of samples.tsv; run the workflow again")
    statistics = statistics.drop(columns="sample_name").apply(pd.to_numeric, errors="coerce")
    summary = json.loads(_there(folder / f"{name}.summary.json").read_text())
    clustered, correlation = _read_correlation(folder / f"{name}.correlation.tsv", names, summary.get("order", []))
    regions = _read_regions(_there(folder / f"{name}.region_stats.tsv.gz"))
    scores = _read_scores(folder / f"{name}.pca.tsv", len(names))
    return RegionSet(name, statistics, regions, scores, clustered, correlation, summary)


def read_text(path: Path) -> pd.DataFrame:
    """Read a table without taking a sample called NA, 007 or 1e5 for anything else."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def _read_regions(path: Path) -> pd.DataFrame:
    columns = set(REGION_COLUMNS)
    return pd.read_csv(path, sep="\t", usecols=lambda column: column in columns, dtype=np.float64)


def _read_scores(path: Path, n: int) -> Floats:
    """Read the principal components (samples × PCs); none if there is no file."""
    if not path.is_file():
        return np.empty((n, 0))
    scores: Floats = read_text(path).iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    return scores


def _read_correlation(path: Path, names: Sequence[str], order: Sequence[str]) -> tuple[list[int], Floats]:
    """Read the correlation of samples in the order `order`, or as it is in the file."""
    if not path.is_file():
        return [], np.empty((0, 0))
    table = read_text(path)
    rows = {name: row for row, name in enumerate(table.iloc[:, 0])}
    chosen = [rows[name] for name in order] if set(order) == rows.keys() else list(range(len(rows)))
    values = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    numbers = {name: number for number, name in enumerate(names)}
    return [numbers[table.iloc[row, 0]] for row in chosen], values[np.ix_(chosen, chosen)]


def _read_excluded(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _read_warnings(path: Path) -> list[str]:
    """Read warnings, each of which starts with `warning: ` and may have further, indented lines."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [part.strip() for part in re.split(r"^warning: ", text, flags=re.MULTILINE) if part.strip()]


def read_curves(folder: Path, names: Sequence[str]) -> dict[str, Curves]:
    """Read fragment lengths, mapping qualities and the TSS profile of each sample; those that no sample has are absent.

    `fragments`: per cent of the fragments per bp of length. `mapping_quality`: share of the primary alignments that
    have at least this mapping quality. `tss`: cut sites around start sites over their mean at both ends of the profile.
    """
    places: dict[str, Floats] = {
        "fragments": _middles(0, LONGEST, FRAGMENT_BIN),
        "mapping_quality": np.arange(256, dtype=np.float64),
        "tss": _middles(-TSS_FLANK, TSS_FLANK, TSS_BIN),
    }
    makers: dict[str, Callable[[Description], Floats | None]] = {
        "fragments": fragment_curve,
        "mapping_quality": quality_curve,
        "tss": tss_curve,
    }
    values = {kind: np.full((len(names), len(x)), np.nan) for kind, x in places.items()}
    for row, name in enumerate(names):
        description = _read_description(folder / f"{name}.stats.json")
        for kind, make in makers.items():
            if (curve := make(description)) is not None:
                values[kind][row] = curve
    found = {kind: Curves(x, values[kind]) for kind, x in places.items() if not np.isnan(values[kind]).all()}
    return found | ({"mapping_quality": _trimmed(found["mapping_quality"])} if "mapping_quality" in found else {})


def fragment_curve(description: Description) -> Floats | None:
    """Return per cent of the fragments per bp of length, in bins of FRAGMENT_BIN; None without fragments."""
    counts = _histogram(description, "fragment_length", 2001)
    if not counts.sum():
        return None
    share: Floats = counts[:LONGEST].reshape(-1, FRAGMENT_BIN).sum(axis=1) / counts.sum()
    return 100 / FRAGMENT_BIN * share


def quality_curve(description: Description) -> Floats | None:
    """Return the share of the primary alignments with at least a mapping quality of 0 … 255; None without any."""
    counts = _histogram(description, "mapping_quality", 256)
    at_least: Floats = counts[::-1].cumsum()[::-1]
    shares: Floats = at_least / max(1.0, at_least[0])
    return shares if at_least[0] else None


def tss_curve(description: Description) -> Floats | None:
    """Return cut sites around start sites, in bins of TSS_BIN, over their mean in EDGE bp at both ends."""
    profile = np.array(description.get("tss_profile", []), np.float64)
    if len(profile) != 2 * TSS_FLANK + 1:
        return None
    ends = np.concatenate([profile[:EDGE], profile[-EDGE:]]).mean()
    binned: Floats = profile[:-1].reshape(-1, TSS_BIN).mean(axis=1)
    return binned / ends if ends else None


def _histogram(description: Description, kind: str, size: int) -> Floats:
    counts = np.zeros(size)
    histogram = description.get("histograms", {}).get(kind, {})
    counts[np.array(list(histogram), np.int64)] = list(histogram.values())
    return counts


def _middles(first: int, end: int, size: int) -> Floats:
    """Return the middles of bins."""
    return np.arange(first, end, size).astype(np.float64) + size / 2


def _trimmed(curves: Curves) -> Curves:
    """Leave out mapping qualities that no alignment has."""
    used = int(np.flatnonzero(np.nanmax(curves.values, axis=0) > 0)[-1]) + 1
    return Curves(curves.places[:used], curves.values[:, :used])


def _read_description(path: Path) -> Description:
    try:
        description: Description = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the statistics of a sample: {error}; remove it and run again") from error
    return description
