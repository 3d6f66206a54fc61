"""How alike samples are: principal components, correlation, and an order in which similar samples are neighbors."""

import numpy as np

from divvy_coverage.arrays import Floats

COMPONENTS = 10


def compute_components(values: Floats, components: int = COMPONENTS) -> tuple[Floats, Floats]:
    """Compute the principal components of samples.

    They are those of the singular value decomposition, from the eigenvectors of the smaller of the two matrices of
    products (samples × samples or regions × regions). Signs are arbitrary, so the sample farthest from the center is
    put on the positive side of each component.

    Parameters
    ----------
    values
        Samples × regions; regions are centered, but not scaled to unit variance.
    components
        How many to return at most.

    Returns
    -------
    tuple of arrays
        Coordinates (samples × k), and the fraction of the variance that each component explains (k), without
        components that hold no variance.
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


def compute_correlation(values: Floats) -> Floats:
    """Compute the correlation of samples.

    Parameters
    ----------
    values
        Samples × regions.

    Returns
    -------
    array
        Pearson's r (samples × samples); NaN for a sample that does not vary, but 1 with itself.
    """
    centered = values - values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centered, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = centered / np.where(norms > 0, norms, np.nan)[:, None]
    found: Floats = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(found, 1.0)
    return found


def cluster_samples(correlations: Floats) -> list[int]:
    """Order samples so that similar ones are neighbors: the leaves of a tree made by average linkage of 1 − r.

    Parameters
    ----------
    correlations
        Samples × samples; undefined ones (NaN) are taken as 0.

    Returns
    -------
    list of int
        Numbers of the samples, each once.
    """
    if len(correlations) < 3:
        return list(range(len(correlations)))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    distances = 1 - np.nan_to_num(correlations)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    return [int(leaf) for leaf in leaves_list(tree)]
