"""Contigs by number: the code of a region or a start site is the place of its contig in a list of names."""

from collections.abc import Sequence

import numpy as np

from divvy_coverage.arrays import Codes, Coordinates, Integers


def encode(names: Sequence[str]) -> tuple[list[str], Codes]:
    """Return the contigs that n names name, in the order of their first use, and the codes (int32, n)."""
    contigs = list(dict.fromkeys(names))
    places = {contig: place for place, contig in enumerate(contigs)}
    return contigs, np.fromiter(map(places.__getitem__, names), np.int32, len(names))


def recode(contigs: Sequence[str], codes: Codes, others: Sequence[str]) -> Codes:
    """Return codes that are places in `others` instead of `contigs` (int32, n), -1 for a contig that is not there."""
    places = {contig: place for place, contig in enumerate(others)}
    return np.array([places.get(contig, -1) for contig in contigs], np.int32)[codes]


def keep_used(contigs: Sequence[str], codes: Codes) -> tuple[list[str], Codes]:
    """Return the contigs that n codes use, in the order of their first use, and the codes for these (int32, n)."""
    used, first = np.unique(codes, return_index=True)
    kept = [contigs[code] for code in used[np.argsort(first)].tolist()]
    return kept, recode(contigs, codes, kept)


def put_on_line(codes: Codes, positions: Coordinates) -> Integers:
    """Return positions on one line, on which contigs follow each other with gaps (int64, n)."""
    return codes.astype(np.int64) << 32 | positions


def take_off_line(line: Integers) -> tuple[Codes, Coordinates]:
    """Return the codes and positions that were put on a line (int32, n each)."""
    return (line >> 32).astype(np.int32), line.astype(np.int32)


def sort_by_contig(
    contigs: Sequence[str], codes: Codes, others: Sequence[str], *keys: Coordinates
) -> tuple[Integers, Integers]:
    """Return the order of n things by contig and then by keys (n each), and where each contig begins in it.

    Contigs are numbered by their place in `others`: the things on number c are order[first[c]] to order[first[c + 1]],
    and those on contigs that are not there are left out (int64, at most n and len(others) + 1).
    """
    places = recode(contigs, codes, others)
    order = np.lexsort((*reversed(keys), places))
    order = order[places[order] >= 0]
    return order, np.searchsorted(places[order], np.arange(len(others) + 1)).astype(np.int64)
