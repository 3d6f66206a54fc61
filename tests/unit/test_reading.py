"""Reading a matrix back into Python: the same values and names from each format, and files that are none."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from divvy_coverage import UserError, read_matrix
from divvy_coverage.matrix.collecting import write_matrix
from divvy_coverage.matrix.formats import Matrix
from divvy_coverage.matrix.normalization import fit
from helpers import write_cohort

NAMES = ["NA", "007", "1e5", "nan", "null", "True", ".5", "1.0"]
READABLE = ["csv.gz", "parquet", "h5ad"]
COUNTS = np.random.default_rng(4).negative_binomial(1, 0.05, (30, len(NAMES)))


@pytest.fixture(scope="module")
def matrices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a matrix of counts and one of normalized values in each format; not to be changed."""
    folder = tmp_path_factory.mktemp("matrices")
    cohort = write_cohort(folder, COUNTS, NAMES)
    nothing = np.full(len(NAMES), np.nan)
    for kind, normalization in (("raw", None), ("norm", fit("log2cpm", cohort, COUNTS.sum(axis=0), nothing, nothing))):
        for suffix in READABLE:
            matrix = Matrix(cohort, "log2cpm", normalization, pa.table({}), pa.table({}), {})
            write_matrix(matrix, folder / f"{kind}.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", READABLE)
def test_a_matrix_has_regions_and_samples_by_name(matrices: Path, suffix: str) -> None:
    matrix = read_matrix(matrices / f"raw.{suffix}")
    assert matrix.index.name == "region"
    assert list(matrix.index[:2]) == ["chr1:0-100", "chr1:50000-50110"]
    assert list(matrix.columns) == NAMES
    assert all(np.issubdtype(dtype, np.integer) for dtype in matrix.dtypes)
    np.testing.assert_array_equal(matrix, COUNTS)


@pytest.mark.parametrize("suffix", READABLE)
def test_normalized_values_are_read_to_the_last_bit(matrices: Path, suffix: str) -> None:
    matrix = read_matrix(str(matrices / f"norm.{suffix}"))
    assert (matrix.dtypes == np.float64).all()
    np.testing.assert_array_equal(matrix, np.log2(1 + COUNTS * (1e6 / COUNTS.sum(axis=0))))


@pytest.mark.parametrize("suffix", READABLE)
def test_a_damaged_matrix_is_refused(matrices: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m.{suffix}"
    content = (matrices / f"norm.{suffix}").read_bytes()
    middle = len(content) // 2
    for damaged in (b"", content[:middle], content[:30] + b"\xff" * (middle - 30) + content[middle:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"m\.\w+.*cannot be read as a matrix"):
            read_matrix(path)


def test_other_tables_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with gzip.open(tmp_path / "other.csv.gz", "wt") as file:
        file.write("a,b\n1,2\n")
    for name in ("other.parquet", "other.csv.gz"):
        with pytest.raises(UserError, match="cannot be read as a matrix"):
            read_matrix(tmp_path / name)


def test_what_is_not_there_or_has_another_format_is_refused(matrices: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.parquet").mkdir()
    for name in ("none.csv.gz", "none.parquet", "none.h5ad", "folder.parquet"):
        with pytest.raises(UserError, match="no such file"):
            read_matrix(tmp_path / name)
    shutil.copy(matrices / "raw.csv.gz", tmp_path / "m.mtx.gz")
    with pytest.raises(UserError, match=r"\.csv\.gz, \.parquet, \.h5ad"):
        read_matrix(tmp_path / "m.mtx.gz")
