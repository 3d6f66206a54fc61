"""Enrichment of insertions at transcription start sites."""

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled.constants import TSS_FLANK
from divvy_coverage.quality.fractions import divide

EDGE = 100  # bp at both ends of the profile around start sites that are taken for the background
CENTER = 50  # bp on both sides of a start site that are taken for the signal


def compute_enrichment(profile: Integers | None) -> float | None:
    """Return the mean of a profile within CENTER bp of the start site, over its mean in EDGE bp at both ends.

    None without a profile, or if there is nothing at its ends. `profile` is from -TSS_FLANK to TSS_FLANK bp.
    """
    if profile is None:
        return None
    center = profile[TSS_FLANK - CENTER : TSS_FLANK + CENTER + 1].mean()
    return divide(float(center), compute_background(profile))


def compute_background(profile: Integers) -> float:
    """Return the mean of a profile in EDGE bp at both ends."""
    return float(np.concatenate([profile[:EDGE], profile[-EDGE:]]).mean())
