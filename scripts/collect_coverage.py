"""Collect the counts of all samples into a matrix of regions × samples, as they are or normalised.

Rows are in region order, columns in sheet order. The suffix of the file to write tells its format; all formats hold the
same. Values are written a block of rows or a sample at a time.
"""

import argparse
import glob
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from divvy_coverage import __version__
from divvy_coverage.command_line import run
from divvy_coverage.errors import UserError
from divvy_coverage.files import replacing
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.matrix.cohort import Cohort, add_cohort_options, read_cohort
from divvy_coverage.matrix.formats import COLUMN_NAMES, WRITERS, Matrix, writer_for
from divvy_coverage.matrix.normalization import METHODS, Normalization, fit
from divvy_coverage.preflight.sheet import ROW_NAMES, Sample, read_table

NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?(e[+-][0-9]+)?")  # more digits would not be kept
WHOLE = re.compile(r"-?[0-9]+")
CLASH = "_counted"  # added to the name of a statistic that an attribute has, too
NEEDED = ("library_size", "size_factor", "tmm_factor")  # statistics that normalisation takes


def checked(cohort: Cohort) -> dict[str, Any]:
    """Check that the coverage of all samples is sound and belongs together; return what was counted."""
    descriptions = cohort.descriptions()
    cohort.check_counts(descriptions)
    counting: dict[str, Any] = descriptions[0]["counting"]
    return counting


def read_statistics(path: Path, names: Sequence[str]) -> list[Sample]:
    """Read the table of statistics, which has to have just these samples in this order."""
    try:
        table = read_table(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table of statistics: {error}; remove it and run again") from error
    if [row.get(COLUMN_NAMES) for row in table] != [[name] for name in names] or not table[0].keys() >= set(NEEDED):
        expected = f"a line for each sample, in sheet order, with {', '.join(NEEDED)}"
        raise UserError(f"{path}: expected {expected}; remove it and run again")
    return table


def read_region_statistics(path: Path, regions: Regions) -> pa.Table:
    """Read the table of regions, which has to have just these in this order, without their names."""
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
        raise UserError(f"{path}: expected a line for each region, in their order; remove it and run again")
    return table.drop_columns(ROW_NAMES)


def sample_table(sheet: Sequence[Sample], statistics: Sequence[Sample]) -> pa.Table:
    """Return a table of the samples' attributes and then their statistics, without their names.

    A statistic whose name an attribute has gets a name that ends in "_counted".
    """
    found: dict[str, pa.Array] = {}
    for table in (sheet, statistics):
        for column in table[0]:
            name = column
            while name in found:
                name += CLASH
            if column != COLUMN_NAMES:
                found[name] = typed(["\n".join(row[column]) for row in table])
    return pa.table(found)


def typed(cells: Sequence[str]) -> pa.Array:
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


def read_provenance(path: Path | None) -> dict[str, Any]:
    """Read the record of the run, if there is one."""
    if path is None or not path.is_file():
        return {"version": __version__}
    try:
        provenance: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**provenance}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path}: not the record of a run: {error}; remove it and run again") from error


def normalize(cohort: Cohort, method: str, statistics: Sequence[Sample]) -> Normalization:
    """Find what a normalisation needs to know, from what the table of statistics has of all samples."""
    columns = [[float("".join(row[name]) or "nan") for row in statistics] for name in NEEDED]
    return fit(method, cohort, *map(np.array, columns))


def write_matrix(matrix: Matrix, path: Path) -> None:
    """Write a matrix in the format of the path's suffix; what a killed run left behind is removed."""
    write = writer_for(path)
    for leftover in path.parent.glob(f".????????.{glob.escape(path.name[-80:])}"):  # named by `replacing`
        leftover.unlink(missing_ok=True)
    with replacing(path) as temporary:
        write(matrix, temporary)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add_cohort_options(parser)
    add("--stats", type=Path, required=True, help="table of statistics, a line a sample (.tsv)")
    add("--region-stats", type=Path, required=True, help="table of regions, a line a region (.tsv.gz)")
    add("--kind", choices=("raw", "norm"), required=True, help="values: counts, or normalised")
    add("--normalization", choices=METHODS, default="log2cpm", help="how to normalise (%(default)s)")
    add("--provenance", type=Path, help="record of the run (.json), for the metadata; it may be missing")
    add("--out", type=Path, required=True, help=f"matrix to write: {', '.join(WRITERS)}")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: collect the samples of a table."""
    args = _parser().parse_args(argv)
    writer_for(args.out)
    cohort = read_cohort(args.samples, args.regions, args.coverage)
    counting = checked(cohort)
    statistics = read_statistics(args.stats, cohort.names)
    method = args.normalization if args.kind == "norm" else "none"
    about = {
        "normalization": method,
        "regions": len(cohort.regions),
        "regions_sha256": cohort.regions.sha256(),
        "counting": counting,
    }
    matrix = Matrix(
        cohort,
        method,
        normalize(cohort, method, statistics) if args.kind == "norm" else None,
        sample_table(read_table(args.samples), statistics),
        read_region_statistics(args.region_stats, cohort.regions),
        {**read_provenance(args.provenance), "matrix": about},
    )
    write_matrix(matrix, args.out)


if __name__ == "__main__":
    sys.exit(run(main))
