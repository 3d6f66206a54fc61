"""A small project of simulated ATAC-seq samples, to try the workflow with: a PEP, BAM files, peaks, and regions."""

from pathlib import Path

from divvy_coverage.project import Project

__all__ = ["generate_project"]


def generate_project(
    folder: str | Path = "demo",
    *,
    samples: int = 12,
    regions: int = 1000,
    reads: int = 50_000,
    seed: int = 1,
    sample_input_files: bool = True,
) -> Project:
    """Simulate a project of two groups of samples, and return it.

    In a tenth of the regions the groups differ; `truth.tsv` has the log2 fold changes. The same arguments give the same
    files. An existing complete project is not simulated again.

    Parameters
    ----------
    folder
        Where to write the project; results go there, too.
    samples, regions
        Number of samples, and of regions (200 to 900 bp wide).
    reads
        Aligned reads per sample, two per fragment.
    seed
        Seed of the simulation.
    sample_input_files
        Whether to simulate the samples' BAM and peak files; without them there are sample sheet and regions only.

    Raises
    ------
    UserError
        For invalid numbers, or a folder that holds another project.

    Examples
    --------
    >>> project = generate_project("demo", samples=4)  # doctest: +SKIP
    >>> project.measure_coverage().shape  # doctest: +SKIP
    (1000, 4)
    """
    from divvy_coverage.demo.files import write_project  # slow to import

    write_project(Path(folder), samples, regions, reads, seed, sample_input_files)
    return Project(Path(folder) / "config.yaml")
