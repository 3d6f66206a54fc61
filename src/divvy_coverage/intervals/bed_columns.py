"""All lines of a BED file at once, if they are as plain as most files have them; the rest is left to `parse_lines`."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from divvy_coverage.arrays import Codes, Coordinates, Integers
from divvy_coverage.intervals.bed import CONTIG, LARGEST_COORDINATE, NOT_INTERVALS, UTF8_BOM

HEADER = re.compile(rb"(?:(?:#|track[ \t]|browser[ \t])[^\r\n]*[\r\n]|[\r\n])*")
LINE = re.compile(rb"[^\r\n]*")


class Columns(NamedTuple):
    """Columns of n intervals, in the order of their lines.

    Attributes
    ----------
    contigs
        Names of contigs (k).
    codes
        The contig of each interval, by its place in `contigs` (int32, n).
    starts, ends
        Coordinates in bp, 0-based and half-open (int32, n each).
    others
        Further columns of whole numbers (int64, n), by their places.
    """

    contigs: list[str]
    codes: Codes
    starts: Coordinates
    ends: Coordinates
    others: dict[int, Integers]


def count_columns(content: bytes) -> int:
    """Return how many columns the first line with an interval has, if tabs are between them; 0 without one."""
    line = LINE.match(_skip_header(content))
    return line.group().count(b"\t") + 1 if line and line.group() else 0


def read_columns(content: bytes, others: Sequence[int] = ()) -> Columns | None:
    """Read tab-separated lines that all have as many columns, and below one header nothing but intervals.

    Parameters
    ----------
    content
        The text of the file.
    others
        The places, from 0, of columns of whole numbers to read besides the first three.

    Returns
    -------
    Columns or None
        None if there is anything else: what `parse_interval` would refuse, or what it might read in another way.
    """
    content = _skip_header(content)
    if not content.isascii() or b"0x" in content or b"0X" in content:  # pyarrow reads hexadecimals
        return None
    types = {"f0": pa.dictionary(pa.int32(), pa.string())} | {f"f{place}": pa.int64() for place in (1, 2, *others)}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            pyarrow.csv.ReadOptions(use_threads=False, autogenerate_column_names=True),
            pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
            pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[]),
        ).unify_dictionaries()
    except (pa.ArrowInvalid, pa.ArrowKeyError):  # a value, or a column
        return None
    contig, *numbers = (column.combine_chunks() for column in table.columns)
    # pyarrow's own ways to numpy import pandas, which takes longer than all of this
    arrays: list[NDArray[Any]] = list(map(np.from_dlpack, (contig.indices, *numbers)))
    codes, starts, ends, *more = arrays
    contigs = contig.dictionary.to_pylist()
    if any(not CONTIG.fullmatch(name) or f"{name}\t".startswith(NOT_INTERVALS) for name in contigs):
        return None
    if not ((starts >= 0) & (starts < ends) & (ends <= LARGEST_COORDINATE)).all():
        return None
    return Columns(contigs, codes, starts.astype(np.int32), ends.astype(np.int32), dict(zip(others, more, strict=True)))


def _skip_header(content: bytes) -> bytes:
    content = content.removeprefix(UTF8_BOM)
    header = HEADER.match(content)
    return content[header.end() :] if header else content
