"""The counts of all samples of a region set, read one sample at a time."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divvy_coverage import results
from divvy_coverage.arrays import Counts
from divvy_coverage.counting.evidence import RegionSetEvidence, find_damage, read_counts, read_evidence
from divvy_coverage.counting.inputs import Inputs, read_inputs
from divvy_coverage.errors import UserError, listing
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.naming import name_region_set
from divvy_coverage.quality.statistics import Statistics, compute_statistics
from divvy_coverage.samples import read_samples


@dataclass(frozen=True)
class Findings:
    """What was found in a region set of one sample.

    Attributes
    ----------
    counting
        What was counted.
    evidence
        Of the region set.
    statistics
        The row of statistics.
    """

    counting: Mapping[str, Any]
    evidence: RegionSetEvidence
    statistics: Statistics


@dataclass(frozen=True)
class Cohort:
    """All samples of a region set.

    Attributes
    ----------
    names
        The samples in the order of the sheet: the columns of the matrix.
    regions
        The rows of the matrix.
    region_set
        Its name.
    folder
        The folder with <sample>/evidence.json and <sample>/<region set>.npy.
    inputs
        What these are to be made from; None if it does not matter, as long as it is the same way.
    """

    names: list[str]
    regions: Regions
    region_set: str
    folder: Path
    inputs: Inputs | None = None

    def __len__(self) -> int:
        return len(self.names)

    def counts(self, sample: int) -> Counts:
        """Return the counts of a sample (regions), which are not read before they are used."""
        return read_counts(self._find_counts(self.names[sample]))

    def read_findings(self, mitochondrial_contigs: Collection[str] | None = None) -> list[Findings]:
        """Return what was found in the region set of each sample.

        Parameters
        ----------
        mitochondrial_contigs
            Names of these, for the statistics; None for the usual ones.

        Raises
        ------
        UserError
            If the samples differ in what was counted or in which regions, if they were not made from what they are to
            be made from, or if counts are not those that were found.
        """
        findings = [self._read_findings(name, mitochondrial_contigs) for name in self.names]
        _check_regions(self, findings)
        _check_counting(self, findings)
        self._check_counts(findings)
        return findings

    def _find_counts(self, sample: str) -> Path:
        return self.folder / results.COUNTS_THERE.format(sample=sample, region_set=self.region_set)

    def _read_findings(self, sample: str, mitochondrial_contigs: Collection[str] | None) -> Findings:
        """Return what of a sample's evidence is to be kept: the histograms of thousands would fill the memory."""
        path = self.folder / results.EVIDENCE_THERE.format(sample=sample)
        evidence = read_evidence(path)
        if self.region_set not in evidence.region_sets:
            found = ", ".join(evidence.region_sets) or "none"
            raise UserError(
                f"{path}: expected the region set {self.region_set}, found {found}; count the sample in it, or give "
                "another region set"
            )
        if self.inputs and (difference := self.inputs.explain_difference(sample, evidence)):
            raise UserError(f"{path}: counted {difference}; run the workflow again, which counts this sample anew")
        here = evidence.region_sets[self.region_set]
        statistics = compute_statistics(evidence.tally, here.in_regions, evidence.in_peaks, mitochondrial_contigs)
        return Findings(evidence.counting, here, statistics)

    def _check_counts(self, findings: Sequence[Findings]) -> None:
        pairs = zip(self.names, findings, strict=True)
        damaged = [problem for name, each in pairs if (problem := find_damage(self._find_counts(name), each.evidence))]
        if damaged:
            raise UserError(
                f"{len(damaged)} count files are damaged or missing; remove them and run again:{listing(damaged)}"
            )


def read_cohort(samples: Path, regions: Path, folder: Path, inputs: Path | None = None) -> Cohort:
    """Read which samples and regions have their counts in a folder.

    Parameters
    ----------
    samples
        Table with a column sample_name.
    regions
        Region set (BED), which has the name of the file.
    folder
        With <sample>/evidence.json and <sample>/<region set>.npy, which are not read yet.
    inputs
        What these are to be made from, as `write_inputs` writes it, if that matters.

    Raises
    ------
    UserError
        For a table or a region set that is missing, damaged or empty, and for inputs that cannot be read.
    """
    names = [sample.name for sample in read_samples(samples)]
    if not names:
        raise UserError(f"{samples}: expected at least one sample, found none; add samples to the sheet and run again")
    wanted = read_inputs(inputs) if inputs else None
    return Cohort(names, read_regions(regions), name_region_set(regions), folder, wanted)


def _check_regions(cohort: Cohort, findings: Sequence[Findings]) -> None:
    expected = cohort.regions.sha256()
    stale = [name for name, each in zip(cohort.names, findings, strict=True) if each.evidence.sha256 != expected]
    if stale:
        raise UserError(
            f"{cohort.folder}: {len(stale)} of {len(cohort)} samples were counted over another region set:"
            f"{listing(stale)}\nremove their folders there and run the workflow again"
        )


def _check_counting(cohort: Cohort, findings: Sequence[Findings]) -> None:
    members: dict[str, list[str]] = {}
    for name, each in zip(cohort.names, findings, strict=True):
        members.setdefault(json.dumps(each.counting, sort_keys=True), []).append(name)
    if len(members) > 1:
        kinds = [f"{', '.join(names[:10])}: {counting}" for counting, names in members.items()]
        raise UserError(
            f"{cohort.folder}: samples were counted in different ways:{listing(kinds)}\ncount them in the same way"
        )
