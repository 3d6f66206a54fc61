"""Run all checks of the inputs in order, decide whether a run may start, and write what its jobs share.

A new check is a function that returns problems; `check_inputs` calls it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divvy_coverage import results
from divvy_coverage.errors import UserError
from divvy_coverage.preflight.alignment_files import AlignedSample, check_alignment_files
from divvy_coverage.preflight.genomes import check_genomes, check_regions
from divvy_coverage.preflight.region_sets import build_region_set
from divvy_coverage.preflight.sheet import read_sheet
from divvy_coverage.problems import Problem, list_by_kind, select_errors, select_warnings, write_problems
from divvy_coverage.samples import Sample, write_samples


@dataclass(frozen=True)
class CheckedInputs:
    """The samples of a run, the errors for which others were excluded from it, and the warnings."""

    samples: list[Sample]
    errors: list[Problem]
    warnings: list[Problem]

    def list_messages(self, folder: Path) -> list[str]:
        """Return what to tell the user: each warning, and which samples were excluded and why."""
        messages = [str(warning) for warning in self.warnings]
        if self.errors:
            excluded = _count(len(_find_places(self.errors)), "sample")
            remain = f"{len(self.samples)} remain{'s' * (len(self.samples) == 1)}"
            reasons = f"{folder / results.EXCLUDED} has the reasons:{list_by_kind(self.errors)}"
            messages.append(f"{excluded} excluded, {remain}; {reasons}")
        return messages


def check_inputs(config: Mapping[str, Any], folder: Path) -> CheckedInputs:
    """Check all inputs of a run, and write what its jobs share.

    Parameters
    ----------
    config
        The configuration, all defaults filled in.
    folder
        Of results: the tables of samples, excluded samples and warnings are written there, and the region sets.

    Raises
    ------
    UserError
        With every problem. If `config["permissive"]`, samples with errors are excluded instead, as long as one remains
        and nothing that the samples share has errors.
    """
    names = config["samples"]
    samples, problems = read_sheet(
        Path(config["pep"]), config["amendments"], names["bam"], names["peaks"], names["toggle"]
    )
    aligned, found = check_alignment_files(samples, folder / results.HEADER_CACHE)
    problems += [*found, *check_genomes(aligned)]
    kept, found = _check_region_sets(config, _drop_bad(aligned, problems), folder)
    problems += found
    _decide(problems, kept, config["permissive"])
    checked = CheckedInputs([each.sample for each in kept], select_errors(problems), select_warnings(problems))
    _write(checked, folder)
    return checked


def _check_region_sets(
    config: Mapping[str, Any], samples: Sequence[AlignedSample], folder: Path
) -> tuple[list[AlignedSample], list[Problem]]:
    """Make the region sets; return the samples without errors, and the problems.

    If `config["permissive"]`, they are made again without the samples that have errors, until none has: without their
    peaks a consensus may be another.
    """
    absent_contigs = config["counting"]["absent_contigs"]
    errors: list[Problem] = []
    while True:
        lengths = _join_contigs(samples)
        problems = [
            problem
            for name, settings in (config["regions"].items() if samples else ())
            for problem in _check_region_set(name, settings, samples, lengths, absent_contigs, folder)
        ]
        kept = _drop_bad(samples, problems)
        if not config["permissive"] or len(kept) == len(samples):
            return kept, [*errors, *problems]
        samples = kept
        errors += select_errors(problems)


def _join_contigs(samples: Sequence[AlignedSample]) -> dict[str, int]:
    """Return the lengths (bp) of all contigs, which are the same in all files once genomes were compared."""
    digests = {header.digest: header.contigs for aligned in samples for header in aligned.headers}
    return {contig: length for contigs in digests.values() for contig, length in contigs.items()}


def _check_region_set(
    name: str,
    settings: Mapping[str, Any],
    samples: Sequence[AlignedSample],
    lengths: Mapping[str, int],
    absent_contigs: str,
    folder: Path,
) -> list[Problem]:
    """Make a region set; return its problems, those of peaks, and those of alignments that it does not fit."""
    try:
        regions, problems = build_region_set(name, settings, [each.sample for each in samples], lengths, folder)
    except UserError as error:
        return [Problem("", None, "regions", "error", str(error))]
    return problems if regions is None else [*problems, *check_regions(regions, samples, absent_contigs)]


def _drop_bad(samples: Sequence[AlignedSample], problems: Sequence[Problem]) -> list[AlignedSample]:
    """Return the samples without errors."""
    bad = {problem.sample for problem in select_errors(problems)}
    return [aligned for aligned in samples if aligned.sample.name not in bad]


def _decide(problems: Sequence[Problem], kept: Sequence[AlignedSample], permissive: bool) -> None:
    """Stop if there are errors or, if `permissive`, if they leave no sample or are not of single samples."""
    errors = select_errors(problems)
    if not errors:
        return
    listed = list_by_kind(errors) + "".join(f"\nwarning: {problem}" for problem in select_warnings(problems))
    number = _count(len(errors), "problem")
    if any(not problem.place for problem in errors):
        raise UserError(f"{number} with the inputs, so nothing was started:{listed}")
    if not permissive:
        samples = _count(len(_find_places(errors)), "sample")
        raise UserError(
            f"{number} with {samples}, so nothing was started; `permissive: true` excludes such samples:{listed}"
        )
    if not kept:
        raise UserError(f"every sample has a problem, so none is left:{listed}")


def _find_places(problems: Sequence[Problem]) -> set[str]:
    return {problem.place for problem in problems}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _write(checked: CheckedInputs, folder: Path) -> None:
    """Write the tables, each only if it changed; without excluded samples there is no table of them."""
    if checked.errors:
        write_problems(checked.errors, folder / results.EXCLUDED)
    else:
        (folder / results.EXCLUDED).unlink(missing_ok=True)
    write_problems(checked.warnings, folder / results.WARNINGS)
    write_samples(checked.samples, folder / results.SAMPLES)
