"""Count the alignments of a sample: BAM by the compiled engine, SAM and CRAM by pysam."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from divvy_coverage.alignments.file_types import find_alignment_kind
from divvy_coverage.arrays import Integers
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.statistics import Tally
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions, describe_duplicates, read_regions
from divvy_coverage.intervals.start_sites import NO_START_SITES, StartSites, read_start_sites
from divvy_coverage.progress import Progress, show_nothing

Warn = Callable[[str], None]


def count_alignments(
    files: str | Path | Sequence[str | Path],
    regions: Regions | str | Path,
    counting: Counting | None = None,
    sites: StartSites | str | Path = NO_START_SITES,
    reference: str | Path | None = None,
    threads: int = 1,
    progress: Progress = show_nothing,
    warn: Warn = warnings.warn,
) -> tuple[Integers, Tally]:
    """Count the alignments of one sample in every region.

    No index and no order of the alignments is needed: each file is read once, from front to back.

    Parameters
    ----------
    files
        Alignment files of the sample: BAM, CRAM or SAM, told by content. Several are counted as one.
    regions
        n regions, or a file of them (see `read_regions`).
    counting
        What one count is, and which alignments are kept; by default reads that are mapped, primary, and neither
        duplicates nor failed quality checks.
    sites
        Transcription start sites, or a file of them (BED6), for the profile of insertions around them.
    reference
        Reference genome (FASTA), for CRAM files that do not carry their own.
    threads
        Number of threads for a BAM file.
    progress
        Is told numbers of bytes of the files as they are done.
    warn
        Is told of regions that are duplicates, or end beyond the end of their contig.

    Returns
    -------
    counts : Integers
        Counts in the order of the regions (int64, n).
    tally : Tally
        Statistics of the alignments.

    Raises
    ------
    UserError
        For a file that is missing, not an alignment file, truncated, damaged, or of another genome than the regions.

    Examples
    --------
    >>> counts, tally = count_alignments("sample.bam", "peaks.bed", Counting(min_mapq=30))  # doctest: +SKIP
    >>> tally["in_regions"] / tally["counted"]  # FRiP  # doctest: +SKIP
    0.31
    """
    paths = [Path(file) for file in ([files] if isinstance(files, (str, Path)) else files)]
    if not paths:
        raise UserError("files: expected at least one alignment file, found none")
    if reference is not None and not Path(reference).is_file():
        raise UserError(f"{reference}: no such file; give a reference genome (FASTA)")
    if not isinstance(regions, Regions):
        path, regions = regions, read_regions(regions)
        if warning := describe_duplicates(regions, path):
            warn(warning)
    sites = sites if isinstance(sites, StartSites) else read_start_sites(sites)
    genome = None if reference is None else Path(reference)
    counts, tally = np.zeros(len(regions), np.int64), Tally()
    for path in paths:
        try:
            file_counts, file_tally = _count_file(
                path, regions, counting or Counting(), sites, genome, threads, progress, warn
            )
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
        counts += file_counts
        tally.add(file_tally)
    return counts, tally


def _count_file(
    path: Path,
    regions: Regions,
    counting: Counting,
    sites: StartSites,
    reference: Path | None,
    threads: int,
    progress: Progress,
    warn: Warn,
) -> tuple[Integers, Tally]:
    with path.open("rb") as file:
        kind = find_alignment_kind(file, path)
    if kind == "bam":
        from divvy_coverage.counting.bam_engine import count_bam  # numba takes its time

        return count_bam(path, regions, counting, sites, max(1, threads), progress, warn)
    from divvy_coverage.counting.pysam_counter import count_with_pysam  # only what is not BAM needs pysam

    counted = count_with_pysam(path, regions, counting, sites, reference, warn)
    progress(path.stat().st_size)
    return counted
