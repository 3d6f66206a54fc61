"""How alike the samples of a cohort are: their components, their correlation, and their order by similarity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Floats
from divvy_coverage.matrix.cohort import Cohort, Findings
from divvy_coverage.matrix.normalization import Normalization, is_logarithmic
from divvy_coverage.matrix.similarity import cluster_samples, compute_components, compute_correlation
from divvy_coverage.matrix.summaries import Moments

MOST_VARIABLE = 2000  # regions that components and correlations are computed from
LARGEST_CORRELATION = 1000  # samples


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


def compare_cohort(cohort: Cohort, normalization: Normalization, method: str) -> Similarity:
    """Compare the samples of a cohort by their normalized counts in the regions that vary most."""
    return compare_samples(cohort.names, select_most_variable(cohort, normalization, is_logarithmic(method)))


def describe_comparison(similarity: Similarity, findings: Findings, method: str, library_size: str) -> dict[str, Any]:
    """Return what samples were compared by, and how they are ordered, as JSON has it.

    `findings` are those of any sample: regions and counting are the same in all.
    """
    evidence = findings.evidence
    return {
        "normalization": method,
        "library_size": library_size,
        "regions": evidence.regions,
        "regions_sha256": evidence.sha256,
        "counting": dict(findings.counting),
        "most_variable_regions": min(MOST_VARIABLE, evidence.regions),
        "explained_variance": similarity.explained.tolist(),
        "order": similarity.order,
    }
