"""Reading a matrix back."""

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
    import pandas as pd

    path = Path(path)
    readers = {".csv.gz": _read_csv, ".parquet": pd.read_parquet, ".h5ad": _read_h5ad}
    for suffix, read in readers.items():
        if path.name.endswith(suffix):
            try:
                matrix: pd.DataFrame = read(path)
            except (OSError, ValueError, KeyError, EOFError) as error:
                raise UserError(f"{path}: cannot be read as a matrix: {error}; collect it again") from error
            return matrix
    raise UserError(f"{path}: expected a file that ends in one of {', '.join(readers)}")


def _read_csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(path, index_col=ROW_NAMES)


def _read_h5ad(path: Path) -> "pd.DataFrame":
    import h5py
    import pandas as pd

    with h5py.File(path) as file:
        axes = [file[name][file[name].attrs["_index"]].asstr()[()] for name in ("var", "obs")]
        return pd.DataFrame(file["X"][()].T, pd.Index(axes[0], name=ROW_NAMES), axes[1])
