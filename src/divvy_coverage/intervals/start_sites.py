"""Transcription start sites: where they are, and in which direction transcription runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Codes, Coordinates, Integers
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import parse_interval, parse_lines, split_fields
from divvy_coverage.intervals.codes import encode, sort_by_contig
from divvy_coverage.intervals.one_based import read_bed

STRANDS = {"+": 1, "-": -1}


@dataclass(frozen=True)
class StartSites:
    """n start sites.

    Attributes
    ----------
    contigs
        Names of the contigs that have some, in the order of their first ones (k).
    codes
        The contig of each, by its place in `contigs` (int32, n).
    positions
        Coordinates in bp, 0-based (int32, n).
    strands
        1, or -1 on the reverse strand (int32, n).
    """

    contigs: list[str]
    codes: Codes
    positions: Coordinates
    strands: NDArray[np.int32]

    @classmethod
    def from_names(cls, names: Sequence[str], positions: Sequence[int], strands: Sequence[int]) -> "StartSites":
        """Return start sites of the names of their contigs (n)."""
        return cls(*encode(names), np.array(positions, np.int32), np.array(strands, np.int32))

    def index_by_contig(self, contigs: Sequence[str]) -> tuple[Integers, Coordinates, NDArray[np.int32]]:
        """Return `first`, positions and strands, sorted: those of contig number c are first[c] to first[c + 1].

        Contigs are numbered by their place in `contigs`; sites on others are dropped.
        """
        order, first = sort_by_contig(self.contigs, self.codes, contigs, self.positions)
        return first, self.positions[order], self.strands[order]


NO_START_SITES = StartSites.from_names([], [], [])


def read_start_sites(path: str | Path) -> StartSites:
    """Read start sites from BED6: the start of an interval or, on the reverse strand, its last base.

    Exact duplicates are dropped.

    Raises
    ------
    UserError
        For a file that cannot be read or has no start site, and with line numbers for lines that are malformed or have
        no strand (+ or -) in column 6.
    """
    path = Path(path)
    expected, advice = "BED with strands", "give start sites with + or - in column 6"
    rows = dict.fromkeys(parse_lines(read_bed(path), path, _parse_site, expected, advice))
    if not rows:
        raise UserError(f"{path}: expected at least one transcription start site, found none; {advice}")
    return StartSites.from_names(*zip(*rows, strict=True))


def _parse_site(line: str) -> tuple[str, int, int]:
    """Return contig, position and strand of a line. Raises ValueError that says what is wrong with it."""
    contig, start, end = parse_interval(line)
    fields = split_fields(line)
    strand = STRANDS.get(fields[5].strip() if len(fields) > 5 else "")
    if strand is None:
        raise ValueError(f"no strand + or - in column 6: {line[:60]!r}")
    return contig, start if strand == 1 else end - 1, strand
