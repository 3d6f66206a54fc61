"""The curves of samples: distributions of fragment lengths and mapping qualities, and insertions around start sites.

Histograms are read one sample at a time, and kept in bins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from divvy_coverage.arrays import Floats
from divvy_coverage.counting.compiled.constants import TSS_FLANK
from divvy_coverage.counting.evidence import read_evidence
from divvy_coverage.counting.tally import QUALITIES, Tally
from divvy_coverage.quality.start_sites import compute_background

FRAGMENT_BIN, LONGEST = 5, 1000  # bp
TSS_BIN = 10  # bp


@dataclass(frozen=True)
class Curves:
    """One curve per sample: `values` (samples × places) at `places`; rows of NaN for samples without one."""

    places: Floats
    values: Floats


def read_curves(paths: Sequence[Path]) -> dict[str, Curves]:
    """Read the curves of each sample from its evidence.

    Parameters
    ----------
    paths
        The evidence, one file per sample.

    Returns
    -------
    dict[str, Curves]
        Those that at least one sample has. `fragments`: percent of the fragments per bp of length. `mapping_quality`:
        fraction of the primary alignments with at least this mapping quality. `tss`: insertions by distance (bp) from
        start sites, over their mean at both ends of the profile.

    Raises
    ------
    UserError
        For a file that is not the evidence of a sample.
    """
    places: dict[str, Floats] = {
        "fragments": _compute_centers(0, LONGEST, FRAGMENT_BIN),
        "mapping_quality": np.arange(QUALITIES, dtype=np.float64),
        "tss": _compute_centers(-TSS_FLANK, TSS_FLANK, TSS_BIN),
    }
    makers: dict[str, Callable[[Tally], Floats | None]] = {
        "fragments": compute_fragment_curve,
        "mapping_quality": compute_quality_curve,
        "tss": compute_tss_curve,
    }
    values = {kind: np.full((len(paths), len(x)), np.nan) for kind, x in places.items()}
    for row, path in enumerate(paths):
        tally = read_evidence(path).tally
        for kind, make in makers.items():
            if (curve := make(tally)) is not None:
                values[kind][row] = curve
    curves = {kind: Curves(x, values[kind]) for kind, x in places.items() if not np.isnan(values[kind]).all()}
    if "mapping_quality" in curves:
        curves["mapping_quality"] = _drop_unused_qualities(curves["mapping_quality"])
    return curves


def compute_fragment_curve(tally: Tally) -> Floats | None:
    """Return the percent of the fragments per bp of length, in bins of FRAGMENT_BIN; None without fragments."""
    counts = tally.fragment_lengths
    if not counts.sum():
        return None
    fractions: Floats = counts[:LONGEST].reshape(-1, FRAGMENT_BIN).sum(axis=1) / counts.sum()
    return 100 / FRAGMENT_BIN * fractions


def compute_quality_curve(tally: Tally) -> Floats | None:
    """Return the fraction of the primary alignments with at least a mapping quality of 0 … 255; None without any."""
    at_least: Floats = tally.mapping_quality[::-1].astype(np.float64).cumsum()[::-1]
    fractions: Floats = at_least / max(1.0, at_least[0])
    return fractions if at_least[0] else None


def compute_tss_curve(tally: Tally) -> Floats | None:
    """Return insertions around start sites, in bins of TSS_BIN, over their mean in EDGE bp at both ends.

    None without a profile, or if there are no insertions at its ends.
    """
    if tally.tss_profile is None:
        return None
    background = compute_background(tally.tss_profile)
    binned: Floats = tally.tss_profile[:-1].reshape(-1, TSS_BIN).mean(axis=1)
    return binned / background if background else None


def _compute_centers(first: int, end: int, size: int) -> Floats:
    """Return the centers of bins."""
    return np.arange(first, end, size).astype(np.float64) + size / 2


def _drop_unused_qualities(curves: Curves) -> Curves:
    """Drop the mapping qualities above the highest that an alignment has."""
    used = int(np.flatnonzero(np.nanmax(curves.values, axis=0) > 0)[-1]) + 1
    return Curves(curves.places[:used], curves.values[:, :used])
