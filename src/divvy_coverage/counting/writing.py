"""Writing what was counted of a sample."""

from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.counting.evidence import (
    Evidence,
    FileRecord,
    RegionSetEvidence,
    checksum,
    write_counts,
    write_evidence,
)
from divvy_coverage.counting.origin import compute_code_digest, describe_counting
from divvy_coverage.counting.passes import Counted, Wanted


def make_evidence(files: Sequence[FileRecord], wanted: Wanted, counted: Counted, names: Sequence[str]) -> Evidence:
    """Return the evidence of a sample.

    Parameters
    ----------
    files
        Those that it was counted from, as `describe_files` returns them.
    wanted, counted
        What was to be counted, and what was.
    names
        Of the region sets.
    """
    counting = describe_counting(wanted.counting, wanted.blacklist, with_profile=counted.tally.tss_profile is not None)
    sets = zip(names, wanted.region_sets, counted.counts, counted.in_regions.tolist(), strict=True)
    region_sets = {
        name: RegionSetEvidence(len(regions), regions.sha256(), here, int(counts.sum()), checksum(counts))
        for name, regions, counts, here in sets
    }
    return Evidence(compute_code_digest(), files, counting, counted.tally, counted.in_peaks, region_sets)


def write_sample(evidence: Evidence, counted: Counted, wanted: Wanted, path: Path, outputs: Sequence[Path]) -> None:
    """Write the counts of each region set and, last, the evidence to `path`.

    Raises UserError for a count that is too large.
    """
    for output, regions, counts in zip(outputs, wanted.region_sets, counted.counts, strict=True):
        write_counts(counts, output, regions)
    write_evidence(evidence, path)
