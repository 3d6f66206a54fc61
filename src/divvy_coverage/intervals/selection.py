"""Which regions of a set are kept: those on contigs that were asked for, and outside of blacklists."""

import re
from collections.abc import Sequence

import numpy as np

from divvy_coverage.arrays import Booleans
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.overlaps import Overlaps
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
        kept &= ~find_overlapping(regions, blacklist)
    rows = np.flatnonzero(kept)
    if not rows.size:
        advice = "change contigs or blacklist" if blacklists else "change contigs"
        raise UserError(f"expected at least one region that is kept, found none of {len(regions)}; {advice}")
    if len(rows) == len(regions):
        return regions
    names = [regions.contigs[row] for row in rows.tolist()]
    return Regions(names, regions.starts[rows], regions.ends[rows], regions.duplicates)


def match_contigs(regions: Regions, contigs: str) -> Booleans:
    """Tell which regions are on a contig whose whole name matches; UserError for what is no regular expression."""
    expression = compile_contigs(contigs)
    matching = {name: bool(expression.fullmatch(name)) for name in dict.fromkeys(regions.contigs)}
    return np.array([matching[name] for name in regions.contigs], np.bool_)


def compile_contigs(contigs: str) -> re.Pattern[str]:
    """Return the regular expression for the names of contigs, "" for any; UserError for what is none."""
    try:
        return re.compile(contigs or ".*")
    except re.error as error:
        raise UserError(f"contigs: expected a regular expression, found {contigs!r}: {error}") from error


def find_overlapping(regions: Regions, others: Regions) -> Booleans:
    """Tell which regions share at least 1 bp with any of the others."""
    names = list(dict.fromkeys(regions.contigs))
    contigs, overlaps = np.array(others.contigs), Overlaps(regions, names)
    for number, name in enumerate(names):
        here = contigs == name
        overlaps.add(number, others.starts[here], others.ends[here])
    return overlaps.counts() > 0
