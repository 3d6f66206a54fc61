"""The peaks of the samples of a sheet, and the groups that these are in."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import SUPPORT
from divvy_coverage.peaks.peak_files import check_source, read_peaks
from divvy_coverage.problems import Problem
from divvy_coverage.samples import Sample


def read_sample_peaks(
    samples: Sequence[Sample], source: str, extension: int, group_attribute: str = ""
) -> tuple[dict[str, pd.DataFrame], dict[str, str] | None, list[Problem]]:
    """Read the peaks of all samples that have some.

    Parameters
    ----------
    samples
        Those to read; several files of one sample are taken together.
    source, extension
        What of a peak becomes an interval, see `read_peaks`.
    group_attribute
        The attribute that tells the group of a sample; "" for none.

    Returns
    -------
    peaks
        The intervals by sample, as `read_peaks` returns them.
    groups
        The group by sample; None without an attribute for it.
    problems
        Errors of the samples that cannot be used or, without any, a warning that lists the samples without peaks.
    """
    check_source(source, extension)
    peaks: dict[str, pd.DataFrame] = {}
    groups: dict[str, str] = {}
    problems: list[Problem] = []
    for sample in samples:
        if not sample.peaks:
            continue
        try:
            peaks[sample.name] = _read_files(sample.peaks, source, extension)
            groups[sample.name] = _get_group(sample, group_attribute) if group_attribute else ""
            if sample.name == SUPPORT:
                raise UserError("the table of support has a column of this name; call the sample another name")
        except UserError as error:
            problems.append(Problem(sample.name, sample.row, "peaks", "error", str(error)))
    if peaks and not problems:
        problems += _find_samples_without(samples)
    return peaks, groups if group_attribute else None, problems


def _read_files(paths: Sequence[str], source: str, extension: int) -> pd.DataFrame:
    frames = [read_peaks(Path(path), source, extension) for path in paths]
    return pd.concat(frames, ignore_index=True).astype({"chrom": "category"})


def _get_group(sample: Sample, attribute: str) -> str:
    values = sample.get_columns().get(attribute, [])
    if len(values) != 1:
        raise UserError(f"expected one value of its attribute {attribute!r}, found {len(values)}")
    return values[0]


def _find_samples_without(samples: Sequence[Sample]) -> list[Problem]:
    """Warn, once, of the samples without peaks."""
    names = [sample.name for sample in samples if not sample.peaks]
    if not names:
        return []
    some = ", ".join(names[:20]) + (f", … and {len(names) - 20} more" if len(names) > 20 else "")
    text = f"{len(names)} of {len(samples)} samples have no peaks, so the consensus is made without them: {some}"
    return [Problem("", None, "peaks", "warning", text)]
