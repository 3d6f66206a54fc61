"""What in the folder of results is not what is wanted now, told by content: times of files say nothing reliable.

Each file of counts has a description that says what it was counted from.
"""

import filecmp
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from divvy_coverage import results
from divvy_coverage.counting.origin import (
    compute_code_digest,
    describe_files,
    describe_origin,
    get_mitochondrial_contigs,
    read_origin,
)
from divvy_coverage.files import compute_sha256
from divvy_coverage.preflight.folders import Folders
from divvy_coverage.preflight.header_cache import map_in_threads
from divvy_coverage.preflight.sample_files import AlignedSample

OWN_FILES = (results.SAMPLES, results.COUNTING, results.WARNINGS)
OF_REGION_SETS = (results.REGIONS, results.SUPPORT)


def find_differences(
    config: Mapping[str, Any], counting: Mapping[str, Any], samples: Sequence[AlignedSample], folders: Folders
) -> list[str]:
    """Return the files that are to be made anew, relative to the folder of results.

    Parameters
    ----------
    config
        The configuration, all defaults filled in.
    counting
        What is counted, as `describe_counting` returns it.
    samples
        Those of the run.
    folders
        In `plan` is what the run is to be made of.
    """
    names = [*OWN_FILES, *(file.format(region_set=name) for name in config["regions"] for file in OF_REGION_SETS)]
    differing = [name for name in names if (folders.plan / name).exists() and not _are_equal(name, folders)]
    if not _are_equal(results.EXCLUDED, folders):
        differing.append(results.SAMPLES)  # who writes them writes both
    return [*differing, *_find_other_counts(config, counting, samples, folders)]


def _are_equal(name: str, folders: Folders) -> bool:
    """Tell whether a file is in both folders with the same content, or in none."""
    wanted, found = folders.plan / name, folders.results / name
    if not (wanted.exists() and found.exists()):
        return wanted.exists() == found.exists()
    return filecmp.cmp(wanted, found, shallow=False)


def _find_other_counts(
    config: Mapping[str, Any], counting: Mapping[str, Any], samples: Sequence[AlignedSample], folders: Folders
) -> Iterator[str]:
    """Find the counts of another origin than the wanted one; missing ones are Snakemake's matter."""
    statistics = config["statistics"]
    paths = [Path(path) if path else None for path in (statistics["tss"], config["reference"])]
    others = [(record["kind"], record["fingerprint"]) for record in describe_files([], [], *paths)]
    peaks = map_in_threads(_list_peaks, samples)
    files = [
        [*(("alignments", header.fingerprint) for header in each.headers), *own, *others]
        for each, own in zip(samples, peaks, strict=True)
    ]
    mitochondrial = get_mitochondrial_contigs(statistics["mitochondrial_contigs"])
    code = compute_code_digest()
    for region_set in config["regions"]:
        bed = folders.plan / results.REGIONS.format(region_set=region_set)
        sha = compute_sha256(bed)
        names = [results.STATISTICS.format(region_set=region_set, sample=each.sample.name) for each in samples]
        found = map_in_threads(read_origin, [folders.results / name for name in names])
        for name, origin, read in zip(names, found, files, strict=True):
            wanted = describe_origin(code, sha, counting, read, mitochondrial)
            if origin != wanted and (folders.results / name).exists():
                yield name


def _list_peaks(aligned: AlignedSample) -> list[tuple[str, str]]:
    """Return kind and fingerprint of a sample's peak files."""
    files = describe_files([], [Path(path) for path in aligned.sample.peaks or ()])
    return [(record["kind"], record["fingerprint"]) for record in files]
