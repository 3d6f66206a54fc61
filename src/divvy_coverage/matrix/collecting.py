"""The matrix of regions × samples, from the counts of single samples to one file."""

import glob
from importlib.metadata import version
from pathlib import Path

from divvy_coverage import __version__
from divvy_coverage.files import compute_sha256, replacing
from divvy_coverage.matrix.cohort import Cohort
from divvy_coverage.matrix.formats import Matrix, find_writer
from divvy_coverage.matrix.normalization import fit_to_statistics
from divvy_coverage.matrix.tables import build_sample_table, read_region_statistics, read_statistics
from divvy_coverage.samples import read_samples

SOFTWARE = ("h5py", "numpy", "pandas", "pyarrow")  # that decides about the bytes of a matrix


def collect_coverage(cohort: Cohort, samples: Path, statistics: Path, region_statistics: Path, method: str) -> Matrix:
    """Return the matrix of a cohort, whose values are not read before they are used.

    Parameters
    ----------
    cohort
        The samples, which give the columns, and the regions, which give the rows.
    samples
        Table of the same samples with all their attributes.
    statistics, region_statistics
        Tables with one row per sample and one row per region.
    method
        The normalization, or "none" for counts.

    Raises
    ------
    UserError
        If the coverage of a sample is damaged, missing, or of other regions or settings than that of the others.
    """
    found = cohort.read_findings()[0]  # regions and counting are the same in all
    rows = read_statistics(statistics, cohort.names)
    metadata = {
        "version": __version__,
        "software": {name: version(name) for name in SOFTWARE},
        "samples_sha256": compute_sha256(samples),
        "matrix": {
            "normalization": method,
            "regions": len(cohort.regions),
            "regions_sha256": found.evidence.sha256,
            "counting": dict(found.counting),
        },
    }
    return Matrix(
        cohort,
        method,
        None if method == "none" else fit_to_statistics(method, cohort, rows),
        build_sample_table(read_samples(samples), rows),
        read_region_statistics(region_statistics, cohort.regions),
        metadata,
    )


def write_matrix(matrix: Matrix, path: Path) -> None:
    """Write a matrix in the format that the suffix of the path names; what a killed run left behind is removed."""
    write = find_writer(path)
    for leftover in path.parent.glob(f".????????.{glob.escape(path.name[-80:])}"):  # named by `replacing`
        leftover.unlink(missing_ok=True)
    with replacing(path) as temporary:
        write(matrix, temporary)
