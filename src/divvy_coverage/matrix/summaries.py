"""What is to be known of each sample and of each region, and how alike samples are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from divvy_coverage.arrays import Floats, Integers
from divvy_coverage.counting.sample_files import Description
from divvy_coverage.intervals.regions import ROW_NAMES, SUPPORT
from divvy_coverage.matrix.cohort import Cohort
from divvy_coverage.matrix.factors import compute_size_factors, compute_tmm_factors
from divvy_coverage.matrix.normalization import Normalization, fit, is_logarithmic
from divvy_coverage.matrix.similarity import cluster_samples, compute_components, compute_correlation

LIBRARY_SIZES = ("kept", "regions")
MOST_VARIABLE = 2000  # regions that components and correlations are computed from
LARGEST_CORRELATION = 1000  # samples


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


def get_library_sizes(descriptions: Sequence[Description], kind: str) -> Floats:
    """Return the library size of each sample.

    "kept": everything counted, in regions or not (kept alignments, or in other modes fragments or insertions);
    "regions": the sum of the sample's counts.
    """
    if kind == "regions":
        return np.array([d["counts"]["sum"] for d in descriptions], np.float64)
    return np.array([d["statistics"]["counted"] for d in descriptions], np.float64)


def summarize_regions(cohort: Cohort, sizes: Floats, support: Floats | None) -> tuple[pa.Table, Integers]:
    """Return a table with one row per region, and in how many regions each sample has counts.

    Counts are scaled to the mean library size, so that mean and variance (n − 1) are of counts as they would be had all
    samples the same library size; `dispersion` = (variance − mean) / mean² is the negative binomial's, by moments.
    """
    scale = np.divide(sizes.mean(), sizes, out=np.zeros_like(sizes), where=sizes > 0)
    moments, detected = Moments(len(cohort.regions)), np.zeros(len(cohort), np.int64)
    samples_with_counts = np.zeros(len(cohort.regions), np.int64)
    for sample in range(len(cohort)):
        counts = cohort.counts(sample)
        moments.add(counts * scale[sample])
        there = counts > 0
        samples_with_counts += there
        detected[sample] = np.count_nonzero(there)
    variance = moments.variance()
    with np.errstate(invalid="ignore", divide="ignore"):
        dispersion = np.where(moments.mean > 0, (variance - moments.mean) / moments.mean**2, np.nan)
    detection_rate = samples_with_counts / len(cohort)
    columns = {"mean": moments.mean, "variance": variance, "dispersion": dispersion, "detection_rate": detection_rate}
    regions = cohort.regions
    names = {ROW_NAMES: regions.names(), "chrom": regions.contigs, "start": regions.starts, "end": regions.ends}
    values = {name: pa.array(column, from_pandas=True) for name, column in columns.items()}
    values[SUPPORT] = pa.nulls(len(regions), pa.float64()) if support is None else pa.array(support)
    return pa.table(names | values), detected


def select_most_variable(cohort: Cohort, normalization: Normalization, logarithmic: bool) -> Floats:
    """Return log2 of the normalized counts (samples, regions) of the regions whose variance is largest, at most
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


@dataclass(frozen=True)
class Similarity:
    """How alike samples are: by components, and by correlation, which is of at most LARGEST_CORRELATION of them.

    Attributes
    ----------
    scores, explained
        Coordinates of the samples on their principal components (samples × components), and the fraction of the
        variance that each explains.
    names, correlation
        Samples, and Pearson's correlation of each two.
    order
        The same samples as they cluster.
    """

    scores: Floats
    explained: Floats
    names: list[str]
    correlation: Floats
    order: list[str]


def compare_samples(names: Sequence[str], values: Floats) -> Similarity:
    """Compare samples by their values (samples, regions)."""
    scores, explained = compute_components(values)
    shown = np.unique(np.linspace(0, len(names) - 1, LARGEST_CORRELATION).round().astype(int)).tolist()
    chosen = [names[sample] for sample in shown]
    correlations = compute_correlation(values[shown])
    order = [chosen[sample] for sample in cluster_samples(correlations)]
    return Similarity(scores, explained, chosen, correlations, order)


@dataclass(frozen=True)
class Summary:
    """The summary of a cohort: its regions (a table), further statistics of its samples by column, and similarity."""

    regions: pa.Table
    statistics: dict[str, NDArray[Any]]
    similarity: Similarity
    about: dict[str, Any]  # what it was computed from, and how


def summarize_cohort(
    cohort: Cohort, descriptions: Sequence[Description], support: Floats | None, method: str, library_size: str
) -> Summary:
    """Summarize the samples and regions of a cohort.

    Parameters
    ----------
    descriptions
        Of all samples, as `Cohort.read_descriptions` gives them.
    support
        The fraction of samples that support each region (regions); None for regions that were given.
    method
        The normalization that makes samples comparable.
    library_size
        One of LIBRARY_SIZES.

    Raises
    ------
    UserError
        If the normalization needs size factors and they are not defined.
    """
    sizes = get_library_sizes(descriptions, library_size)
    ratios = compute_size_factors(cohort)
    tmm = compute_tmm_factors(cohort, sizes) if method == "tmm" else np.full(len(cohort), np.nan)
    regions, detected = summarize_regions(cohort, sizes, support)
    values = select_most_variable(cohort, fit(method, cohort, sizes, ratios, tmm), is_logarithmic(method))
    similarity = compare_samples(cohort.names, values)
    about = {
        "normalization": method,
        "library_size": library_size,
        "regions": len(cohort.regions),
        "regions_sha256": descriptions[0]["regions"]["sha256"],
        "counting": descriptions[0]["counting"],
        "most_variable_regions": values.shape[1],
        "explained_variance": similarity.explained.tolist(),
        "order": similarity.order,
    }
    statistics = {"regions_detected": detected, "library_size": sizes, "size_factor": ratios, "tmm_factor": tmm}
    return Summary(regions, statistics, similarity, about)
