"""Region sets: the rows of the matrix.

A region is a half-open interval, [start, end), in 0-based coordinates on a contig. The SHA-256 of a region set, in the
order of the input, is in every file that is computed from it.
"""

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.arrays import Codes, Coordinates, Integers
from divvy_coverage.errors import UserError
from divvy_coverage.files import ANEW
from divvy_coverage.intervals.bed import (
    ADVICE,
    COLUMNS,
    LARGEST_COORDINATE,
    Interval,
    parse_interval,
    parse_lines,
    read_content,
)
from divvy_coverage.intervals.codes import encode, keep_used, recode
from divvy_coverage.intervals.one_based import check_zero_based

ROW_NAMES = "region"  # the column of tables and matrices with the names of regions
SUPPORT = "support"  # of a region: the fraction of samples with a peak there
SMALL = 1 << 20  # bytes of text, which are read line by line in the time that pyarrow takes to be imported
ARRAYS = ("codes", "starts", "ends")
ZIP = b"PK\x03\x04"  # what a file of arrays starts with
# what numpy and zipfile raise for damaged ones
DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    UserError,
)


@dataclass(frozen=True)
class Regions:
    """A region set of n regions in input order.

    Attributes
    ----------
    contigs
        Names of the contigs that have regions, in the order of their first ones (k).
    codes
        The contig of each region, by its place in `contigs` (int32, n).
    starts, ends
        Coordinates in bp, 0-based and half-open (int32, n each).
    duplicates
        How many exact duplicates of other regions were dropped.

    Raises
    ------
    UserError
        Unless 0 <= start < end < 2^31, and each region has one of the contigs.
    """

    contigs: list[str]
    codes: Codes
    starts: Coordinates
    ends: Coordinates
    duplicates: int = 0

    def __post_init__(self) -> None:
        if not ((self.starts >= 0) & (self.starts < self.ends)).all():
            raise UserError("expected regions with 0 <= start < end < 2^31, found others; mend or remove them")
        if not ((self.codes >= 0) & (self.codes < len(self.contigs))).all():
            raise UserError(f"expected codes of {len(self.contigs)} contigs, found others; number contigs from 0")

    @classmethod
    def from_names(
        cls, names: Sequence[str], starts: Sequence[int] | Integers, ends: Sequence[int] | Integers, duplicates: int = 0
    ) -> "Regions":
        """Return regions by the names of their contigs (n), starts and ends (n each)."""
        return cls(*encode(names), _fit(starts), _fit(ends), duplicates)

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[Any]) -> "Regions":
        """Return the regions at some places (int64), or those for which an array is true (bool, n)."""
        contigs, codes = keep_used(self.contigs, self.codes[rows])
        return Regions(contigs, codes, self.starts[rows], self.ends[rows], self.duplicates)

    def rows(self) -> Iterator[Interval]:
        """Yield chrom, start and end of each region."""
        names = map(self.contigs.__getitem__, self.codes.tolist())
        return zip(names, self.starts.tolist(), self.ends.tolist(), strict=True)

    def names(self) -> list[str]:
        """Return "chrom:start-end" of each region, the row names of the matrix (n)."""
        return [f"{c}:{s}-{e}" for c, s, e in self.rows()]

    def bed(self) -> bytes:
        """Return the regions as BED3."""
        return "".join(f"{c}\t{s}\t{e}\n" for c, s, e in self.rows()).encode()

    def npz(self) -> bytes:
        """Return the regions as a file of arrays, which `read_regions` reads in a hundredth of the time."""
        content = io.BytesIO()
        np.savez(content, contigs=np.array(self.contigs), **{name: getattr(self, name) for name in ARRAYS})
        return content.getvalue()

    def sha256(self) -> str:
        """Return the SHA-256 of names of contigs, codes, starts and ends, by which a region set is known again."""
        names = "".join(f"{contig}\n" for contig in self.contigs)
        digest = hashlib.sha256(f"{len(self)} regions on {len(self.contigs)} contigs\n{names}".encode())
        for array in (self.codes, self.starts, self.ends):
            digest.update(np.ascontiguousarray(array, "<i4").tobytes())
        return digest.hexdigest()


def read_regions(path: str | Path, warn: Callable[[str], None] | None = None) -> Regions:
    """Read regions from a BED-like file: BED3–12, narrowPeak or broadPeak; plain, gzip or bgzip, told by content.

    A byte order mark, CRLF, blank lines, comments, and `track` and `browser` lines are accepted; exact duplicates are
    dropped and counted. The arrays that a run writes for its jobs (.npz) are read, too.

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
    content = read_content(path)
    if content.startswith(ZIP):
        regions = _read_arrays(content, path)
    else:
        check_zero_based(content, path)
        regions = (_read_plain(content) if len(content) > SMALL else None) or _read_lines(content, path)
    if not len(regions):
        raise UserError(f"{path}: expected at least one region, found none; give a BED file with regions")
    if warn and (warning := describe_duplicates(regions, path)):
        warn(warning)
    return regions


def join_regions(sets: Sequence[Regions]) -> Regions:
    """Return the regions of several sets as one, in their order."""
    contigs = list(dict.fromkeys(contig for regions in sets for contig in regions.contigs))
    codes = np.concatenate([recode(regions.contigs, regions.codes, contigs) for regions in sets])
    starts = np.concatenate([regions.starts for regions in sets])
    ends = np.concatenate([regions.ends for regions in sets])
    return Regions(contigs, codes, starts, ends, sum(regions.duplicates for regions in sets))


def describe_duplicates(regions: Regions, path: str | Path) -> str:
    """Return the warning about duplicates in the file that regions were read from; "" if there were none."""
    if not regions.duplicates:
        return ""
    return f"{path}: {regions.duplicates} exact duplicates of other regions were dropped; {len(regions)} regions remain"


def _read_arrays(content: bytes, path: Path) -> Regions:
    """Read regions as `Regions.npz` returns them."""
    try:
        with np.load(io.BytesIO(content)) as found:
            codes, starts, ends = (found[name].astype(np.int32) for name in ARRAYS)
            return Regions(found["contigs"].tolist(), codes, starts, ends)
    except DAMAGE as error:
        raise UserError(
            f"{path}: expected regions as a run writes them (.npz), found: {error}; {ANEW}, or give BED"
        ) from error


def _read_plain(content: bytes) -> Regions | None:
    """Read regions from plain lines, all at once; None if there is anything else."""
    from divvy_coverage.intervals.bed_columns import read_columns  # pyarrow takes its time, which large files repay

    if (columns := read_columns(content)) is None:
        return None
    regions = Regions(*columns[:4])
    order = np.lexsort((regions.ends, regions.starts, regions.codes))
    same = [np.diff(each[order]) == 0 for each in (regions.codes, regions.starts, regions.ends)]
    kept = np.ones(len(regions), np.bool_)
    kept[order[1:][np.all(same, axis=0)]] = False  # all but the first, as the sort is stable
    return replace(regions.take(kept), duplicates=int(np.count_nonzero(~kept)))


def _read_lines(content: bytes, path: Path) -> Regions:
    """Read regions line by line."""
    seen: dict[Interval, None] = {}
    total = 0
    for interval in parse_lines(content, path, parse_interval, COLUMNS, ADVICE):
        seen[interval] = None
        total += 1
    names, coordinates = [row[0] for row in seen], np.array([row[1:] for row in seen], np.int64).reshape(-1, 2)
    return Regions.from_names(names, coordinates[:, 0], coordinates[:, 1], total - len(seen))


def _fit(positions: Sequence[int] | Integers) -> Coordinates:
    """Return positions as int32, -1 for those that are none."""
    wide = np.asarray(positions, np.int64)
    return np.where((wide >= 0) & (wide <= LARGEST_COORDINATE), wide, -1).astype(np.int32)
