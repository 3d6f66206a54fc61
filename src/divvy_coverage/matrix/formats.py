"""The formats of the matrix of regions × samples. All hold the same values in the same order.

A writer is a function of a matrix and a path, found by the suffix of the path. What the matrix was made of goes into
each file as JSON: under the key "divvy_coverage" of the schema's metadata of Parquet and of `uns` of AnnData, and as
comments of MatrixMarket; CSV has no place for it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from divvy_coverage.arrays import Counts, Floats
from divvy_coverage.errors import UserError
from divvy_coverage.files import gzipped
from divvy_coverage.intervals.regions import ROW_NAMES
from divvy_coverage.matrix.cohort import Cohort
from divvy_coverage.matrix.normalization import Normalization
from divvy_coverage.matrix.overflow import OverflowFile
from divvy_coverage.samples import NAME

BLOCK = 1 << 29  # bytes of values in memory at a time
CSV_BATCH = 1 << 22  # values that become text at a time
COMMENT = 1000  # characters; MatrixMarket allows 1,024 in a line
METADATA = "divvy_coverage"

Numbers = Counts | Floats


@dataclass(frozen=True)
class Matrix:
    """Counts or normalized values of regions × samples, and what is known of them."""

    cohort: Cohort
    method: str  # of the normalization; "none": the values are the counts
    normalization: Normalization | None  # None of counts
    samples: pa.Table  # one row per sample: text (no nulls), int64 or float64 (nothing: NaN or null)
    regions: pa.Table  # one row per region
    metadata: Mapping[str, Any]  # what the matrix was made of, as JSON has it

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the values: int32 of counts, float64 of normalized values."""
        return np.dtype(np.int32 if self.normalization is None else np.float64)

    def values(self, sample: int, rows: slice = slice(None)) -> Numbers:
        """Return the values of a sample (regions), or of some rows of it."""
        counts = self.cohort.counts(sample)[rows]
        # a copy, as what is only mapped keeps its file open
        return np.array(counts) if self.normalization is None else self.normalization.apply(sample, counts, rows)

    def blocks(self) -> Iterator[tuple[slice, Iterator[Numbers]]]:
        """Yield rows that fit into memory for all samples, and their values, sample by sample."""
        samples, regions = range(len(self.cohort)), len(self.cohort.regions)
        size = max(1, BLOCK // (len(samples) * self.dtype.itemsize))
        for first in range(0, regions, size):
            rows = slice(first, min(first + size, regions))
            yield rows, (self.values(sample, rows) for sample in samples)

    def description(self) -> str:
        """Return the metadata as JSON: one line of ASCII."""
        return json.dumps(self.metadata, sort_keys=True, separators=(",", ":"))


def write_csv(matrix: Matrix, path: Path) -> None:
    """Write a CSV, compressed by gzip; the same bytes for the same matrix."""
    names, regions = matrix.cohort.names, matrix.cohort.regions.names()
    whole = matrix.normalization is None
    values = pa.int32() if whole else pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([(ROW_NAMES, pa.string()), *((name, values) for name in names)])
    # names of samples and of contigs hold neither commas nor quotes; pyarrow would quote them all
    lines = max(1, CSV_BATCH // len(names))
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none", batch_size=lines)
    with gzipped(path) as file:
        file.write((",".join(schema.names) + "\n").encode())
        with pyarrow.csv.CSVWriter(file, schema, write_options=options) as writer:
            for rows, columns in matrix.blocks():
                block = [pa.array(regions[rows]), *map(pa.array if whole else spell, columns)]
                writer.write_batch(pa.record_batch(block, schema=schema))
                del block  # before the next is read


def write_parquet(matrix: Matrix, path: Path) -> None:
    """Write a Parquet file with one column per sample, of which pandas takes `region` for the index."""
    names, regions = matrix.cohort.names, matrix.cohort.regions.names()
    empty = pd.DataFrame({name: np.zeros(0, matrix.dtype) for name in names}, index=pd.Index([], str, name=ROW_NAMES))
    metadata = {**pa.Schema.from_pandas(empty).metadata, METADATA.encode(): matrix.description().encode()}
    values = pa.from_numpy_dtype(matrix.dtype)
    schema = pa.schema([(ROW_NAMES, pa.string()), *((name, values) for name in names)], metadata=metadata)
    # statistics of each column in each block would be most of the file's footer
    with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd", write_statistics=False) as writer:
        for rows, columns in matrix.blocks():
            block = pa.table([pa.array(regions[rows]), *map(pa.array, columns)], schema=schema)
            writer.write_table(block, row_group_size=len(block))
            del block  # before the next is read


def write_mtx(matrix: Matrix, path: Path) -> None:
    """Write a MatrixMarket file of the values that are not 0, sample by sample, compressed by gzip.

    It has no names: rows are those of the table of regions, columns those of the table of samples. The metadata is what
    follows the % of the comment lines, joined. Numbers are padded with blanks.
    """
    samples, regions = range(len(matrix.cohort)), len(matrix.cohort.regions)
    kind = "integer" if matrix.normalization is None else "real"
    entries = sum(int(np.count_nonzero(matrix.values(sample))) for sample in samples)
    text = matrix.description()
    comments = "".join(f"%{text[i : i + COMMENT]}\n" for i in range(0, len(text), COMMENT))
    rows = pad(pa.array(np.arange(1, regions + 1)).cast(pa.string()))
    with gzipped(path) as file:
        file.write(f"%%MatrixMarket matrix coordinate {kind} general\n{comments}".encode())
        file.write(f"{regions} {len(samples)} {entries}\n".encode())
        for sample in samples:
            file.write(format_mtx_lines(rows, sample, matrix.values(sample)))


def format_mtx_lines(row_numbers: NDArray[np.bytes_], sample: int, values: Numbers) -> bytes:
    """Return a line for each value of a sample that is not 0: row, column, value."""
    rows = np.flatnonzero(values)
    if not rows.size:
        return b""
    column = f" {sample + 1} ".encode()
    numbers = spell(values[rows])
    spellings = pad(numbers.dictionary)
    parts = {"row": row_numbers.dtype, "column": f"S{len(column)}", "value": spellings.dtype, "end": "S1"}
    lines = np.empty(len(rows), list(parts.items()))
    lines["row"], lines["column"], lines["end"] = row_numbers[rows], column, b"\n"
    lines["value"] = spellings[numbers.indices.to_numpy()]
    return lines.tobytes()


def spell(values: Numbers) -> pa.DictionaryArray:
    """Return numbers as text, in the fewest digits that read back as the same number.

    A sample has few distinct values, so each of them is made text only once.
    """
    encoded = pa.array(values).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, encoded.dictionary.cast(pa.string()))


def pad(texts: pa.StringArray) -> NDArray[np.bytes_]:
    """Return texts (at least one, of ASCII) of one width, with blanks before them."""
    width = pa.compute.max(pa.compute.binary_length(texts)).as_py()
    return np.frombuffer(pa.compute.ascii_lpad(texts, width).buffers()[2], f"S{width}", len(texts))


def write_h5ad(matrix: Matrix, path: Path) -> None:
    """Write an AnnData file: samples are `obs`, regions `var`; beside normalized values it has the layer `raw`, counts.

    The layout is that of anndata's "On-disk format" (AnnData 0.1.0, dataframe 0.2.0, array 0.2.0, dict 0.1.0).
    """
    with OverflowFile(path) as disk:
        with h5py.File(disk, "w") as file:
            _write_groups(matrix, file, disk)
        disk.check()


def _write_groups(matrix: Matrix, file: h5py.File, disk: OverflowFile) -> None:
    """Write all that an AnnData file holds; OSError soon after the first write that failed."""
    _set_encoding(file, "anndata", "0.1.0")
    _write_frame(file, "obs", NAME, matrix.cohort.names, matrix.samples)
    _write_frame(file, "var", ROW_NAMES, matrix.cohort.regions.names(), matrix.regions)
    groups = {name: file.create_group(name) for name in ("layers", "obsm", "varm", "obsp", "varp", "uns")}
    for group in groups.values():
        _set_encoding(group, "dict", "0.1.0")
    for name, text in {METADATA: matrix.description(), "normalization": matrix.method}.items():
        _set_encoding(groups["uns"].create_dataset(name, data=text, dtype=h5py.string_dtype()), "string", "0.2.0")
    counts = replace(matrix, normalization=None)
    layers = {"X": matrix} if matrix.normalization is None else {"X": matrix, "layers/raw": counts}
    for name, layer in layers.items():
        _write_values(file, name, layer, disk)


def _write_values(file: h5py.File, name: str, matrix: Matrix, disk: OverflowFile) -> None:
    """Write the values of a matrix, one sample per row and chunk."""
    shape = (len(matrix.cohort), len(matrix.cohort.regions))
    # shuffled, the bytes of small integers are mostly 0; those of real numbers repeat better as they are
    how = {"compression": "gzip", "compression_opts": 1, "shuffle": matrix.dtype.kind == "i"}
    values = file.create_dataset(name, shape, matrix.dtype, chunks=(1, shape[1]), **how)
    _set_encoding(values, "array", "0.2.0")
    for sample in range(shape[0]):
        values[sample] = matrix.values(sample)
        disk.check()


def _write_frame(file: h5py.File, name: str, index_name: str, index: list[str], table: pa.Table) -> None:
    group = file.create_group(name)
    _set_encoding(group, "dataframe", "0.2.0")
    columns = _allow_names(table.column_names, {index_name, "_index"})
    group.attrs["_index"] = index_name
    group.attrs["column-order"] = np.array(columns, h5py.string_dtype())
    for column, values in zip([index_name, *columns], [pa.array(index), *table.columns], strict=True):
        if values.type == pa.string():
            texts = [text.replace("\0", "") for text in values.to_pylist()]
            _set_encoding(group.create_dataset(column, data=texts, dtype=h5py.string_dtype()), "string-array", "0.2.0")
        else:
            _set_encoding(group.create_dataset(column, data=values.to_numpy()), "array", "0.2.0")


def _allow_names(columns: Sequence[str], reserved: set[str]) -> list[str]:
    """Return names that HDF5 and anndata allow: "_" stands for what they do not, and makes names unique."""
    taken = set(reserved)
    names = []
    for column in columns:
        name = re.sub(r"[/\0]|^\.$|^$", "_", column)
        while name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def _set_encoding(of: h5py.Group | h5py.Dataset, kind: str, version: str) -> None:
    of.attrs["encoding-type"], of.attrs["encoding-version"] = kind, version


Writer = Callable[[Matrix, Path], None]
WRITERS: dict[str, Writer] = {
    ".csv.gz": write_csv,
    ".parquet": write_parquet,
    ".h5ad": write_h5ad,
    ".mtx.gz": write_mtx,
}


def find_writer(path: Path) -> Writer:
    """Return the writer of the format that the suffix of a path names. Raises UserError for any other."""
    for suffix, writer in WRITERS.items():
        if path.name.endswith(suffix):
            return writer
    raise UserError(f"{path}: expected a file name that ends in one of {', '.join(WRITERS)}")
