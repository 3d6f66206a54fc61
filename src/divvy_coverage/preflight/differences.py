"""What in the folder of results is not what is wanted now, told by content: times of files say nothing reliable.

The evidence of each sample says what it was made from.
"""

import filecmp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from divvy_coverage import results
from divvy_coverage.counting.evidence import FileRecord, read_evidence
from divvy_coverage.counting.origin import compute_code_digest, describe_files
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.preflight.folders import Folders
from divvy_coverage.preflight.header_cache import map_in_threads
from divvy_coverage.preflight.sample_files import AlignedSample

OWN_FILES = (results.SAMPLES, results.COUNTING, results.WARNINGS)
OF_REGION_SETS = (results.REGIONS, results.BED, results.SUPPORT)

KindAndFingerprint = tuple[str, str]  # of a file
# of the code, what was counted, files, and SHA-256 of region sets by name
Origin = tuple[str, Mapping[str, Any], list[KindAndFingerprint], Mapping[str, str]]


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
    return [*differing, *_find_other_evidence(config, counting, samples, folders)]


def _are_equal(name: str, folders: Folders) -> bool:
    """Tell whether a file is in both folders with the same content, or in none."""
    wanted, found = folders.plan / name, folders.results / name
    if not (wanted.exists() and found.exists()):
        return wanted.exists() == found.exists()
    return filecmp.cmp(wanted, found, shallow=False)


def _find_other_evidence(
    config: Mapping[str, Any], counting: Mapping[str, Any], samples: Sequence[AlignedSample], folders: Folders
) -> Iterator[str]:
    """Find the evidence that is not what is wanted now; missing one is Snakemake's matter."""
    others = [Path(path) if path else None for path in (config["statistics"]["tss"], config["reference"])]
    shared = _list_files(describe_files([], [], *others))
    peaks = map_in_threads(_list_peaks, samples)
    names = [results.EVIDENCE.format(sample=each.sample.name) for each in samples]
    found = map_in_threads(_read_origin, [folders.results / name for name in names])
    code = compute_code_digest()
    files = {name: folders.plan / results.REGIONS.format(region_set=name) for name in config["regions"]}
    region_sets = {name: read_regions(file).sha256() for name, file in files.items()}
    for sample, name, own, origin in zip(samples, names, peaks, found, strict=True):
        inputs = [*(("alignments", header.fingerprint) for header in sample.headers), *own, *shared]
        same = (
            origin is not None and origin[:3] == (code, counting, inputs) and region_sets.items() <= origin[3].items()
        )
        if not same and (folders.results / name).exists():
            yield name


def _read_origin(path: Path) -> Origin | None:
    """Return what evidence says that it was made from; None if it is none."""
    try:
        evidence = read_evidence(path)
    except UserError:
        return None
    region_sets = {name: each.sha256 for name, each in evidence.region_sets.items()}
    return evidence.code, evidence.counting, _list_files(evidence.files), region_sets


def _list_peaks(aligned: AlignedSample) -> list[KindAndFingerprint]:
    """Return kind and fingerprint of a sample's peak files."""
    return _list_files(describe_files([], [Path(path) for path in aligned.sample.peaks or ()]))


def _list_files(records: Iterable[FileRecord]) -> list[KindAndFingerprint]:
    return [(record["kind"], record["fingerprint"]) for record in records]
