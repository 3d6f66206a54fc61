"""What is to be known of each sample and of each region of a cohort."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from divvy_coverage.arrays import Floats, Integers
from divvy_coverage.intervals.regions import ROW_NAMES, SUPPORT
from divvy_coverage.matrix.cohort import Cohort, Findings
from divvy_coverage.matrix.factors import compute_size_factors, compute_tmm_factors

LIBRARY_SIZES = ("usable", "regions")


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


def get_library_sizes(findings: Sequence[Findings], kind: str) -> Floats:
    """Return the library size of each sample.

    "usable": all that is counted, in regions or not (fragments, insertions or reads, by the unit); "regions": the sum
    of the sample's counts.
    """
    if kind == "regions":
        return np.array([each.evidence.sum for each in findings], np.float64)
    return np.array([each.statistics["usable"] for each in findings], np.float64)


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
    contigs = pa.DictionaryArray.from_arrays(regions.codes, regions.contigs).cast(pa.string())
    names = {ROW_NAMES: regions.names(), "chrom": contigs, "start": regions.starts, "end": regions.ends}
    values = {name: pa.array(column, from_pandas=True) for name, column in columns.items()}
    values[SUPPORT] = pa.nulls(len(regions), pa.float64()) if support is None else pa.array(support)
    return pa.table(names | values), detected


def summarize_samples(cohort: Cohort, sizes: Floats, detected: Integers) -> dict[str, NDArray[Any]]:
    """Return what is known of samples within their cohort, by column: regions detected, library size, and factors."""
    return {
        "regions_detected": detected,
        "library_size": sizes,
        "size_factor": compute_size_factors(cohort),
        "tmm_factor": compute_tmm_factors(cohort, sizes),
    }


def summarize_cohort(
    cohort: Cohort, findings: Sequence[Findings], support: Floats | None, library_size: str
) -> tuple[dict[str, NDArray[Any]], pa.Table]:
    """Summarize the samples and regions of a cohort, whatever normalization is chosen.

    Parameters
    ----------
    findings
        Of all samples, as `Cohort.read_findings` gives them.
    support
        The fraction of samples that support each region (regions); None for regions that were given.
    library_size
        One of LIBRARY_SIZES.

    Returns
    -------
    samples
        Further statistics of the samples, by column.
    regions
        A table with one row per region.
    """
    sizes = get_library_sizes(findings, library_size)
    regions, detected = summarize_regions(cohort, sizes, support)
    return summarize_samples(cohort, sizes, detected), regions
