"""Whether regions fit the contigs of an alignment file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import LARGEST_COORDINATE, UNKNOWN_LENGTH
from divvy_coverage.intervals.regions import Regions

ABSENT_CONTIGS = ("error", "zero")  # what to do about regions on contigs that a header lacks


class Misfit(NamedTuple):
    """Why regions do not fit contigs, and of what to warn; each "" if there is nothing to say."""

    error: str
    warning: str


def sort_by_contig(names: Sequence[str], contigs: Sequence[str], *keys: Integers) -> tuple[Integers, Integers]:
    """Return the order of n things by contig and then by keys (n each), and where each contig begins in it.

    Contigs are numbered by their place in `contigs`: the things on number c are order[first[c]] to order[first[c + 1]],
    and those on others are left out (int64, at most n and len(contigs) + 1).
    """
    numbers = {name: number for number, name in enumerate(contigs)}
    contig = np.array([numbers.get(name, -1) for name in names], np.int64)
    order = np.lexsort((*reversed(keys), contig))
    order = order[contig[order] >= 0]
    return order, np.searchsorted(contig[order], np.arange(len(contigs) + 1)).astype(np.int64)


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
    absent = [contig for contig in dict.fromkeys(regions.contigs) if contig not in lengths]
    if absent and absent_contigs == "error" and have_lengths(lengths):
        error = (
            f"its header lacks {len(absent)} of the region set's contigs: {', '.join(absent[:10])}"
            f"{_suggest_names(absent, lengths)}; give regions of the same genome, or set absent_contigs to zero"
        )
        return Misfit(error, "")
    length = get_lengths(regions.contigs, lengths)

    def name(i: int) -> str:
        return f"{regions.contigs[i]}:{regions.starts[i]}-{regions.ends[i]}"

    if error := explain_outside(regions.contigs, regions.starts, length, name):
        return Misfit(error, "")
    beyond = int(np.count_nonzero(regions.ends > length))
    warning = f"{beyond} regions end beyond the end of their contig; they are counted as they are" if beyond else ""
    return Misfit("", warning)


def get_lengths(contigs: Sequence[str], lengths: Mapping[str, int]) -> Integers:
    """Return the length (bp) of each of some contigs; what is not in `lengths` is taken for long enough."""
    return np.array([lengths.get(contig, LARGEST_COORDINATE) for contig in contigs], np.int64)


def explain_outside(
    contigs: Sequence[str],
    starts: Integers,
    length: Integers,
    name: Callable[[int], str],
    whose: str = "regions",
    verb: str = "start",
) -> str:
    """Say what starts beyond the end of its contig; "" if nothing does.

    Parameters
    ----------
    contigs, starts, length
        Of n regions, or other things on contigs: the contig, the start (bp), and how long the contig is (bp).
    name
        Returns what messages call the one at a place.
    whose, verb
        What they are, and what they do there.
    """
    outside = np.flatnonzero(starts >= length)
    if not outside.size:
        return ""
    found = [f"{name(i)}, but {contigs[i]} has {length[i]} bp" for i in outside[:5].tolist()]
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
    names = list(dict.fromkeys(contigs))
    return (
        f"none of the contigs of the {whose} ({', '.join(names[:10])}) is in the header, so {effect}"
        f"{_suggest_names(names, lengths, whose)}; give a file of the same genome"
    )


def have_lengths(lengths: Mapping[str, int]) -> bool:
    """Tell whether contigs are those of a header, which says how long they are."""
    return any(length != UNKNOWN_LENGTH for length in lengths.values()) or not lengths


def find_furthest(regions: Regions) -> dict[str, tuple[int, int]]:
    """Return the largest start and the largest end (bp) on each contig: all that `are_within` needs to know."""
    numbers = {contig: number for number, contig in enumerate(dict.fromkeys(regions.contigs))}
    contig = np.array([numbers[name] for name in regions.contigs], np.int64)
    largest = np.zeros((2, len(numbers)), np.int64)
    for row, values in zip(largest, (regions.starts, regions.ends), strict=True):
        np.maximum.at(row, contig, values)
    return dict(zip(numbers, zip(*largest.tolist(), strict=True), strict=True))


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
