"""Whether regions fit the contigs of an alignment file."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from divvy_coverage.arrays import Codes, Coordinates, Integers
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import LARGEST_COORDINATE, UNKNOWN_LENGTH
from divvy_coverage.intervals.regions import Regions

ABSENT_CONTIGS = ("error", "zero")  # what to do about regions on contigs that a header lacks


class Misfit(NamedTuple):
    """Why regions do not fit contigs, and of what to warn; each "" if there is nothing to say."""

    error: str
    warning: str


def check_contigs(regions: Regions, lengths: Mapping[str, int], source: Path, absent_contigs: str) -> str:
    """Check that regions fit the genome of an alignment file.

    Parameters
    ----------
    regions
        The region set.
    lengths
        Contig lengths (bp) of the header of `source`, by name.
    source
        The alignment file, for messages.
    absent_contigs
        "error", or "zero" to allow regions on contigs that the header lacks.

    Returns
    -------
    str
        A warning of regions that end beyond the end of their contig; "" if there are none.

    Raises
    ------
    UserError
        For absent contigs, and for regions that start beyond the end of their contig (another genome build).
    """
    misfit = find_misfit(regions, lengths, absent_contigs)
    if misfit.error:
        raise UserError(f"{source}: {misfit.error}")
    return misfit.warning and f"{source}: {misfit.warning}"


def find_misfit(regions: Regions, lengths: Mapping[str, int], absent_contigs: str) -> Misfit:
    """Say why regions do not fit contigs of these lengths (bp), without the name of a file; see `check_contigs`.

    A file without a header names only the contigs that it has something on, so there it lacks none.
    """
    absent = [contig for contig in regions.contigs if contig not in lengths]
    if absent and absent_contigs == "error" and have_lengths(lengths):
        error = (
            f"its header lacks {len(absent)} of the region set's contigs: {', '.join(absent[:10])}"
            f"{_suggest_names(absent, lengths)}; give regions of the same genome, or set absent_contigs to zero"
        )
        return Misfit(error, "")
    length = get_lengths(regions.contigs, lengths)[regions.codes]
    if error := explain_outside(regions.contigs, regions.codes, regions.starts, length, ends=regions.ends):
        return Misfit(error, "")
    beyond = int(np.count_nonzero(regions.ends > length))
    warning = f"{beyond} regions end beyond the end of their contig; they are counted as they are" if beyond else ""
    return Misfit("", warning)


def get_lengths(contigs: Sequence[str], lengths: Mapping[str, int]) -> Integers:
    """Return the length (bp) of each of some contigs; what is not in `lengths` is taken for long enough."""
    return np.array([lengths.get(contig, LARGEST_COORDINATE) for contig in contigs], np.int64)


def explain_outside(
    contigs: Sequence[str],
    codes: Codes,
    starts: Coordinates,
    length: Integers,
    whose: str = "regions",
    verb: str = "start",
    ends: Coordinates | None = None,
) -> str:
    """Say what starts beyond the end of its contig; "" if nothing does.

    Parameters
    ----------
    contigs
        Names of contigs (k).
    codes, starts, length
        Of n regions, or other things on contigs: the place of the contig in `contigs`, the start (bp), and how long the
        contig is (bp).
    whose, verb
        What they are, and what they do there.
    ends
        The ends (bp, n), if they have some.
    """
    outside = np.flatnonzero(starts >= length)
    if not outside.size:
        return ""
    found = []
    for i in outside[:5].tolist():
        contig, end = contigs[codes[i]], "" if ends is None else f"-{ends[i]}"
        found.append(f"{contig}:{starts[i]}{end}, but {contig} has {length[i]} bp")
    return (
        f"{outside.size} {whose} {verb} beyond the end of their contig: {'; '.join(found)}; the {whose} seem to be of "
        f"another genome build than the alignments; give {whose} of the same build"
    )


def find_no_contig(
    contigs: Collection[str],
    lengths: Mapping[str, int],
    whose: str = "regions",
    effect: str = "all counts would be 0",
) -> str:
    """Say that not one of a region set's contigs is among those of a sample (bp), so that all counts would be 0.

    "" if there is one; that regions on others count 0 is what `absent_contigs` allows. `whose` and `effect` are for
    what is no region set.
    """
    if not lengths.keys().isdisjoint(contigs):
        return ""
    names = list(contigs)
    return (
        f"none of the contigs of the {whose} ({', '.join(names[:10])}) is in the header, so {effect}"
        f"{_suggest_names(names, lengths, whose)}; give a file of the same genome"
    )


def have_lengths(lengths: Mapping[str, int]) -> bool:
    """Tell whether contigs are those of a header, which says how long they are."""
    return any(length != UNKNOWN_LENGTH for length in lengths.values()) or not lengths


def find_furthest(regions: Regions) -> dict[str, tuple[int, int]]:
    """Return the largest start and the largest end (bp) on each contig: all that `are_within` needs to know."""
    largest = np.zeros((2, len(regions.contigs)), np.int64)
    for row, values in zip(largest, (regions.starts, regions.ends), strict=True):
        np.maximum.at(row, regions.codes, values)
    return dict(zip(regions.contigs, zip(*largest.tolist(), strict=True), strict=True))


def are_within(furthest: Mapping[str, tuple[int, int]], lengths: Mapping[str, int], absent_contigs: str) -> bool:
    """Tell whether `find_misfit` has nothing to say of regions; `furthest` is what `find_furthest` returns of them."""
    for contig, (start, end) in furthest.items():
        length = lengths.get(contig)
        if length is None:
            if absent_contigs == "error" and have_lengths(lengths):
                return False
        elif start >= length or end > length:
            return False
    return True


def _suggest_names(absent: Sequence[str], lengths: Mapping[str, int], whose: str = "regions") -> str:
    if any(f"chr{contig}" in lengths for contig in absent):
        return f" (it has chr{absent[0]} and so on: the {whose} lack the prefix 'chr')"
    if any(contig.removeprefix("chr") in lengths for contig in absent):
        return f" (it has {absent[0].removeprefix('chr')} and so on: the alignments lack the prefix 'chr')"
    return f" (it has {', '.join(list(lengths)[:5])} …)" if lengths else " (it names no contig)"
