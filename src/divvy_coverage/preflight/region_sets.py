"""The region sets of a run: read from a BED file, or made of the samples' peaks, and frozen as BED3."""

import hashlib
import io
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from divvy_coverage import __version__
from divvy_coverage.errors import UserError
from divvy_coverage.files import write_if_changed
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.preflight.sheet import Problem, Sample

MADE_FROM, WARNINGS = "made from (SHA-256)", "warnings"  # of the note beside a consensus


def frozen(
    name: str, settings: Mapping[str, Any], samples: Sequence[Sample], lengths: Mapping[str, int], folder: Path
) -> tuple[Regions | None, list[Problem]]:
    """Make a region set and freeze it as `folder`/<name>.bed, rewritten only if it changed.

    Without `settings["bed"]` it is the consensus of the samples' peaks, clipped to the contig `lengths` (bp), and
    `folder`/<name>.support.parquet tells which samples support which regions. Returns no regions if peaks have
    problems. Raises UserError for what no sample is to blame for.
    """
    out, note = folder / f"{name}.bed", folder / f"{name}.consensus.json"
    if settings["bed"]:
        given = read_regions(Path(settings["bed"]))
        write_if_changed(out, given.bed())
        return given, []
    stamp = _stamp(settings, samples, lengths)
    if out.exists() and (warnings := _noted(note, stamp)) is not None:
        print(warnings, end="", file=sys.stderr)
        return read_regions(out), []
    said = io.StringIO()
    with redirect_stderr(said):
        regions, problems = _consensus(name, settings, samples, lengths, folder)
    print(said.getvalue(), end="", file=sys.stderr)
    if regions is not None:
        write_if_changed(out, regions.bed())
        write_if_changed(note, json.dumps({MADE_FROM: stamp, WARNINGS: said.getvalue()}, indent=1).encode())
    return regions, problems


def _noted(note: Path, stamp: str) -> str | None:
    """Return what was warned of when a consensus was made, if it was made from the same."""
    try:
        content = json.loads(note.read_text())
        return str(content[WARNINGS]) if content[MADE_FROM] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _consensus(
    name: str, settings: Mapping[str, Any], samples: Sequence[Sample], lengths: Mapping[str, int], folder: Path
) -> tuple[Regions | None, list[Problem]]:
    from divvy_coverage.peaks.consensus import build, read_samples, write_support  # pandas costs a second

    options = settings["consensus"]
    intervals, groups, problems = read_samples(samples, options["source"], options["extension"], options["group"])
    if problems:
        return None, problems
    if not intervals:
        raise UserError(
            f"regions.{name}: no sample has peaks to make regions of; give `bed`, or name the sheet's attribute with "
            "peak files in samples.peaks"
        )
    blacklist = read_regions(Path(settings["blacklist"])) if settings["blacklist"] else None
    try:
        found = build(
            intervals, options["min_samples"], groups, blacklist, settings["chromosomes"] or ".*", lengths or None
        )
    except UserError as error:
        raise UserError(f"regions.{name}: {error}") from error
    write_support(found, folder / f"{name}.support.parquet")
    return found.regions, []


def _stamp(settings: Mapping[str, Any], samples: Sequence[Sample], lengths: Mapping[str, int]) -> str:
    """Return what a consensus depends on, in short: while it stays the same, peaks are not read again."""
    files = [Path(path) for sample in samples for path in sample.get("peaks", [])]
    files += [Path(settings["blacklist"])] if settings["blacklist"] else []
    status = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files if path.exists()]
    group = settings["consensus"]["group"]
    members = [(sample["sample_name"], sample.get("peaks"), sample.get(group)) for sample in samples]
    content = json.dumps([__version__, settings, members, status, sorted(lengths.items())], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
