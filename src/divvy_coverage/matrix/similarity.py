"""How alike samples are: principal components, correlation, and an order in which similar samples are neighbors."""

import numpy as np

from divvy_coverage.arrays import Floats

COMPONENTS = 10


def principal_components(values: Floats, components: int = COMPONENTS) -> tuple[Floats, Floats]:
    """Return the coordinates of samples on their principal components, and the fraction of the variance of each.

    Parameters
    ----------
    values : (samples, regions); regions are centered, and not scaled to unit variance

    Returns coordinates (samples, k) and fractions (k), k ≤ `components`, without components that hold no variance. A
    sign is free, so the sample farthest from the center is on the positive side of each component.

    The components are those of the singular value decomposition, from the eigenvectors of the smaller of the two
    matrices of products (samples × samples or regions × regions).
    """
    centered = values - values.mean(axis=0)
    few_samples = centered.shape[0] <= centered.shape[1]
    variances, vectors = np.linalg.eigh(centered @ centered.T if few_samples else centered.T @ centered)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    total = max(float(variances.sum()), np.finfo(np.float64).tiny)
    k = min(components, int(np.count_nonzero(variances > 1e-12 * total)))
    scores = vectors[:, :k] * np.sqrt(variances[:k]) if few_samples else centered @ vectors[:, :k]
    farthest = np.abs(scores).argmax(axis=0)
    return scores * np.where(scores[farthest, np.arange(k)] < 0, -1.0, 1.0), variances[:k] / total


def correlation(values: Floats) -> Floats:
    """Return Pearson's correlation (samples, samples) of samples over regions; NaN where a sample does not vary.

    `values`: (samples, regions).
    """
    centered = values - values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centered, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = centered / np.where(norms > 0, norms, np.nan)[:, None]
    found: Floats = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(found, 1.0)
    return found


def clustered_order(correlations: Floats) -> list[int]:
    """Return the order of samples as leaves of a tree: average linkage of 1 − r, undefined correlations taken for 0."""
    if len(correlations) < 3:
        return list(range(len(correlations)))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    distances = 1 - np.nan_to_num(correlations)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    return [int(leaf) for leaf in leaves_list(tree)]
