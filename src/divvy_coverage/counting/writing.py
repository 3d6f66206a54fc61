"""Writing what was counted of a sample, with what it was counted from."""

from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.counting.bins import write_bins
from divvy_coverage.counting.origin import FileRecord, compute_code_digest, describe_counting
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.counting.sample_files import describe, to_int32, write_sample


def write_counted(
    files: Sequence[FileRecord],
    wanted: Wanted,
    counted: Counted,
    outputs: Sequence[tuple[Path, Path]],
    bins: Path | None = None,
) -> None:
    """Write what was counted of a sample.

    Parameters
    ----------
    files
        Those that it was counted from, as `describe_files` returns them.
    wanted, counted
        What was to be counted, and what was.
    outputs
        For each region set the files of the counts and of the description.
    bins
        The file of the bins, if they are to be written.
    """
    contigs = list(wanted.mitochondrial_contigs)
    with_profile = len(wanted.sites.contigs) > 0
    counting = describe_counting(wanted.counting, wanted.blacklist, with_profile)
    origin = {"mitochondrial_contigs": contigs, "code": compute_code_digest()}
    for number, (regions, paths) in enumerate(zip(wanted.region_sets, outputs, strict=True)):
        counts = to_int32(counted.counts[number], paths[0])
        in_regions = int(counted.in_regions[number])
        statistics = counted.tally.describe(in_regions, counted.in_peaks, contigs, with_profile)
        description = describe(files, regions, counting, counts, statistics | origin)
        write_sample(*paths, counts, description, regions)
    if bins and counted.bins:
        write_bins(bins, counted.bins, {"counting": counting, "files": list(files)})
