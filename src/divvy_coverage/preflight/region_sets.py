"""The region sets of a run: read from a BED file, or made of the samples' peaks, and written as BED3 for all jobs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from divvy_coverage import __version__, results
from divvy_coverage.errors import UserError
from divvy_coverage.files import write_if_changed
from divvy_coverage.intervals.regions import Regions, describe_duplicates, read_regions
from divvy_coverage.problems import Problem, select_errors
from divvy_coverage.samples import Sample

MADE_FROM, WARNINGS = "made from (SHA-256)", "warnings"  # of the note beside a consensus


def build_region_set(
    name: str, settings: Mapping[str, Any], samples: Sequence[Sample], lengths: Mapping[str, int], folder: Path
) -> tuple[Regions | None, list[Problem]]:
    """Make a region set, and write it to the folder of results; files are rewritten only if they change.

    Parameters
    ----------
    name
        Of the region set.
    settings
        Its section of the configuration, all defaults filled in.
    samples
        Those whose peaks a consensus is made of, if `settings["bed"]` is empty.
    lengths
        Contig lengths (bp), where the regions of a consensus end.
    folder
        Of results; a consensus also gets its table of support there, and a note of what it was made from.

    Returns
    -------
    regions
        None if peaks have errors.
    problems
        Errors of samples, and warnings.

    Raises
    ------
    UserError
        For an error that is not of a single sample.
    """
    if settings["bed"]:
        regions = read_regions(Path(settings["bed"]))
        write_if_changed(folder / results.REGIONS.format(region_set=name), regions.bed())
        return regions, check_duplicates(regions, Path(settings["bed"]))
    out, note = (folder / file.format(region_set=name) for file in (results.REGIONS, results.CONSENSUS))
    stamp = _compute_stamp(settings, samples, lengths)
    if out.exists() and (noted := _read_note(note, stamp)) is not None:
        return read_regions(out), noted
    support = folder / results.SUPPORT.format(region_set=name)
    try:
        consensus, problems = _build_consensus(settings, samples, lengths, support)
    except UserError as error:
        raise UserError(f"regions.{name}: {error}") from error
    if consensus is not None:
        write_if_changed(out, consensus.bed())
        content = {MADE_FROM: stamp, WARNINGS: [astuple(problem) for problem in problems]}
        write_if_changed(note, json.dumps(content, indent=1).encode())
    return consensus, problems


def check_duplicates(regions: Regions, path: Path) -> list[Problem]:
    """Return a warning if duplicates were dropped when `regions` were read from `path`."""
    text = describe_duplicates(regions, path)
    return [Problem("", None, "regions", "warning", text)] if text else []


def _read_note(note: Path, stamp: str) -> list[Problem] | None:
    """Return the warnings of when a consensus was made, if it was made from the same."""
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        return [Problem(*fields) for fields in content[WARNINGS]] if content[MADE_FROM] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build_consensus(
    settings: Mapping[str, Any], samples: Sequence[Sample], lengths: Mapping[str, int], support: Path
) -> tuple[Regions | None, list[Problem]]:
    """Build the consensus of the samples' peaks, and write its table of support."""
    from divvy_coverage.peaks.consensus import build_consensus  # pandas costs a second
    from divvy_coverage.peaks.sample_peaks import read_sample_peaks
    from divvy_coverage.peaks.support import write_support

    options = settings["consensus"]
    peaks, groups, problems = read_sample_peaks(samples, options["source"], options["extension"], options["group"])
    if select_errors(problems):
        return None, problems
    if not peaks:
        raise UserError(
            "no sample has peaks to make regions of; give `bed`, or name the sheet's attribute with peak files in "
            "samples.peaks"
        )
    blacklist = None
    if settings["blacklist"]:
        blacklist = read_regions(Path(settings["blacklist"]))
        problems += check_duplicates(blacklist, Path(settings["blacklist"]))
    contigs = settings["contigs"] or ".*"
    consensus = build_consensus(peaks, options["min_samples"], groups, blacklist, contigs, lengths or None)
    write_support(consensus, support)
    return consensus.regions, [*problems, *consensus.problems]


def _compute_stamp(settings: Mapping[str, Any], samples: Sequence[Sample], lengths: Mapping[str, int]) -> str:
    """Return what a consensus depends on, in short: while it stays the same, peaks are not read again."""
    files = [Path(path) for sample in samples for path in sample.peaks or ()]
    files += [Path(settings["blacklist"])] if settings["blacklist"] else []
    status = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.exists()]
    group = settings["consensus"]["group"]
    members = [(sample.name, sample.peaks, sample.get_columns().get(group)) for sample in samples]
    content = json.dumps([__version__, settings, members, status, sorted(lengths.items())], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
