"""The tables of samples and of regions: writing them, and reading them back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from divvy_coverage.arrays import Floats
from divvy_coverage.errors import UserError
from divvy_coverage.files import ANEW, Row, gzipped, read_table, replacing, write_table
from divvy_coverage.intervals.regions import ROW_NAMES, SUPPORT, Regions
from divvy_coverage.matrix.cohort import Cohort, Findings
from divvy_coverage.samples import NAME, Sample

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?(e[+-][0-9]+)?")  # more digits would not be kept
WHOLE = re.compile(r"-?[0-9]+")
CLASH = "_counted"  # added to the name of a statistic that is also the name of an attribute
NEEDED = ("library_size", "size_factor", "tmm_factor")  # statistics that normalization takes
# statistics that are whole numbers only by chance, as a single sample's factor of 1 is
MEASURED = {*NEEDED, "frip", "mitochondrial_fraction", "tss_enrichment"}


def write_statistics(
    cohort: Cohort, findings: Sequence[Findings], more: Mapping[str, NDArray[Any]], path: Path
) -> None:
    """Write one row per sample: the statistics of counting, and the columns `more`.

    What is not known (None, NaN) is written as nothing.
    """
    columns = [map(format_number, values) for values in more.values()]
    rows = zip(cohort.names, findings, *columns, strict=True)
    cells = ([name, *each.statistics.values(), *rest] for name, each, *rest in rows)
    write_table(path, chain([[NAME, *findings[0].statistics, *more]], cells))


def read_statistics(path: Path, names: Sequence[str]) -> list[Row]:
    """Read the table of statistics.

    Parameters
    ----------
    path
        The table that `write_statistics` wrote.
    names
        The samples that it has to have, in this order.

    Raises
    ------
    UserError
        For a table that is missing, damaged, or of other samples.
    """
    table = read_table(path, "statistics", [NAME, *NEEDED])
    if [row[NAME] for _, row in table] != list(names):
        raise UserError(f"{path}: expected one row per sample, in the order of the sheet; {ANEW}")
    for line, row in table:
        for name in NEEDED:
            _check_number(row[name], f"{path}: line {line}: {name}")
    return [row for _, row in table]


def _check_number(cell: str, place: str) -> None:
    """Raise UserError for what normalization could not use."""
    try:
        float(cell or "nan")
    except ValueError:
        raise UserError(f"{place}: expected a number, found {cell[:60]!r}; {ANEW}") from None


def write_regions(table: pa.Table, path: Path) -> None:
    """Write the table of regions, the same bytes for the same table."""
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with replacing(path) as temporary, gzipped(temporary) as file:
        file.write(("\t".join(table.column_names) + "\n").encode())
        pyarrow.csv.write_csv(table, file, options)


def read_region_statistics(path: Path, regions: Regions) -> pa.Table:
    """Read the table of regions without their names. Raises UserError unless it has just these in their order."""
    types = {ROW_NAMES: pa.string(), "chrom": pa.string(), "start": pa.int64(), "end": pa.int64()}
    parse = pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False)
    try:
        with pyarrow.csv.open_csv(path, parse_options=parse) as file:
            types = {name: types.get(name, pa.float64()) for name in file.schema.names}
        convert = pyarrow.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False)
        table = pyarrow.csv.read_csv(path, parse_options=parse, convert_options=convert)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path}: not a table of regions: {error}; remove it and run again") from error
    if table.column_names[0] != ROW_NAMES or table[ROW_NAMES] != pa.chunked_array([regions.names()]):
        raise UserError(f"{path}: expected one row per region, in their order; remove it and run again")
    return table.drop_columns(ROW_NAMES)


def read_support(path: Path, regions: int) -> Floats:
    """Return the fraction of samples that support each region.

    Parameters
    ----------
    path
        The table of support of a consensus (.parquet).
    regions
        How many regions it has to have.

    Raises
    ------
    UserError
        For a table that is missing, damaged, or of other regions.
    """
    try:
        fractions: Floats = pyarrow.parquet.read_table(path, columns=[SUPPORT])[SUPPORT].to_numpy()
        if len(fractions) != regions:
            raise ValueError(f"expected {regions} regions, found {len(fractions)}")
    except (OSError, ValueError) as error:  # pyarrow's errors are among these
        raise UserError(f"{path}: not the support of these regions: {error}; remove it and run again") from error
    return fractions


def build_sample_table(samples: Sequence[Sample], statistics: Sequence[Row]) -> pa.Table:
    """Return a table of the samples' attributes and then their statistics, without their names.

    A statistic that is also the name of an attribute gets a name that ends in "_counted".
    """
    sheet = [{column: "\n".join(values) for column, values in sample.get_columns().items()} for sample in samples]
    found: dict[str, pa.Array] = {}
    for table, measured in ((sheet, set()), (statistics, MEASURED)):
        for column in dict.fromkeys(column for row in table for column in row):
            name = column
            while name in found:
                name += CLASH
            if column != NAME:
                values = infer_type([row.get(column, "") for row in table])
                found[name] = values.cast(pa.float64()) if column in measured else values
    return pa.table(found)


def infer_type(cells: Sequence[str]) -> pa.Array:
    """Return cells as numbers if all that are not empty are numbers as Python and R write them, else as text.

    Whole numbers are int64, and float64 with NaN if there are empty cells. Names made of digits stay text where they
    would change: 007 and 1E5 are no numbers, nor is anything of more than 15 digits.
    """
    given = [cell for cell in cells if cell]
    if not all(map(NUMBER.fullmatch, given)):
        return pa.array(cells)
    if len(given) == len(cells) and all(map(WHOLE.fullmatch, given)):
        return pa.array([int(cell) for cell in cells])
    return pa.array([float(cell or "nan") for cell in cells])


def write_numbers(header: Sequence[str], rows: Iterable[tuple[str, Floats]], path: Path) -> None:
    """Write rows of a name and numbers; NaN is written as nothing."""
    write_table(path, chain([header], ([name, *map(format_number, values)] for name, values in rows)))


def format_number(value: float) -> str:
    """Return a number in the fewest digits that give it back, whole ones without a point; nothing for NaN."""
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
