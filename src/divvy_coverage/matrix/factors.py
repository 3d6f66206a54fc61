"""Factors of samples that make their counts comparable, as DESeq2 and edgeR compute them.

Samples are read one at a time, several times over: memory does not depend on how many there are.
"""

import math
import statistics
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Counts, Floats, Integers
from divvy_coverage.matrix.cohort import Cohort

# the defaults of edgeR::calcNormFactors
TRIM_RATIOS = 0.3  # fraction of regions excluded at both ends of the log ratios
TRIM_MEANS = 0.05  # and of the mean log counts
NO_UPPER_QUARTILE = 1e-20  # of most samples: the reference is then chosen otherwise
DENSE = 16  # counting in a table of all pairs pays if it has at most as many entries for each pair that occurs
SAME_RATIOS = 1e-6  # log ratios all below it: as good as the reference


def compute_size_factors(cohort: Cohort) -> Floats:
    """Compute size factors: the median of the ratios of a sample's counts to their geometric means over samples.

    Only regions with counts in every sample have a geometric mean. The median is that of the logarithms. As
    DESeq2::estimateSizeFactorsForMatrix(counts) does (Anders and Huber 2010, doi:10.1186/gb-2010-11-10-r106,
    equation 5).

    Returns
    -------
    array
        One factor per sample; all NaN if no region has counts in every sample.
    """
    regions, means = _log_geometric_means(cohort)
    factors = np.full(len(cohort), np.nan)
    if regions.size:
        for sample in range(len(cohort)):
            factors[sample] = np.exp(np.median(np.log(cohort.counts(sample)[regions]) - means))
    return factors


def _log_geometric_means(cohort: Cohort) -> tuple[Integers, Floats]:
    """Return the regions with counts in every sample, and the means of the logarithms of their counts."""
    regions = np.arange(len(cohort.regions))
    sums = np.zeros(len(regions))
    for sample in range(len(cohort)):
        counts = cohort.counts(sample)[regions]
        has_counts = counts > 0
        regions, sums = regions[has_counts], sums[has_counts] + np.log(counts[has_counts])
        if not regions.size:
            break
    return regions, sums / len(cohort)


def compute_tmm_factors(cohort: Cohort, library_sizes: NDArray[Any]) -> Floats:
    """Compute the factors by which to multiply library sizes: trimmed means of M values.

    As edgeR::calcNormFactors(counts, library_sizes), with its defaults (Robinson and Oshlack 2010,
    doi:10.1186/gb-2010-11-3-r25). Samples with the library size 0, at which edgeR stops, are excluded and have the
    factor 1.

    Parameters
    ----------
    cohort
        The counts.
    library_sizes
        One per sample.

    Returns
    -------
    array
        One factor per sample; their product is 1.
    """
    factors = np.ones(len(cohort))
    sizes = np.asarray(library_sizes, np.float64)
    samples = np.flatnonzero(sizes > 0).tolist()
    without_counts = _regions_without_counts(cohort)
    if len(samples) < 2 or without_counts == len(cohort.regions):
        return factors
    reference = _reference(cohort, samples, sizes, without_counts)
    compared = np.flatnonzero(cohort.counts(reference))
    reference_counts = cohort.counts(reference)[compared]
    for sample in samples:
        pairs = _distinct_pairs(cohort.counts(sample)[compared], reference_counts)
        factors[sample] = _trimmed_mean(*pairs, sizes[sample], sizes[reference])
    factors[samples] /= np.exp(np.log(factors[samples]).mean())
    return factors


def _regions_without_counts(cohort: Cohort) -> int:
    """Return how many regions have no counts in any sample."""
    regions = np.arange(len(cohort.regions))
    for sample in range(len(cohort)):
        regions = regions[cohort.counts(sample)[regions] == 0]
        if not regions.size:
            break
    return len(regions)


def _reference(cohort: Cohort, samples: list[int], sizes: Floats, without_counts: int) -> int:
    """Return the sample that the others are compared with: its upper quartile (of counts by library size) is closest
    to their mean. If most are 0 it is the one with the largest sum of square roots.

    Sums are exact: rounding would choose among samples that are equally close.
    """
    quartiles = np.array([_upper_quartile(cohort.counts(sample), without_counts) for sample in samples])
    fractions = quartiles / sizes[samples]
    if np.median(fractions) >= NO_UPPER_QUARTILE:
        return samples[np.argmin(np.abs(fractions - statistics.mean(fractions.tolist())))]
    return samples[np.argmax([math.fsum(np.sqrt(cohort.counts(sample))) for sample in samples])]


def _upper_quartile(counts: Counts, without_counts: int) -> float:
    """Return the 75th percentile (R's type 7) of counts, without as many zeros as `without_counts`."""
    place = 0.75 * (len(counts) - without_counts - 1)
    first, last = without_counts + math.floor(place), without_counts + math.ceil(place)
    part = np.partition(counts, (first, last))
    weight = place % 1
    return float((1 - weight) * part[first] + weight * part[last])


def _distinct_pairs(counts: Counts, reference_counts: Counts) -> tuple[Integers, Integers, Integers]:
    """Return the pairs of a count above 0 and a count of the reference that occur, and how often each does.

    As most counts are small there are far fewer pairs than regions.
    """
    has_counts = counts > 0
    references = int(reference_counts.max(initial=0)) + 1
    pairs = counts[has_counts].astype(np.int64) * references + reference_counts[has_counts]
    if pairs.max(initial=0) < DENSE * len(pairs):
        occurrences = np.bincount(pairs)
        distinct = np.flatnonzero(occurrences)
        times = occurrences[distinct]
    else:
        distinct, times = np.unique(pairs, return_counts=True)
    return distinct // references, distinct % references, times


def _trimmed_mean(counts: Integers, references: Integers, times: Integers, size: float, reference_size: float) -> float:
    """Return the factor of a sample: 2 ** the weighted mean of the log ratios, without the extreme ones.

    As edgeR:::.calcFactorTMM, operation by operation: rounding decides which ratios tie, and so which are excluded.

    Parameters
    ----------
    counts, references, times : pairs of counts (of the sample and of the reference) and how many regions have each
    size, reference_size : library sizes
    """
    fraction, reference_fraction = counts / size, references / reference_size
    ratios = np.log2(fraction / reference_fraction)
    if not ratios.size or np.abs(ratios).max() < SAME_RATIOS:
        return 1.0
    means = (np.log2(fraction) + np.log2(reference_fraction)) / 2
    variances = (size - counts) / size / counts + (reference_size - references) / reference_size / references
    keep = _central(ratios, times, TRIM_RATIOS) & _central(means, times, TRIM_MEANS)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = times[keep] / variances[keep]
        mean = (weights * ratios[keep]).sum() / weights.sum()
    return 1.0 if np.isnan(mean) else float(2**mean)


def _central(values: Floats, times: Integers, trim: float) -> NDArray[np.bool_]:
    """Tell which values have a rank that is not among the fraction `trim` of the lowest, nor of the highest.

    Each value occurs several times; equal ones have the mean of their ranks.
    """
    distinct, place = np.unique(values, return_inverse=True)
    ranks = compute_mean_ranks(np.bincount(place, times, len(distinct)).astype(np.int64))[place]
    total = times.sum()
    lowest = math.floor(total * trim) + 1
    central: NDArray[np.bool_] = (ranks >= lowest) & (ranks <= total + 1 - lowest)
    return central


def compute_mean_ranks(times: NDArray[np.integer[Any]]) -> Floats:
    """Return the mean rank (from 1) of each of ascending values that occur `times`, as R's rank() has them."""
    return np.cumsum(times) - (times - 1) / 2
