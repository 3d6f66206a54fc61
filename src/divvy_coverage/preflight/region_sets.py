"""The region sets of a run: read from a BED file, or made of the samples' peaks, and written for all jobs."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

from divvy_coverage import __version__, results
from divvy_coverage.alignments.fingerprints import get_stamp
from divvy_coverage.errors import OutputError, UserError
from divvy_coverage.files import compute_sha256, encode_record, read_record, write_if_changed
from divvy_coverage.intervals.contigs import find_no_contig
from divvy_coverage.intervals.regions import Regions, describe_duplicates, join_regions, read_regions
from divvy_coverage.intervals.selection import select_regions
from divvy_coverage.naming import check_name
from divvy_coverage.preflight.folders import Folders
from divvy_coverage.problems import Problem, select_errors
from divvy_coverage.samples import Sample

NOTE = "{region_set}.consensus.json"
MADE_FROM, MADE, WARNINGS = "made from (SHA-256)", "made (SHA-256)", "warnings"  # of the note of a consensus


class Files(NamedTuple):
    """The files of a region set: for jobs, for people, and which samples support a consensus."""

    arrays: Path
    bed: Path
    support: Path

    @classmethod
    def of(cls, name: str, folder: Path) -> "Files":
        """Return those of a region set in a plan, or in the results."""
        return cls(*(folder / file.format(region_set=name) for file in (results.REGIONS, results.BED, results.SUPPORT)))


def build_region_set(
    name: str, config: Mapping[str, Any], samples: Sequence[Sample], lengths: Mapping[str, int], folders: Folders
) -> tuple[Regions | None, list[Problem]]:
    """Make a region set, and write it to the plan; a consensus that was made of the same is copied from the results.

    Parameters
    ----------
    name
        Of the region set.
    config
        The configuration, all defaults filled in.
    samples
        Those whose peaks a consensus is made of, if no `bed` is set.
    lengths
        Contig lengths (bp), where the regions of a consensus end.
    folders
        A consensus also gets its table of support in the plan, and in the cache a note of what it was made from.

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
    check_name(name, "regions")
    settings = config["regions"][name]
    paths = [Path(path) for path in dict.fromkeys((config["blacklist"], settings["blacklist"])) if path]
    if settings["bed"]:
        regions, problems = _select_given(name, settings, read_blacklists(paths, lengths))
        _write(regions, Files.of(name, folders.plan))
        return regions, problems
    files, earlier = Files.of(name, folders.plan), Files.of(name, folders.results)
    note, stamp = folders.cache / NOTE.format(region_set=name), _compute_stamp(settings, paths, samples, lengths)
    if (noted := _read_note(note, stamp, earlier)) is not None:
        _copy(earlier, files)
        return read_regions(files.arrays), noted
    try:
        blacklists = read_blacklists(paths, lengths)
        consensus, problems = _build_consensus(settings, blacklists, samples, lengths, files.support)
    except OutputError:
        raise
    except UserError as error:
        raise UserError(f"regions.{name}: {error}") from error
    if consensus is not None:
        _write(consensus, files)
        _write_note(note, stamp, files, problems)
    return consensus, problems


def read_blacklists(paths: Sequence[Path], lengths: Mapping[str, int]) -> list[Regions]:
    """Read blacklists. Raises UserError for one that has no contig of the alignments, whose lengths are given (bp)."""
    blacklists = [read_regions(path) for path in paths]
    for path, blacklist in zip(paths, blacklists, strict=True):
        if lengths and (
            problem := find_no_contig(blacklist.contigs, lengths, "blacklisted regions", "they would exclude nothing")
        ):
            raise UserError(f"{path}: {problem}")
    return blacklists


def _select_given(
    name: str, settings: Mapping[str, Any], blacklists: Sequence[Regions]
) -> tuple[Regions, list[Problem]]:
    """Return the regions of a file that are kept, and warnings of those that are not."""
    path = Path(settings["bed"])
    regions = read_regions(path)
    try:
        kept = select_regions(regions, settings["contigs"], blacklists)
    except UserError as error:
        raise UserError(f"regions.{name}: {error}") from error
    problems = check_duplicates(regions, path)
    if removed := len(regions) - len(kept):
        text = f"{path}: {removed} regions were removed, by contigs or a blacklist; {len(kept)} regions remain"
        problems.append(Problem("", None, "regions", "warning", text))
    return kept, problems


def check_duplicates(regions: Regions, path: Path) -> list[Problem]:
    """Return a warning if duplicates were dropped when `regions` were read from `path`."""
    text = describe_duplicates(regions, path)
    return [Problem("", None, "regions", "warning", text)] if text else []


def _write(regions: Regions, files: Files) -> None:
    """Write a region set for jobs, and for people."""
    write_if_changed(files.arrays, regions.npz())
    write_if_changed(files.bed, regions.bed())


def _copy(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    for source, target in zip(sources, targets, strict=True):
        if source != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _read_note(note: Path, stamp: str, files: Sequence[Path]) -> list[Problem] | None:
    """Return the warnings of when a consensus was made, if it was made from the same, and `files` are what was made."""
    try:
        content = read_record(note, "the note of a consensus")
        if (content[MADE_FROM], content[MADE]) != (stamp, _compute_digests(files)):
            return None
    except (UserError, OSError):
        return None
    return [Problem(*fields) for fields in content[WARNINGS]]


def _write_note(note: Path, stamp: str, files: Sequence[Path], problems: Sequence[Problem]) -> None:
    """Write of what a consensus was made and what was made, if it can be written."""
    warnings = [astuple(problem) for problem in problems]
    content = {MADE_FROM: stamp, MADE: _compute_digests(files), WARNINGS: warnings}
    with suppress(OutputError):
        write_if_changed(note, encode_record(content))


def _compute_digests(files: Sequence[Path]) -> list[str]:
    return [compute_sha256(file) for file in files]


def _build_consensus(
    settings: Mapping[str, Any],
    blacklists: Sequence[Regions],
    samples: Sequence[Sample],
    lengths: Mapping[str, int],
    support: Path,
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
    blacklist = join_regions(blacklists) if blacklists else None
    contigs, minimum = settings["contigs"], options["min_samples"]
    consensus = build_consensus(peaks, minimum, groups, blacklist, contigs, lengths or None)
    write_support(consensus, support)
    return consensus.regions, [*problems, *consensus.problems]


def _compute_stamp(
    settings: Mapping[str, Any], blacklists: Sequence[Path], samples: Sequence[Sample], lengths: Mapping[str, int]
) -> str:
    """Return what a consensus depends on, in short: while it stays the same, peaks are not read again."""
    files = [Path(path) for sample in samples for path in sample.peaks or ()]
    files += blacklists
    status = [(str(path), *get_stamp(path)) for path in files]
    group = settings["consensus"]["group"]
    members = [(sample.name, sample.peaks, sample.get_columns().get(group)) for sample in samples]
    content = json.dumps([__version__, settings, members, status, sorted(lengths.items())], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
