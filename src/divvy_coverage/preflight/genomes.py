"""Whether alignment files, and region sets, are of one genome: told by contigs, once for all files that share them.

Files are given by sample, as `headers` has looked at them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from divvy_coverage.alignments.headers import Header
from divvy_coverage.command_line import warn
from divvy_coverage.intervals.contigs import are_within, find_furthest, find_misfit
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.preflight.sheet import Problem

GENOME, REGIONS = "genome", "regions"  # kinds of problems


def compare(headers: Mapping[str, Sequence[Header]]) -> list[Problem]:
    """Return a problem for each file (`headers` has them by sample) of another genome than most samples have.

    That is a file where a contig has another length, or where contigs have other names. Contigs that only some
    samples have are none.
    """
    groups = _groups(headers)
    texts = _other_lengths(groups) | _other_names(groups)
    return _problems(GENOME, headers, texts)


def fits(regions: Regions, headers: Mapping[str, Sequence[Header]], absent_contigs: str) -> list[Problem]:
    """Return a problem for each file that a region set does not fit, as `check_contigs` would raise.

    It is checked once for all files with the same contigs, and so are its warnings given.
    """
    reach = find_furthest(regions)
    texts = {}
    for digest, group in _groups(headers).items():
        if are_within(reach, group.contigs, absent_contigs):
            continue
        problem, warning = find_misfit(regions, group.contigs, absent_contigs)
        if problem:
            texts[digest] = problem
        if warning:
            warn(f"{_some(group.samples)}: {warning}")
    return _problems(REGIONS, headers, texts)


@dataclass
class Group:
    """Contigs, and the samples with files that have just these."""

    contigs: Mapping[str, int]
    samples: list[str]


def _groups(headers: Mapping[str, Sequence[Header]]) -> dict[str, Group]:
    """Return the groups by the digest of their contigs, in the order of their first samples."""
    groups: dict[str, Group] = {}
    for sample, files in headers.items():
        for digest, contigs in {file.digest: file.contigs for file in files}.items():
            groups.setdefault(digest, Group(contigs, [])).samples.append(sample)
    return groups


def _problems(kind: str, headers: Mapping[str, Sequence[Header]], texts: Mapping[str, str]) -> list[Problem]:
    """Return a problem for each file whose digest has a text."""
    return [
        Problem(kind, sample, f"{file.path}: {texts[file.digest]}")
        for sample, files in headers.items()
        for file in files
        if file.digest in texts
    ]


def _other_lengths(groups: Mapping[str, Group]) -> dict[str, str]:
    """Say of the groups where a contig has not the length that it has in most samples how they differ."""
    votes: dict[str, Counter[int]] = {}
    for group in groups.values():
        for contig, length in group.contigs.items():
            votes.setdefault(contig, Counter())[length] += len(group.samples)
    usual = {contig: found.most_common(1)[0][0] for contig, found in votes.items()}
    texts = {}
    for digest, group in groups.items():
        differing = [contig for contig, length in group.contigs.items() if length != usual[contig]]
        if differing:
            contig = max(differing, key=usual.__getitem__)
            others = _samples(each for each in groups.values() if each.contigs.get(contig) == usual[contig])
            texts[digest] = (
                f"{contig} has {group.contigs[contig]} bp, but {usual[contig]} bp in {_some(others)}; "
                f"{len(differing)} of {len(group.contigs)} contigs differ: it is of another genome build; "
                "align all samples to the same one"
            )
    return texts


def _other_names(groups: Mapping[str, Group]) -> dict[str, str]:
    """Say of the groups whose longest contig is unknown to the samples with the most frequent longest contig so."""
    votes: Counter[str] = Counter()
    for group in groups.values():
        votes[_longest(group)] += len(group.samples)
    most = [group for group in groups.values() if votes.most_common(1)[0][0] in group.contigs]
    known = {contig: None for group in most for contig in group.contigs}
    texts = {}
    for digest, group in groups.items():
        longest = _longest(group)
        if longest not in known:
            hint = ""
            if f"chr{longest}" in known:
                hint = ": they lack the prefix 'chr'"
            elif longest.removeprefix("chr") in known:
                hint = ": only they have the prefix 'chr'"
            texts[digest] = (
                f"its contigs ({_few(group.contigs)}) have other names than those ({_few(known)}) of "
                f"{_some(_samples(most))}{hint}; align all samples to the same genome"
            )
    return texts


def _samples(groups: Iterable[Group]) -> list[str]:
    return [sample for group in groups for sample in group.samples]


def _longest(group: Group) -> str:
    return max(group.contigs, key=group.contigs.__getitem__)


def _few(names: Iterable[str]) -> str:
    """Return the first names of many."""
    names = list(names)
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _some(samples: Sequence[str]) -> str:
    """Return how many samples, and the names of the first."""
    return f"{len(samples)} samples ({_few(samples)})" if len(samples) > 1 else f"sample {samples[0]}"
