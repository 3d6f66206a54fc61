"""ENCODE's measures of the complexity of a library."""

from collections.abc import Collection, Mapping

import numpy as np

from divvy_coverage.arrays import Integers, add_padded
from divvy_coverage.quality.fractions import divide


def sum_copies(copies: Mapping[str, Integers], mitochondrial_contigs: Collection[str]) -> Integers:
    """Return how many fragments of all contigs but these occur 0 times, once, twice and so on."""
    total = np.zeros(3, np.int64)
    for contig, histogram in copies.items():
        if contig not in mitochondrial_contigs:
            total = add_padded(total, histogram)
    return total


def compute_complexity(copies: Integers | None) -> dict[str, float | None]:
    """Return ENCODE's measures of the complexity of a library, of how many fragments occur 0 times, once and so on.

    NRF is the distinct ones over all, PBC1 those that occur once over the distinct ones, and PBC2 those that occur once
    over those that occur twice (encodeproject.org/data-standards/terms); None where there is nothing to compute from.
    """
    if copies is None:
        return dict.fromkeys(("nrf", "pbc1", "pbc2"))
    once, twice = copies[1:3].tolist()
    every, distinct = int(np.dot(copies, np.arange(len(copies)))), int(copies.sum())
    pairs = {"nrf": (distinct, every), "pbc1": (once, distinct), "pbc2": (once, twice)}
    return {name: divide(above, below) for name, (above, below) in pairs.items()}
