"""Count the alignments of a sample: BAM by the compiled engine, SAM and CRAM by pysam."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from divvy_coverage.alignments.file_types import alignment_kind
from divvy_coverage.counting import bam
from divvy_coverage.counting.definition import Counting, Integers, Tally
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.intervals.start_sites import NO_START_SITES, StartSites

Progress = Callable[[int], None]  # is told bytes of the file as they are done


def count(
    paths: Sequence[Path],
    regions: Regions,
    counting: Counting,
    sites: StartSites = NO_START_SITES,
    reference: Path | None = None,
    threads: int = 1,
    progress: Progress = lambda done: None,
) -> tuple[Integers, Tally]:
    """Count one sample, which may have several files; `reference` (FASTA) is for CRAM files without an own one.

    Returns the counts (int64, region order) and the statistics; `counting` says what a count is (defined in
    config/README.md). Raises UserError for a file that is missing, not an alignment file, truncated, damaged, or of
    another genome than the regions.
    """
    counts, tally = np.zeros(len(regions), np.int64), Tally()
    for path in paths:
        try:
            with path.open("rb") as file:
                kind = alignment_kind(file, path)
            if kind == "bam":
                file_counts, file_tally = bam.count(path, regions, counting, sites, threads, progress)
            else:
                from divvy_coverage.counting import pysam_counter  # only what is not BAM needs pysam

                file_counts, file_tally = pysam_counter.count(path, regions, counting, sites, reference)
                progress(path.stat().st_size)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
        counts += file_counts
        tally.add(file_tally)
    return counts, tally
