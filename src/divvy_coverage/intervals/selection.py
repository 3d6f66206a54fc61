"""Which regions of a set are kept: those on contigs that were asked for, and outside of blacklists."""

import re
from collections.abc import Sequence

import numpy as np

from divvy_coverage.arrays import Booleans
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.overlaps import count_overlapping
from divvy_coverage.intervals.regions import Regions


def select_regions(regions: Regions, contigs: str, blacklists: Sequence[Regions]) -> Regions:
    """Return the regions that are kept, in their order.

    Parameters
    ----------
    regions
        The region set.
    contigs
        Regular expression that has to match the whole name of a region's contig; "" for any.
    blacklists
        Regions that share at least 1 bp with one of these are removed.

    Raises
    ------
    UserError
        For an expression that is none, and if no region is left.
    """
    kept = match_contigs(regions, contigs)
    for blacklist in blacklists:
        kept &= count_overlapping(regions, blacklist) == 0
    if not kept.any():
        advice = "change contigs or blacklist" if blacklists else "change contigs"
        raise UserError(f"expected at least one region that is kept, found none of {len(regions)}; {advice}")
    return regions.take(kept)


def match_contigs(regions: Regions, contigs: str) -> Booleans:
    """Tell which regions are on a contig whose whole name matches; UserError for what is no regular expression."""
    expression = compile_contigs(contigs)
    return np.array([expression.fullmatch(name) is not None for name in regions.contigs], np.bool_)[regions.codes]


def compile_contigs(contigs: str) -> re.Pattern[str]:
    """Return the regular expression for the names of contigs, "" for any; UserError for what is none."""
    try:
        return re.compile(contigs or ".*")
    except re.error as error:
        raise UserError(f"contigs: expected a regular expression, found {contigs!r}: {error}") from error
