"""Summarize the coverage of all samples: what is to be known of each sample and region, and how alike samples are.

Writes a table a line a sample (statistics, library size, factors), one a line a region, principal components and
correlations of samples, and a summary of what they were computed from. Samples are read one at a time.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from divvy_coverage.command_line import run
from divvy_coverage.files import gzipped, replacing
from divvy_coverage.intervals.regions import SUPPORT
from divvy_coverage.matrix.cohort import Cohort, add_cohort_options, read_cohort
from divvy_coverage.matrix.factors import size_factors, tmm_factors
from divvy_coverage.matrix.normalization import METHODS, Normalization, fit, is_logarithmic
from divvy_coverage.matrix.similarity import clustered_order, correlation, principal_components
from divvy_coverage.preflight.sheet import ROW_NAMES

LIBRARY_SIZES = ("kept", "regions")
MOST_VARIABLE = 2000  # regions that components and correlations are computed of
LARGEST_CORRELATION = 1000  # samples

Floats = NDArray[np.float64]


class Moments:
    """Mean and variance of many arrays of one shape, added one by one (Welford 1962)."""

    def __init__(self, size: int) -> None:
        self.number = 0
        self.mean = np.zeros(size)
        self._squares = np.zeros(size)

    def add(self, values: Floats) -> None:
        """Add an array."""
        self.number += 1
        difference = values - self.mean
        self.mean += difference / self.number
        self._squares += difference * (values - self.mean)

    def variance(self) -> Floats:
        """Return the unbiased variance; NaN of fewer than two arrays."""
        return self._squares / (self.number - 1) if self.number > 1 else np.full_like(self.mean, np.nan)


def library_sizes(descriptions: Sequence[dict[str, Any]], kind: str) -> Floats:
    """Return the library size of each sample.

    "kept": everything counted, in regions or not (kept alignments, or in other modes fragments or cut sites);
    "regions": the sum of the sample's counts.
    """
    if kind == "regions":
        return np.array([d["counts"]["sum"] for d in descriptions], np.float64)
    return np.array([d["statistics"]["counted"] for d in descriptions], np.float64)


def region_statistics(cohort: Cohort, sizes: Floats, support: Floats | None) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return a table with a row a region, and in how many regions each sample has counts.

    Counts are scaled to the mean library size, so that mean and variance (n − 1) are of counts as they would be had all
    samples the same library size; `dispersion` = (variance − mean) / mean² is the negative binomial's, by moments.
    """
    scale = np.divide(sizes.mean(), sizes, out=np.zeros_like(sizes), where=sizes > 0)
    moments, detected = Moments(len(cohort.regions)), np.zeros(len(cohort), np.int64)
    detection = np.zeros(len(cohort.regions), np.int64)
    for sample in range(len(cohort)):
        counts = cohort.counts(sample)
        moments.add(counts * scale[sample])
        there = counts > 0
        detection += there
        detected[sample] = np.count_nonzero(there)
    variance = moments.variance()
    with np.errstate(invalid="ignore", divide="ignore"):
        dispersion = np.where(moments.mean > 0, (variance - moments.mean) / moments.mean**2, np.nan)
    share = detection / len(cohort)
    columns = {"mean": moments.mean, "variance": variance, "dispersion": dispersion, "detection": share}
    regions = cohort.regions
    names = {ROW_NAMES: regions.names(), "chrom": regions.contigs, "start": regions.starts, "end": regions.ends}
    values = {name: pa.array(column, from_pandas=True) for name, column in columns.items()}
    values[SUPPORT] = pa.nulls(len(regions), pa.float64()) if support is None else pa.array(support)
    return pa.table(names | values), detected


def most_variable(cohort: Cohort, normalization: Normalization, logarithmic: bool) -> Floats:
    """Return log2 of the normalised counts (samples, regions) of the regions whose variance is largest, at most
    MOST_VARIABLE. Values that are not logarithms yet get 1 added.
    """

    def values(sample: int, rows: slice | NDArray[np.intp]) -> Floats:
        found = normalization.apply(sample, cohort.counts(sample)[rows], rows)
        return found if logarithmic else np.log2(1 + found)

    moments = Moments(len(cohort.regions))
    for sample in range(len(cohort)):
        moments.add(values(sample, slice(None)))
    order = np.argsort(-np.nan_to_num(moments.variance()), kind="stable")
    rows = np.sort(order[:MOST_VARIABLE])
    return np.stack([values(sample, rows) for sample in range(len(cohort))])


def write_stats(
    cohort: Cohort, descriptions: Sequence[dict[str, Any]], more: dict[str, NDArray[Any]], path: Path
) -> None:
    """Write a line a sample: the statistics of coverage.py, and the columns `more`, NaN as nothing."""
    columns = [map(_cell, values) for values in more.values()]
    rows = zip(cohort.names, descriptions, *columns, strict=True)
    cells = ([name, *description["statistics"].values(), *rest] for name, description, *rest in rows)
    write_lines(["sample_name", *descriptions[0]["statistics"], *more], cells, path)


def write_table(header: Sequence[str], rows: Iterable[tuple[str, Floats]], path: Path) -> None:
    """Write rows of a name and numbers, NaN as nothing."""
    write_lines(header, ([name, *map(_cell, values)] for name, values in rows), path)


def write_lines(header: Sequence[str], rows: Iterable[Sequence[Any]], path: Path) -> None:
    """Write a tab-separated table."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_regions(table: pa.Table, path: Path) -> None:
    """Write the table of regions, the same bytes for the same table."""
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with replacing(path) as temporary, gzipped(temporary) as file:
        file.write(("\t".join(table.column_names) + "\n").encode())
        pyarrow.csv.write_csv(table, file, options)


def _cell(value: float) -> str:
    """Return a number in the fewest digits that give it back, whole ones without a point; nothing for NaN."""
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _write_similarity(cohort: Cohort, values: Floats, pca: Path, correlations: Path) -> tuple[Floats, list[str]]:
    """Write components and correlations; return the shares of variance, and the samples as they cluster."""
    scores, shares = principal_components(values)
    header = ["sample_name", *(f"PC{number}" for number in range(1, len(shares) + 1))]
    write_table(header, zip(cohort.names, scores, strict=True), pca)
    shown = np.unique(np.linspace(0, len(cohort) - 1, LARGEST_CORRELATION).round().astype(int))
    names = [cohort.names[sample] for sample in shown.tolist()]
    found = correlation(values[shown])
    write_table(["sample_name", *names], zip(names, found, strict=True), correlations)
    return shares, [names[sample] for sample in clustered_order(found)]


def _support(path: Path | None) -> Floats | None:
    if path is None:
        return None
    share: Floats = pyarrow.parquet.read_table(path, columns=[SUPPORT])[SUPPORT].to_numpy()
    return share


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add_cohort_options(parser)
    add("--support", type=Path, help="table with the share of samples that support each region (.parquet)")
    add("--normalization", choices=METHODS, default="log2cpm", help="what makes samples comparable (%(default)s)")
    add("--library-size", choices=LIBRARY_SIZES, default="kept", help="what a library's size is (%(default)s)")
    add("--stats", type=Path, required=True, help="table of samples to write (.tsv)")
    add("--region-stats", type=Path, required=True, help="table of regions to write (.tsv.gz)")
    add("--pca", type=Path, required=True, help="principal components of the samples to write (.tsv)")
    add("--correlation", type=Path, required=True, help="correlations of the samples to write (.tsv)")
    add("--summary", type=Path, required=True, help="what these were computed from, and how, to write (.json)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: summarize the samples of a table."""
    args = _parser().parse_args(argv)
    cohort = read_cohort(args.samples, args.regions, args.coverage)
    descriptions = cohort.descriptions()
    cohort.check_counts(descriptions)
    sizes = library_sizes(descriptions, args.library_size)
    nothing = np.full(len(cohort), np.nan)
    ratios = size_factors(cohort)
    tmm = tmm_factors(cohort, sizes) if args.normalization == "tmm" else nothing
    regions, detected = region_statistics(cohort, sizes, _support(args.support))
    normalization = fit(args.normalization, cohort, sizes, ratios, tmm)
    values = most_variable(cohort, normalization, is_logarithmic(args.normalization))
    shares, order = _write_similarity(cohort, values, args.pca, args.correlation)
    write_regions(regions, args.region_stats)
    more = {"regions_detected": detected, "library_size": sizes, "size_factor": ratios, "tmm_factor": tmm}
    write_stats(cohort, descriptions, more, args.stats)
    summary = {
        "normalization": args.normalization,
        "library_size": args.library_size,
        "regions": len(cohort.regions),
        "regions_sha256": cohort.regions.sha256(),
        "counting": descriptions[0]["counting"],
        "most_variable_regions": values.shape[1],
        "explained_variance": shares.tolist(),
        "order": order,
    }
    with replacing(args.summary) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run(main))
