"""What is counted in a cohort: the settings, and the preset of the assay by whether the files are paired-end."""

from collections.abc import Mapping, Sequence
from typing import Any

from divvy_coverage.alignments.headers import Header, find_any_paired
from divvy_coverage.alignments.text_kinds import TEXT_KINDS
from divvy_coverage.counting.definition import MEND_MATES, MIXTURE, NO_READS, PAIRED_UNITS, Counting
from divvy_coverage.counting.presets import AUTO, check_shift, resolve_counting
from divvy_coverage.errors import UserError
from divvy_coverage.preflight.sample_files import AlignedSample
from divvy_coverage.problems import Problem

PROPER = "its first alignments are proper pairs by their flags (0x2), but"


def check_counting(
    config: Mapping[str, Any], samples: Sequence[AlignedSample]
) -> tuple[Counting | None, list[Problem]]:
    """Return what is counted, None if it cannot be said, and what is wrong with it.

    Single-end samples among paired-end ones are errors if the unit depends on it, and so are settings that contradict
    each other or the files, contigs to exclude that no file has, and flags that leave nothing to count.
    """
    settings = config["counting"]
    mixed = _find_mixed_files(samples)
    paired = {aligned.sample.name: _is_paired(aligned) for aligned in samples}
    problems = mixed + _find_mixture(settings, samples, paired) + _find_unknown_contigs(settings, samples)
    kinds = set(paired.values()) - {None}
    try:
        counting = resolve_counting(config["assay"], settings, None if not kinds else True in kinds)
        check_shift(settings, counting, bool(config["statistics"]["tss"]))
    except UserError as error:
        return None, [*problems, _error(f"counting.{error}")]
    return counting, problems + _find_uncountable_files(counting, samples)


def _is_paired(aligned: AlignedSample) -> bool | None:
    """Tell whether a sample is paired-end; None if it has no alignments."""
    return find_any_paired(header.paired for header in aligned.headers)


def _find_mixture(
    settings: Mapping[str, Any], samples: Sequence[AlignedSample], paired: Mapping[str, bool | None]
) -> list[Problem]:
    """Return an error for each single-end sample among paired-end ones, unless the unit holds for both."""
    unit = settings["unit"]
    depends = unit in (AUTO, *PAIRED_UNITS) or settings["extend"] is not None
    others = [name for name, kind in paired.items() if kind]
    if not depends or not others:
        return []
    text = (
        f"its alignments are single-end, but those of {len(others)} samples ({', '.join(others[:3])}"
        f"{', …' if len(others) > 3 else ''}) are paired-end; make a matrix of each kind, or set counting.unit to "
        "insertions or reads, which are counted alike in both"
    )
    return [
        Problem(aligned.sample.name, aligned.sample.row, "counting", "error", text)
        for aligned in samples
        if paired[aligned.sample.name] is False
    ]


def _find_mixed_files(samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return an error for each sample with files of pairs and of single-end alignments, if one of these is text."""
    problems = []
    for sample, headers in ((aligned.sample, aligned.headers) for aligned in samples):
        known = [header for header in headers if header.paired is not None]
        texts = any(header.kind in TEXT_KINDS for header in known)
        if other := next((header for header in known if texts and header.paired != known[0].paired), None):
            text = f"{other.path}: {MIXTURE.format(*('paired', 'single')[:: 1 if other.paired else -1])}"
            problems.append(Problem(sample.name, sample.row, "counting", "error", text))
    return problems


def _find_uncountable_files(counting: Counting, samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return an error for each file in which there is nothing of the unit."""
    return [
        Problem(aligned.sample.name, aligned.sample.row, "counting", "error", f"{header.path}: {text}")
        for aligned in samples
        for header in aligned.headers
        if (text := _explain_uncountable(counting, header))
    ]


def _explain_uncountable(counting: Counting, header: Header) -> str:
    """Say why a file has no reads, or no pairs, if these are to be counted; "" if it may have some."""
    if counting.unit == "reads" and header.kind == "fragments":
        return NO_READS
    if counting.unit in PAIRED_UNITS and header.contradiction:
        return f"{PROPER} {header.contradiction}; {MEND_MATES}"
    return ""


def _find_unknown_contigs(settings: Mapping[str, Any], samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return an error if contigs that were set to be excluded are in no file."""
    headers = [header for aligned in samples for header in aligned.headers]
    if any(header.kind in TEXT_KINDS for header in headers):
        return []  # these name only the contigs that they have something on
    known = dict.fromkeys(contig for header in headers for contig in header.contigs)
    unknown = [contig for contig in settings["exclude_contigs"] or () if contig not in known]
    if not unknown or not samples:
        return []
    return [
        _error(
            f"counting.exclude_contigs: no file has {', '.join(unknown[:10])}; the files have "
            f"{', '.join(list(known)[:5])} …; write the names as in the files' headers"
        )
    ]


def _error(text: str) -> Problem:
    return Problem("", None, "counting", "error", text)
