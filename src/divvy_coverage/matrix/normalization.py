"""Normalization: values that can be compared between samples, of the counts of one sample at a time.

Each method has one definition, here and in the configuration's documentation. What a method needs to know of all
samples is found by `fit`; then any rows of any sample can be normalized on their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Counts, Floats
from divvy_coverage.errors import UserError, listing
from divvy_coverage.files import Row
from divvy_coverage.matrix.cohort import Cohort
from divvy_coverage.matrix.factors import compute_mean_ranks
from divvy_coverage.matrix.tables import NEEDED

Rows = slice | NDArray[np.intp]

DESCRIPTIONS = {
    "cpm": "counts per million: 10⁶ × counts / library size (edgeR::cpm)",
    "log2cpm": "log2(1 + counts per million), the latter being 10⁶ × counts / library size (edgeR::cpm)",
    "rpkm": "counts per kilobase and million: counts per million / (region length in bp / 1000) (edgeR::rpkm)",
    "median_of_ratios": "counts / size factor, the median of the ratios to the regions' geometric means "
    "(Anders and Huber 2010; DESeq2::estimateSizeFactors)",
    "tmm": "counts per million of the effective library size: 10⁶ × counts / (library size × TMM factor) "
    "(Robinson and Oshlack 2010; edgeR::calcNormFactors, edgeR::cpm)",
    "quantile": "the mean over samples of the counts of the same rank (Bolstad et al. 2003; limma::normalizeQuantiles)",
}
METHODS = tuple(DESCRIPTIONS)
DENSE = 16  # a table of all counts up to the largest pays if it has at most as many entries for each value looked up


class Normalization(Protocol):
    """Gives the normalized values of any regions of a sample."""

    def apply(self, sample: int, counts: Counts, rows: Rows) -> Floats:
        """Return the values (n) of the counts (n) of some rows of a sample: `counts` is cohort.counts(sample)[rows].

        Equal counts of a sample have equal values, with all methods but rpkm.
        """


def describe(method: str) -> str:
    """Say in a line what a method is, and where it is from."""
    return DESCRIPTIONS[method]


def is_logarithmic(method: str) -> bool:
    """Return whether the values are logarithms; of others log2(1 + value) is."""
    return method == "log2cpm"


def fit(
    method: str,
    cohort: Cohort,
    library_sizes: NDArray[Any],
    size_factors: NDArray[Any],
    tmm_factors: NDArray[Any],
) -> Normalization:
    """Find what a method needs to know of all samples. A sample with the library size 0 gets zeros.

    Parameters
    ----------
    method
        One of METHODS.
    cohort
        The counts.
    library_sizes
        One per sample.
    size_factors
        One per sample, of `compute_size_factors`; only median_of_ratios needs them.
    tmm_factors
        One per sample, of `compute_tmm_factors`; only tmm needs them.

    Raises
    ------
    UserError
        For an unknown method, or if size factors are needed and not defined.
    """
    match method:
        case "cpm":
            return Linear(_per_million(library_sizes))
        case "log2cpm":
            return Linear(_per_million(library_sizes), logarithmic=True)
        case "rpkm":
            kilobases = (cohort.regions.ends - cohort.regions.starts) / 1000
            return Linear(_per_million(library_sizes), kilobases=kilobases)
        case "median_of_ratios":
            _check_size_factors(cohort, size_factors)
            return Linear(1 / size_factors)
        case "tmm":
            return Linear(_per_million(library_sizes * tmm_factors))
        case "quantile":
            return _fit_quantiles(cohort, library_sizes)
    raise UserError(f"normalization: expected one of {', '.join(METHODS)}, found {method!r}")


def fit_to_statistics(method: str, cohort: Cohort, statistics: Sequence[Row]) -> Normalization:
    """Find what a method needs to know of all samples, as `fit`, in the rows of the table of statistics."""
    columns: list[Any] = [np.array([float(row[name] or "nan") for row in statistics]) for name in NEEDED]
    return fit(method, cohort, *columns)


@dataclass(frozen=True)
class Linear:
    """Counts times a factor."""

    scales: Floats  # (samples,)
    kilobases: Floats | None = None  # (regions,), to divide by
    logarithmic: bool = False  # whether to take log2(1 + value) at the end

    def apply(self, sample: int, counts: Counts, rows: Rows) -> Floats:
        """Return the values of some rows of a sample."""
        values: Floats = counts * self.scales[sample]
        if self.kilobases is not None:
            values /= self.kilobases[rows]
        if self.logarithmic:
            values += 1
            np.log2(values, out=values)
        return values


@dataclass(frozen=True)
class Lookup:
    """A value for each count that a sample has."""

    counts: Sequence[Counts]  # of each sample: the distinct ones, ascending
    values: Sequence[Floats]  # of each sample: what they become

    def apply(self, sample: int, counts: Counts, rows: Rows) -> Floats:
        """Return the values of some rows of a sample."""
        known, values = self.counts[sample], self.values[sample]
        if not len(counts) or known[-1] > DENSE * len(counts):
            return values[np.searchsorted(known, counts)]
        table = np.zeros(int(known[-1]) + 1)
        table[known] = values
        return table[counts]


def _per_million(library_sizes: NDArray[Any]) -> Floats:
    """Return by what to multiply counts; 0 for a sample whose library size is 0, which has none."""
    scales: Floats = np.divide(1e6, library_sizes, out=np.zeros(len(library_sizes)), where=library_sizes != 0)
    return scales


def _fit_quantiles(cohort: Cohort, library_sizes: NDArray[Any]) -> Lookup:
    """Give each count of a sample the value at its mean rank among the means of the sorted counts of all samples."""
    totals = np.zeros(len(cohort.regions))
    counts: list[Counts] = []
    times: list[NDArray[np.int32]] = []
    for sample in range(len(cohort)):
        distinct, occurrences = np.unique(cohort.counts(sample), return_counts=True)
        counts.append(distinct)
        times.append(occurrences.astype(np.int32))
        totals += np.repeat(distinct, occurrences)
    means = totals / max(1, int(np.count_nonzero(library_sizes)))  # samples without a library have added nothing
    positions = np.arange(1, len(means) + 1)
    values = [
        np.interp(compute_mean_ranks(occurrences), positions, means) if size > 0 else np.zeros(len(occurrences))
        for occurrences, size in zip(times, library_sizes, strict=True)
    ]
    return Lookup(counts, values)


def _check_size_factors(cohort: Cohort, size_factors: NDArray[Any]) -> None:
    if not np.isnan(size_factors).any():
        return
    empty = [name for sample, name in enumerate(cohort.names) if not cohort.counts(sample).any()]
    others = ", ".join(method for method in METHODS if method != "median_of_ratios")
    raise UserError(
        "normalization median_of_ratios: expected regions with counts in all samples, found none"
        + (f"; samples without any counts: {len(empty)}{listing(empty, 5)}\nexclude them, or" if empty else ";")
        + f" choose another normalization: {others}"
    )
