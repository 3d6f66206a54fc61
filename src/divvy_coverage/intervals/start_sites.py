"""Transcription start sites: where they are, the profile of cut sites around them, and how enriched they are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from divvy_coverage.counting.definition import TSS_FLANK, Integers
from divvy_coverage.errors import UserError, listing
from divvy_coverage.intervals.regions import NOT_REGIONS, content_of, lines_of, parse_region

EDGE = 100  # bp at both ends of the profile that are taken for the background
CENTRE = 50  # bp to both sides of a start site that are taken for the signal


@dataclass(frozen=True)
class StartSites:
    """Start sites: names of contigs, positions (int64, 0-based), and strands (1, or -1 for the reverse)."""

    contigs: list[str]
    positions: Integers
    strands: Integers

    def index(self, contigs: Sequence[str]) -> tuple[Integers, Integers, Integers]:
        """Return them sorted for the contigs of a file: those of contig c from first[c] to first[c + 1]."""
        numbers = {name: number for number, name in enumerate(contigs)}
        contig = np.array([numbers.get(name, -1) for name in self.contigs], np.int64)
        order = np.lexsort((self.positions, contig))
        order = order[contig[order] >= 0]
        first = np.searchsorted(contig[order], np.arange(len(contigs) + 1)).astype(np.int64)
        return first, self.positions[order], self.strands[order]


NO_START_SITES = StartSites([], np.zeros(0, np.int64), np.zeros(0, np.int64))


def read_start_sites(path: Path) -> StartSites:
    """Read start sites from BED6: the start of an interval or, on the reverse strand, its last base.

    Raises UserError with file and line numbers for lines without a strand (+ or -) in column 6, and for malformed ones.
    """
    found: dict[tuple[str, int, int], None] = {}
    problems: list[str] = []
    for number, line in enumerate(lines_of(content_of(path), path), start=1):
        if not line or line.isspace() or line.startswith(NOT_REGIONS):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        try:
            contig, start, end = parse_region(line)
            strand = {"+": 1, "-": -1}.get(fields[5].strip() if len(fields) > 5 else "")
            if strand is None:
                raise ValueError(f"no strand + or - in column 6: {line[:60]!r}")
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        found[contig, start if strand == 1 else end - 1, strand] = None
    if problems:
        raise UserError(f"{path}: expected BED with strands, found{listing(problems)}")
    if not found:
        raise UserError(f"{path}: expected at least one transcription start site, found none")
    rows = list(found)
    positions, strands = (np.array([row[column] for row in rows], np.int64) for column in (1, 2))
    return StartSites([row[0] for row in rows], positions, strands)


def enrichment(profile: Integers) -> float | None:
    """Return the mean of the profile within CENTRE bp of the start, over its mean in EDGE bp at both ends.

    None if there is no background.
    """
    middle = profile[TSS_FLANK - CENTRE : TSS_FLANK + CENTRE + 1].mean()
    background = np.concatenate([profile[:EDGE], profile[-EDGE:]]).mean()
    return float(middle / background) if background else None
