"""What results are to be made from, and which are not what is wanted now, told by content: times of files say nothing.

The evidence of each sample says what it was made from.
"""

import filecmp
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from divvy_coverage import results
from divvy_coverage.counting.evidence import Evidence, read_evidence
from divvy_coverage.counting.inputs import Identity, Inputs, identify_files
from divvy_coverage.counting.origin import compute_code_digest, describe_files
from divvy_coverage.errors import UserError
from divvy_coverage.files import encode_record, write_if_changed
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.preflight.folders import Folders
from divvy_coverage.preflight.header_cache import map_in_threads
from divvy_coverage.preflight.sample_files import AlignedSample

STEPS = ("summarize", "normalize")
OWN_FILES = (
    *(results.SAMPLES, results.INPUTS, results.WARNINGS),
    *(results.SETTINGS.format(step=step) for step in STEPS),
)
OF_REGION_SETS = (results.REGIONS, results.BED, results.SUPPORT)


def describe_inputs(config: Mapping[str, Any], counting: Mapping[str, Any], samples: Sequence[AlignedSample]) -> Inputs:
    """Return what evidence is to be made from: `counting`, as `describe_counting` returns it, and files as they are."""
    names = (config["statistics"]["tss"], config["blacklist"], config["reference"])
    shared = identify_files(describe_files([], [], *(Path(name) if name else None for name in names)))
    peaks = map_in_threads(_identify_peaks, samples)
    files = {
        each.sample.name: [*(("alignments", header.fingerprint) for header in each.headers), *own, *shared]
        for each, own in zip(samples, peaks, strict=True)
    }
    return Inputs(compute_code_digest(), counting, files)


def write_settings(config: Mapping[str, Any], folder: Path) -> None:
    """Write the settings that summaries and normalized values depend on, but counts do not, for each of these STEPS."""
    matrix, mitochondrial = config["matrix"], config["statistics"]["mitochondrial_contigs"]
    settings = {
        "summarize": {"library_size": matrix["library_size"], "mitochondrial_contigs": mitochondrial},
        "normalize": {"normalization": matrix["normalization"]},
    }
    for step in STEPS:
        write_if_changed(folder / results.SETTINGS.format(step=step), encode_record(settings[step]))


def find_differences(inputs: Inputs, region_sets: Sequence[str], folders: Folders) -> list[str]:
    """Return the files that are to be made anew, relative to the folder of results.

    Parameters
    ----------
    inputs
        What evidence is to be made from.
    region_sets
        Their names.
    folders
        In `plan` is what the run is to be made of.
    """
    names = [*OWN_FILES, *(file.format(region_set=name) for name in region_sets for file in OF_REGION_SETS)]
    differing = [name for name in names if (folders.plan / name).exists() and not _are_equal(name, folders)]
    if not _are_equal(results.EXCLUDED, folders):
        differing.append(results.SAMPLES)  # who writes them writes both
    return [*differing, *_find_other_evidence(inputs, region_sets, folders)]


def _are_equal(name: str, folders: Folders) -> bool:
    """Tell whether a file is in both folders with the same content, or in none."""
    wanted, found = folders.plan / name, folders.results / name
    if not (wanted.exists() and found.exists()):
        return wanted.exists() == found.exists()
    return filecmp.cmp(wanted, found, shallow=False)


def _find_other_evidence(inputs: Inputs, region_sets: Sequence[str], folders: Folders) -> Iterator[str]:
    """Find the evidence that is not what is wanted now, or was lost, with its counts or without them.

    Snakemake makes what is needed for what is not there yet, but does not miss what something was made of.
    """
    files = {name: folders.plan / results.REGIONS.format(region_set=name) for name in region_sets}
    digests = {name: read_regions(file).sha256() for name, file in files.items()}
    was_used = any((folders.results / results.STATS.format(region_set=name)).exists() for name in region_sets)

    def is_wanted(sample: str) -> bool:
        """Tell whether all counts of a sample are there, and are what is wanted."""
        counts = [results.COUNTS.format(sample=sample, region_set=name) for name in region_sets]
        evidence = _read_evidence(folders.results / results.EVIDENCE.format(sample=sample))
        if evidence is None or not all((folders.results / name).exists() for name in counts):
            return False
        found = {name: each.sha256 for name, each in evidence.region_sets.items()}
        return digests.items() <= found.items() and not inputs.explain_difference(sample, evidence)

    for sample, wanted in zip(inputs.files, map_in_threads(is_wanted, list(inputs.files)), strict=True):
        name = results.EVIDENCE.format(sample=sample)
        if not wanted and (was_used or (folders.results / name).exists()):
            yield name


def _read_evidence(path: Path) -> Evidence | None:
    """Return the evidence in a file; None if it is none."""
    try:
        return read_evidence(path)
    except UserError:
        return None


def _identify_peaks(aligned: AlignedSample) -> list[Identity]:
    return identify_files(describe_files([], [Path(path) for path in aligned.sample.peaks or ()]))
