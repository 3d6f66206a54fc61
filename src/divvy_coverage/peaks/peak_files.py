"""Peak files: read the peaks of a sample, or windows around their summits, as intervals.

An interval is half-open, [start, end), in 0-based coordinates.
"""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import (
    ADVICE,
    COLUMNS,
    CONTIG,
    LARGEST_COORDINATE,
    NOT_INTERVALS,
    UTF8_BOM,
    Interval,
    parse_interval,
    parse_lines,
    split_fields,
)
from divvy_coverage.intervals.one_based import read_bed

SOURCES = ("summits", "peaks")
NARROW_PEAK = 10  # columns; the last has the distance of the summit from the start (bp), or -1
HEADER = re.compile(rb"(?:(?:#|track[ \t]|browser[ \t])[^\r\n]*[\r\n]|[\r\n])*")
OFFSET = re.compile(r"-?[0-9]{1,18}")
LINE = re.compile(rb"[^\r\n]*")
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
    content = read_bed(path).removeprefix(UTF8_BOM)
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
    """Read tab-separated lines with the same number of columns, all at once; None if there is anything else."""
    header = HEADER.match(content)
    content = content[header.end() :] if header else content
    line = LINE.match(content)
    columns = line.group().count(b"\t") + 1 if line else 0
    if columns < 3 or not content.isascii() or b"0x" in content or b"0X" in content:  # pyarrow reads hexadecimals
        return None
    types: dict[str, Any] = {"f0": pa.dictionary(pa.int32(), pa.string()), "f1": pa.int64(), "f2": pa.int64()}
    if source == "summits" and columns == NARROW_PEAK:
        types["f9"] = pa.int64()
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True),
            pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
            pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[]),
        )
    except pa.ArrowInvalid:
        return None
    peaks = table.rename_columns(["chrom", "start", "end", "offset"][: len(types)]).to_pandas()
    if not _are_sound(peaks):
        return None
    return _find_summits(peaks) if source == "summits" else peaks


def _are_sound(peaks: pd.DataFrame) -> bool:
    """Tell whether `parse_interval` would take all of them, and none is a comment."""
    names = peaks.chrom.cat.categories
    if any(not CONTIG.fullmatch(name) or f"{name}\t".startswith(NOT_INTERVALS) for name in names):
        return False
    return bool(((peaks.start >= 0) & (peaks.start < peaks.end) & (peaks.end <= LARGEST_COORDINATE)).all())


def _find_summits(peaks: pd.DataFrame) -> pd.DataFrame | None:
    """Return the 1-bp intervals of the summits; None if a peak has none."""
    width = peaks.end - peaks.start
    if "offset" in peaks:
        offset, found = peaks.offset, (peaks.offset >= 0) & (peaks.offset < width)
    else:
        offset, found = 0, width == 1
    if not found.all():
        return None
    return pd.DataFrame({"chrom": peaks.chrom, "start": peaks.start + offset, "end": peaks.start + offset + 1})


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
