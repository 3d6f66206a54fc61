"""Collect the counts of all samples into one matrix of regions × samples, and their statistics into one table.

Rows are in region order, columns in sheet order, values are integers. All files are written a block of rows at a time.
"""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from isal import igzip

from common import UserError, listing, replacing, run
from coverage import sha256
from regions import Regions, read_bed
from samples import read_table

BLOCK = 1 << 23  # counts in memory at a time
DESCRIPTION = {"regions", "counting", "counts", "statistics"}  # what coverage.py says of a sample


class Writer(Protocol):
    """Takes record batches of rows, and is closed after the last."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""

    def close(self) -> None:
        """Finish the file."""


def read_descriptions(names: Sequence[str], folder: Path, region_set: str) -> list[dict[str, Any]]:
    """Read what each sample's coverage was computed from; UserError if samples differ in it.

    `region_set` is the SHA-256 of the regions that the matrix will have.
    """
    descriptions = [_description(folder / f"{name}.stats.json") for name in names]
    stale = [name for name, d in zip(names, descriptions, strict=True) if d["regions"]["sha256"] != region_set]
    if stale:
        raise UserError(
            f"{folder}: {len(stale)} of {len(names)} samples were counted over another region set:{listing(stale)}\n"
            "remove their files there and run the workflow again"
        )
    countings = {json.dumps(d["counting"], sort_keys=True): [] for d in descriptions}  # type: dict[str, list[str]]
    for name, description in zip(names, descriptions, strict=True):
        countings[json.dumps(description["counting"], sort_keys=True)].append(name)
    if len(countings) > 1:
        kinds = [f"{', '.join(members[:10])}: {counting}" for counting, members in countings.items()]
        raise UserError(
            f"{folder}: samples were counted in different ways:{listing(kinds)}\ncount them in the same way"
        )
    return descriptions


def check_counts(names: Sequence[str], folder: Path, descriptions: Sequence[dict[str, Any]]) -> None:
    """Check that each sample's counts are those that its description names; UserError if not."""
    damaged = []
    for name, description in zip(names, descriptions, strict=True):
        path = folder / f"{name}.npy"
        try:
            if sha256(np.load(path)) != description["counts"]["sha256"]:
                damaged.append(f"{path}: its checksum is not that of {name}.stats.json")
        except (OSError, ValueError, EOFError) as error:
            damaged.append(f"{path}: {error}")
    if damaged:
        raise UserError(f"{len(damaged)} count files are damaged; remove them and run again:{listing(damaged)}")


def matrix_blocks(names: Sequence[str], folder: Path, regions: Regions) -> Iterator[pa.RecordBatch]:
    """Yield the matrix as record batches of rows: `region` (text) and one int32 column a sample."""
    schema = matrix_schema(names)
    region_names = regions.names()
    rows = max(1, BLOCK // len(names))
    for first in range(0, len(regions), rows):
        block = slice(first, first + rows)
        columns = [pa.array(np.load(folder / f"{name}.npy", mmap_mode="r")[block]) for name in names]
        yield pa.record_batch([pa.array(region_names[block]), *columns], schema=schema)


def matrix_schema(names: Sequence[str]) -> pa.Schema:
    """Return the columns of the matrix; pandas reads `region` as the index."""
    empty = pd.DataFrame({name: np.zeros(0, np.int32) for name in names}, index=pd.Index([], str, name="region"))
    metadata = pa.Schema.from_pandas(empty).metadata
    return pa.schema([("region", pa.string()), *((name, pa.int32()) for name in names)], metadata=metadata)


class CsvWriter:
    """A gzip-compressed CSV, the same bytes for the same matrix."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._raw = path.open("wb")
        self._file = igzip.IGzipFile("", "wb", compresslevel=2, fileobj=self._raw, mtime=0)  # no name, no time
        self._file.write((",".join(schema.names) + "\n").encode())
        # names of samples and of contigs hold neither commas nor quotes; pyarrow would quote them all
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
        self._csv = pyarrow.csv.CSVWriter(self._file, schema, write_options=options)

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Write some rows."""
        self._csv.write_batch(batch)

    def close(self) -> None:
        """Finish the file."""
        self._csv.close()
        self._file.close()
        self._raw.close()


def parquet_writer(path: Path, schema: pa.Schema) -> Writer:
    """Open a Parquet file."""
    writer: Writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")
    return writer


WRITERS: dict[str, Callable[[Path, pa.Schema], Writer]] = {".csv.gz": CsvWriter, ".parquet": parquet_writer}


def write_matrix(names: Sequence[str], folder: Path, regions: Regions, paths: Sequence[Path]) -> None:
    """Write the matrix to each of `paths`, in the format of its suffix."""
    schema = matrix_schema(names)
    with ExitStack() as stack:
        writers = [_writer(path)(stack.enter_context(replacing(path)), schema) for path in paths]
        for batch in matrix_blocks(names, folder, regions):
            for writer in writers:
                writer.write_batch(batch)
        for writer in writers:
            writer.close()


def write_statistics(names: Sequence[str], descriptions: Sequence[dict[str, Any]], path: Path) -> None:
    """Write one line of statistics a sample."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["sample_name", *descriptions[0]["statistics"]])
        for name, description in zip(names, descriptions, strict=True):
            writer.writerow([name, *description["statistics"].values()])


def _writer(path: Path) -> Callable[[Path, pa.Schema], Writer]:
    for suffix, writer in WRITERS.items():
        if path.name.endswith(suffix):
            return writer
    raise UserError(f"{path}: expected a file name that ends in one of {', '.join(WRITERS)}")


def _description(path: Path) -> dict[str, Any]:
    try:
        description: dict[str, Any] = json.loads(path.read_text())
        if not isinstance(description, dict) or not description.keys() >= DESCRIPTION:
            raise ValueError(f"expected {', '.join(sorted(DESCRIPTION))} in it")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not the statistics of a sample: {error}; remove it and run again") from error
    return description


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: collect the samples of a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--samples", type=Path, required=True, help="table with a column sample_name; gives the columns"
    )
    parser.add_argument("--regions", type=Path, required=True, help="region set; gives the rows")
    parser.add_argument("--coverage", type=Path, required=True, help="folder with <sample>.npy and <sample>.stats.json")
    parser.add_argument(
        "--matrix", type=Path, nargs="+", required=True, help=f"matrices to write: {', '.join(WRITERS)}"
    )
    parser.add_argument("--stats", type=Path, required=True, help="table of statistics to write (.tsv)")
    args = parser.parse_args(argv)
    names = [sample["sample_name"][0] for sample in read_table(args.samples)]
    regions = read_bed(args.regions)
    descriptions = read_descriptions(names, args.coverage, regions.sha256())
    check_counts(names, args.coverage, descriptions)
    write_matrix(names, args.coverage, regions, args.matrix)
    write_statistics(names, descriptions, args.stats)


if __name__ == "__main__":
    sys.exit(run(main))
