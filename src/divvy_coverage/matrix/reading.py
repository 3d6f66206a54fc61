"""Reading a matrix back."""

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import ROW_NAMES

if TYPE_CHECKING:
    import pandas as pd


def read_matrix(path: str | Path) -> "pd.DataFrame":
    """Read a matrix that `collect_coverage` wrote.

    Parameters
    ----------
    path
        A file that ends in .csv.gz or .parquet, or in .h5ad, of which the values (X) are read.

    Returns
    -------
    DataFrame
        Regions × samples: integers for counts, floating-point numbers for normalized values. The index, `region`, has
        "chrom:start-end"; the columns are the samples' names, as text.

    Raises
    ------
    UserError
        For a file that is not there, is damaged, or has another format.

    Examples
    --------
    >>> matrix = read_matrix("results/matrix/peak_set.matrix_raw.parquet")  # doctest: +SKIP
    """
    path = Path(path)
    readers = {".csv.gz": _read_csv, ".parquet": _read_parquet, ".h5ad": _read_h5ad}
    read = next((read for suffix, read in readers.items() if path.name.endswith(suffix)), None)
    if read is None:
        raise UserError(f"{path}: expected a file that ends in one of {', '.join(readers)}")
    if not path.is_file():
        raise UserError(f"{path}: expected a matrix, found no such file; collect it first")
    try:
        return read(path)
    except (OSError, ValueError, KeyError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read as a matrix: {error}; collect it again") from error


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(path, index_col=ROW_NAMES)


def _read_parquet(path: Path) -> "pd.DataFrame":
    import pandas as pd

    matrix: pd.DataFrame = pd.read_parquet(path)
    if matrix.index.name != ROW_NAMES:
        raise ValueError(f"expected the index {ROW_NAMES}, found {matrix.index.name}")
    return matrix


def _read_h5ad(path: Path) -> "pd.DataFrame":
    import h5py
    import pandas as pd

    with h5py.File(path) as file:
        axes = [file[name][file[name].attrs["_index"]].asstr()[()] for name in ("var", "obs")]
        return pd.DataFrame(file["X"][()].T, pd.Index(axes[0], name=ROW_NAMES), axes[1])
