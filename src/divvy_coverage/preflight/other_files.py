"""The other files that a configuration names: whether they can be read, and whether start sites fit the alignments."""

from collections.abc import Mapping, Sequence
from typing import Any

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.contigs import explain_outside, find_no_contig, get_lengths
from divvy_coverage.intervals.start_sites import read_start_sites
from divvy_coverage.preflight.genomes import join_contigs
from divvy_coverage.preflight.sample_files import AlignedSample
from divvy_coverage.problems import Problem
from divvy_coverage.sheets.paths import check_file


def check_other_files(config: Mapping[str, Any], samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return what is wrong with the blacklist, the start sites and the reference genome that are set.

    What is in a blacklist is seen where regions are selected by it, and what is in a reference genome when it is used.
    """
    sites = config["statistics"]["tss"]
    files = {"blacklist": config["blacklist"], "statistics.tss": sites, "reference": config["reference"]}
    texts = {name: check_file(path) for name, path in files.items() if path}
    problems = [Problem("", None, "paths", "error", f"{name}: {text}") for name, text in texts.items() if text]
    if not sites or texts["statistics.tss"]:
        return problems
    text = _find_wrong_start_sites(sites, join_contigs(samples))
    return [*problems, Problem("", None, "start sites", "error", text)] if text else problems


def _find_wrong_start_sites(path: str, lengths: Mapping[str, int]) -> str:
    """Say why start sites cannot be read, or do not fit contigs of these lengths (bp); "" if they do."""
    try:
        sites = read_start_sites(path)
    except UserError as error:
        return str(error)
    if not lengths:
        return ""  # no sample is left
    if misfit := find_no_contig(sites.contigs, lengths, "start sites", "their profile would be empty"):
        return f"{path}: {misfit}"
    length = get_lengths(sites.contigs, lengths)[sites.codes]
    outside = explain_outside(sites.contigs, sites.codes, sites.positions, length, "start sites", "are")
    return f"{path}: {outside}" if outside else ""
