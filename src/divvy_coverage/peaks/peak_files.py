"""Peak files: read the peaks of a sample, or windows around their summits, as intervals.

An interval is half-open, [start, end), in 0-based coordinates.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import (
    ADVICE,
    COLUMNS,
    LARGEST_COORDINATE,
    Interval,
    parse_interval,
    parse_lines,
    split_fields,
)
from divvy_coverage.intervals.bed_columns import count_columns, read_columns
from divvy_coverage.intervals.one_based import read_bed

SOURCES = ("summits", "peaks")
NARROW_PEAK = 10  # columns; the last has the distance of the summit from the start (bp), or -1
OFFSET = re.compile(r"-?[0-9]{1,18}")
EXPECTED = {
    "peaks": (COLUMNS, ADVICE),
    "summits": (
        f"a summit in every line: column {NARROW_PEAK} of narrowPeak, or a peak of 1 bp as in the summits file of MACS",
        "give such files, or set source: peaks to take whole peaks",
    ),
}


def read_peaks(path: str | Path, source: str = "summits", extension: int = 250) -> pd.DataFrame:
    """Read a file of peaks: narrowPeak, broadPeak, summits of MACS, or other BED; plain, gzip or bgzip.

    Parameters
    ----------
    path
        The file; header lines and line ends are accepted as in a region set.
    source
        "peaks" for whole peaks; "summits" for windows [summit - extension, summit + 1 + extension), cut at 0, as
        `bedtools slop` makes them of the summits file of MACS.
    extension
        bp to both sides of a summit.

    Returns
    -------
    DataFrame
        The intervals in the order of the file: `chrom` (category), `start` and `end` (int64, 0-based half-open).

    Raises
    ------
    UserError
        With file and line numbers for lines that are malformed or lack a summit, for a file that has no peaks or is
        1-based, and for another source or a negative extension.
    """
    check_source(source, extension)
    path = Path(path)
    content = read_bed(path)
    intervals = _read_plain(content, source)
    if intervals is None:
        intervals = _read_any(content, path, source)
    if intervals.empty:
        raise UserError(
            f"{path}: expected at least one peak, found none; give another file, or leave the sample's peaks empty"
        )
    if source == "summits":
        intervals["start"] = (intervals["start"] - extension).clip(lower=0)
        intervals["end"] = (intervals["end"] + extension).clip(upper=LARGEST_COORDINATE)
    return intervals


def check_source(source: str, extension: int) -> None:
    """Raise UserError for a source of regions that there is not, or a negative number of bp."""
    if source not in SOURCES:
        raise UserError(f"source: expected {' or '.join(SOURCES)}, found {source!r}")
    if extension < 0:
        raise UserError(f"extension: expected 0 bp or more, found {extension}")


def _read_plain(content: bytes, source: str) -> pd.DataFrame | None:
    """Read all lines at once; None if there is anything but plain lines, or a peak without a summit."""
    with_offsets = source == "summits" and count_columns(content) == NARROW_PEAK
    columns = read_columns(content, [NARROW_PEAK - 1] if with_offsets else [])
    if columns is None:
        return None
    chrom = pd.Categorical.from_codes(columns.codes, columns.contigs)
    starts, ends = columns.starts.astype(np.int64), columns.ends.astype(np.int64)
    if source == "summits":
        if with_offsets:
            summits = starts + columns.others[NARROW_PEAK - 1]
            there = (starts <= summits) & (summits < ends)
        else:
            summits, there = starts, ends - starts == 1
        if not there.all():
            return None
        starts, ends = summits, summits + 1
    return pd.DataFrame({"chrom": chrom, "start": starts, "end": ends})


def _read_any(content: bytes, path: Path, source: str) -> pd.DataFrame:
    """Read line by line; UserError names the lines that are no peaks."""
    parse = _parse_summit if source == "summits" else parse_interval
    rows = list(parse_lines(content, path, parse, *EXPECTED[source], limit=5))
    return pd.DataFrame(rows, columns=["chrom", "start", "end"]).astype(
        {"chrom": "category", "start": "int64", "end": "int64"}
    )


def _parse_summit(line: str) -> Interval:
    """Return contig, start and end of the summit of a line, 1 bp wide; ValueError says why it has none."""
    contig, start, end = parse_interval(line)
    fields = split_fields(line)
    if len(fields) != NARROW_PEAK:
        if end - start > 1:
            raise ValueError(f"no summit, {len(fields)} columns and {end - start} bp: {line[:60]!r}")
        return contig, start, end
    offset = fields[NARROW_PEAK - 1].strip()
    if not OFFSET.fullmatch(offset):
        raise ValueError(f"not a summit in column {NARROW_PEAK}: {offset[:60]!r}")
    if int(offset) == -1:
        raise ValueError(f"no summit, column {NARROW_PEAK} is -1: {line[:60]!r}")
    if not 0 <= int(offset) < end - start:
        raise ValueError(f"the summit is outside the peak of {end - start} bp, column {NARROW_PEAK}: {offset}")
    return contig, start + int(offset), start + int(offset) + 1
