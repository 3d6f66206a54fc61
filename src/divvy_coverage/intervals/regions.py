"""Region sets: the rows of the matrix.

A region is a half-open interval, [start, end), in 0-based coordinates on a contig. The canonical form of a set is plain
BED3 in the order of the input; its SHA-256 identifies the set in every file that is computed from it.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import (
    ADVICE,
    COLUMNS,
    CONTIG,
    LARGEST_COORDINATE,
    Interval,
    parse_interval,
    parse_lines,
)
from divvy_coverage.intervals.one_based import read_bed

ROW_NAMES = "region"  # the column of tables and matrices with the names of regions
SUPPORT = "support"  # of a region: the fraction of samples with a peak there
PLAIN = re.compile(rb"(?:[!-~]+\t(?:0|[1-9][0-9]{0,9})\t[1-9][0-9]{0,9}\n)+")  # BED3 as `Regions.bed` writes it


@dataclass(frozen=True)
class Regions:
    """A region set of n regions in input order.

    Attributes
    ----------
    contigs
        Names of contigs (n).
    starts, ends
        Coordinates in bp, 0-based and half-open (int64, n each).
    duplicates
        How many exact duplicates of other regions were dropped.
    """

    contigs: list[str]
    starts: Integers
    ends: Integers
    duplicates: int = 0

    def __len__(self) -> int:
        return len(self.contigs)

    def names(self) -> list[str]:
        """Return "chrom:start-end" of each region, the row names of the matrix (n)."""
        return [f"{c}:{s}-{e}" for c, s, e in zip(self.contigs, self.starts.tolist(), self.ends.tolist(), strict=True)]

    def bed(self) -> bytes:
        """Return the regions as BED3, the canonical form of a region set."""
        rows = zip(self.contigs, self.starts.tolist(), self.ends.tolist(), strict=True)
        return "".join(f"{c}\t{s}\t{e}\n" for c, s, e in rows).encode()

    def sha256(self) -> str:
        """Return the SHA-256 of the canonical form."""
        return hashlib.sha256(self.bed()).hexdigest()


def read_regions(path: str | Path, warn: Callable[[str], None] | None = None) -> Regions:
    """Read regions from a BED-like file: BED3–12, narrowPeak or broadPeak; plain, gzip or bgzip, told by content.

    A byte order mark, CRLF, blank lines, comments, and `track` and `browser` lines are accepted; exact duplicates are
    dropped and counted.

    Parameters
    ----------
    path
        The file.
    warn
        Is told if duplicates were dropped.

    Returns
    -------
    Regions
        The regions in the order of the file.

    Raises
    ------
    UserError
        For a file that cannot be read, has no region, or is 1-based, and with line numbers for lines that hold none.

    Examples
    --------
    >>> regions = read_regions("peaks.bed.gz")  # doctest: +SKIP
    >>> len(regions), regions.names()[0]  # doctest: +SKIP
    (1000, 'chr1:1500-2000')
    """
    path = Path(path)
    content = read_bed(path)
    regions = _read_plain(content) or _read_any(content, path)
    if not len(regions):
        raise UserError(f"{path}: expected at least one region, found none; give a BED file with regions")
    if warn and (warning := describe_duplicates(regions, path)):
        warn(warning)
    return regions


def join_regions(sets: Sequence[Regions]) -> Regions:
    """Return the regions of several sets as one, in their order."""
    contigs = [contig for regions in sets for contig in regions.contigs]
    starts, ends = [regions.starts for regions in sets], [regions.ends for regions in sets]
    return Regions(contigs, np.concatenate(starts), np.concatenate(ends), sum(regions.duplicates for regions in sets))


def describe_duplicates(regions: Regions, path: str | Path) -> str:
    """Return the warning about duplicates in the file that regions were read from; "" if there were none."""
    if not regions.duplicates:
        return ""
    return f"{path}: {regions.duplicates} exact duplicates of other regions were dropped; {len(regions)} regions remain"


def _read_plain(content: bytes) -> Regions | None:
    """Read regions in the canonical form, all lines at once; None if there is anything else."""
    lines = content.splitlines()
    if not PLAIN.fullmatch(content) or len(set(lines)) < len(lines):
        return None
    fields = content.decode().split()
    contigs, starts, ends = fields[::3], np.array(fields[1::3], np.int64), np.array(fields[2::3], np.int64)
    sound = (starts < ends).all() and (ends <= LARGEST_COORDINATE).all() and all(map(CONTIG.fullmatch, set(contigs)))
    return Regions(contigs, starts, ends) if sound else None


def _read_any(content: bytes, path: Path) -> Regions:
    """Read regions line by line."""
    seen: dict[Interval, None] = {}
    total = 0
    for interval in parse_lines(content, path, parse_interval, COLUMNS, ADVICE):
        seen[interval] = None
        total += 1
    contigs, starts, ends = [row[0] for row in seen], [row[1] for row in seen], [row[2] for row in seen]
    return Regions(contigs, np.array(starts, np.int64), np.array(ends, np.int64), total - len(seen))
