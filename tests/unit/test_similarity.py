"""Principal components, correlations and clustering of samples."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.matrix.similarity import cluster_samples, compute_components, compute_correlation
from helpers import in_r

RNG = np.random.default_rng(7)
SHAPES = [(8, 949), (40, 12), (2, 5), (12, 12)]


def values(samples: int, regions: int) -> np.ndarray:
    return np.log2(1 + RNG.poisson(RNG.lognormal(1, 1, regions), (samples, regions)))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_components_are_those_of_prcomp(tmp_path: Path, shape: tuple[int, int]) -> None:
    table = values(*shape)
    table.astype("<f8").tofile(tmp_path / "in.bin")
    in_r(
        f"""x <- matrix(readBin("in.bin", "double", {table.size}), nrow = {shape[0]}, byrow = TRUE)
        p <- prcomp(x)
        k <- min(10, ncol(p$x))
        writeBin(c(as.vector(p$x[, 1:k]), (p$sdev^2 / sum(p$sdev^2))[1:k]), "out.bin")""",
        tmp_path,
    )
    found = np.fromfile(tmp_path / "out.bin")
    theirs, their_fractions = found[: -len(found) // (shape[0] + 1)], found[-len(found) // (shape[0] + 1) :]
    scores, fractions = compute_components(table)
    k = scores.shape[1]
    theirs = theirs.reshape(-1, shape[0]).T[:, :k]
    assert k == min(10, shape[0] - 1, shape[1])
    np.testing.assert_allclose(fractions, their_fractions[:k], rtol=1e-9)
    np.testing.assert_allclose(np.abs(scores), np.abs(theirs), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.abs(np.corrcoef(scores.T, theirs.T)[range(k), range(k, 2 * k)]), 1, rtol=1e-9)


def test_the_sample_farthest_from_the_center_is_on_the_positive_side() -> None:
    for table in (values(8, 100), -values(8, 100), values(100, 8)):
        scores, _ = compute_components(table)
        assert (scores.max(axis=0) == np.abs(scores).max(axis=0)).all()


def test_samples_that_do_not_differ_have_no_components() -> None:
    for table in (np.ones((4, 9)), np.zeros((1, 5)), np.ones((9, 4))):
        scores, fractions = compute_components(table)
        assert scores.shape == (len(table), 0)
        assert fractions.shape == (0,)


def test_correlation_is_pearsons() -> None:
    table = values(20, 300)
    np.testing.assert_allclose(compute_correlation(table), np.corrcoef(table), rtol=1e-12)
    assert np.abs(compute_correlation(np.repeat(table, 2, axis=0))).max() <= 1


def test_a_sample_without_variance_has_no_correlation_and_harms_no_other() -> None:
    table = values(4, 30)
    table[2] = 5
    found = compute_correlation(table)
    assert np.isnan(found[2]).tolist() == [True, True, False, True]
    others = [0, 1, 3]
    np.testing.assert_allclose(found[np.ix_(others, others)], np.corrcoef(table[others]), rtol=1e-12)
    assert sorted(cluster_samples(found)) == [0, 1, 2, 3]


def test_similar_samples_become_neighbors() -> None:
    centers = RNG.normal(size=(3, 50))
    table = np.concatenate([centers + RNG.normal(size=(3, 50)) / 5 for _ in range(4)])
    order = cluster_samples(compute_correlation(table))
    assert sorted(order) == list(range(12))
    groups = [sample % 3 for sample in order]
    assert sum(a != b for a, b in pairwise(groups)) == 2


@pytest.mark.parametrize("samples", [1, 2])
def test_few_samples_keep_their_order(samples: int) -> None:
    assert cluster_samples(compute_correlation(values(samples, 9))) == list(range(samples))
