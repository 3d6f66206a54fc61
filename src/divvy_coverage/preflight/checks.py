"""Run all checks of the inputs in order, decide whether a run may start, and write what it is to be made of.

A new check is a function that returns problems; `check_inputs` calls it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from divvy_coverage import results
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.inputs import Inputs, write_inputs
from divvy_coverage.counting.origin import describe_counting
from divvy_coverage.errors import OutputError, UserError
from divvy_coverage.files import remove
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.preflight.assay import check_counting
from divvy_coverage.preflight.differences import describe_inputs, find_differences, write_settings
from divvy_coverage.preflight.filters import check_filters
from divvy_coverage.preflight.folders import Folders
from divvy_coverage.preflight.genomes import check_genomes, check_regions, join_contigs
from divvy_coverage.preflight.other_files import check_other_files
from divvy_coverage.preflight.region_sets import build_region_set
from divvy_coverage.preflight.sample_files import AlignedSample, check_alignment_files, check_own_peaks
from divvy_coverage.problems import Problem, list_by_kind, select_errors, select_warnings, write_problems
from divvy_coverage.samples import Sample, write_samples
from divvy_coverage.sheets.sheet import read_sheet

HEADERS, FILTERS, PEAKS = "headers.json", "filters.json", "peaks.json"  # in the cache


@dataclass(frozen=True)
class CheckedInputs:
    """What was found.

    Attributes
    ----------
    samples
        Those of the run.
    counting
        What is counted.
    errors
        For which others were excluded from it.
    warnings
        What may be no mistake.
    differing
        Files in the folder of results, relative to it, that are not what is wanted now.
    """

    samples: list[Sample]
    counting: Counting
    errors: list[Problem]
    warnings: list[Problem]
    differing: list[str]

    def list_messages(self, folder: Path) -> list[str]:
        """Return what to tell the user: each warning, and which samples were excluded and why."""
        messages = [str(warning) for warning in self.warnings]
        if self.errors:
            excluded = _count(len(_find_places(self.errors)), "sample")
            remain = f"{len(self.samples)} remain{'s' * (len(self.samples) == 1)}"
            reasons = f"{folder / results.EXCLUDED} has the reasons:{list_by_kind(self.errors)}"
            messages.append(f"{excluded} excluded, {remain}; {reasons}")
        return messages


def check_inputs(config: Mapping[str, Any], folders: Folders) -> CheckedInputs:
    """Check all inputs of a run, and write what it is to be made of.

    Parameters
    ----------
    config
        The configuration, all defaults filled in.
    folders
        The tables of samples, excluded samples and warnings and the region sets are written to the plan. In the results
        nothing is changed.

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
    aligned, found = check_alignment_files(samples, folders.cache / HEADERS)
    problems += [*found, *check_genomes(aligned)]
    counting, found = check_counting(config, _drop_bad(aligned, problems))
    problems += found
    problems += check_filters(counting, _drop_bad(aligned, problems), folders.cache / FILTERS) if counting else []
    problems += check_other_files(config, _drop_bad(aligned, problems))
    if all(settings["bed"] for settings in config["regions"].values()):  # else they are read for a consensus
        problems += check_own_peaks(_drop_bad(aligned, problems), folders.cache / PEAKS)
    kept, found = _check_region_sets(config, _drop_bad(aligned, problems), folders)
    problems += found
    _decide(problems, kept, config["permissive"])
    assert counting  # or there would have been an error
    warnings = select_warnings(problems)
    checked = CheckedInputs([each.sample for each in kept], counting, select_errors(problems), warnings, [])
    blacklist = read_regions(config["blacklist"]) if config["blacklist"] else None
    described = describe_counting(counting, blacklist, with_profile=bool(config["statistics"]["tss"]))
    inputs = describe_inputs(config, described, kept)
    _write(checked, inputs, folders.plan)
    write_settings(config, folders.plan)
    return replace(checked, differing=find_differences(inputs, list(config["regions"]), folders))


def _check_region_sets(
    config: Mapping[str, Any], samples: Sequence[AlignedSample], folders: Folders
) -> tuple[list[AlignedSample], list[Problem]]:
    """Make the region sets; return the samples without errors, and the problems.

    If `config["permissive"]`, they are made again without the samples that have errors, until none has: without their
    peaks a consensus may be another.
    """
    errors: list[Problem] = []
    while True:
        lengths = join_contigs(samples)
        problems = [
            problem
            for name in (config["regions"] if samples else ())
            for problem in _check_region_set(name, config, samples, lengths, folders)
        ]
        kept = _drop_bad(samples, problems)
        if not config["permissive"] or len(kept) == len(samples):
            return kept, [*errors, *problems]
        samples = kept
        errors += select_errors(problems)


def _check_region_set(
    name: str, config: Mapping[str, Any], samples: Sequence[AlignedSample], lengths: Mapping[str, int], folders: Folders
) -> list[Problem]:
    """Make a region set; return its problems, those of peaks, and those of alignments that it does not fit."""
    try:
        regions, problems = build_region_set(name, config, [each.sample for each in samples], lengths, folders)
    except OutputError:
        raise
    except UserError as error:
        return [Problem("", None, "regions", "error", str(error))]
    if regions is None:
        return problems
    return [*problems, *check_regions(regions, samples, config["absent_contigs"])]


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


def _write(checked: CheckedInputs, inputs: Inputs, folder: Path) -> None:
    """Write the tables, each only if it changed; without excluded samples there is no table of them."""
    if checked.errors:
        write_problems(checked.errors, folder / results.EXCLUDED)
    else:
        remove(folder / results.EXCLUDED)
    write_problems(checked.warnings, folder / results.WARNINGS)
    write_inputs(inputs, folder / results.INPUTS)
    write_samples(checked.samples, folder / results.SAMPLES)
