"""Whether alignment files and region sets are of one genome: their contigs tell, once for all files that share them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from divvy_coverage.intervals.contigs import are_within, find_furthest, find_misfit
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.preflight.alignment_files import AlignedSample
from divvy_coverage.problems import Problem
from divvy_coverage.samples import Sample


def check_genomes(samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return an error for each file that is of another genome than those of most samples.

    That is a file where a contig has another length, or where contigs have other names. That only some samples have a
    contig is no error.
    """
    groups = _group_by_contigs(samples)
    texts = _find_other_lengths(groups) | _find_other_names(groups)
    return _list_errors("genome", samples, texts)


def check_regions(regions: Regions, samples: Sequence[AlignedSample], absent_contigs: str) -> list[Problem]:
    """Return an error for each file that a region set does not fit, and a warning for each group of like files.

    Errors and warnings are those of `check_contigs`, which is called when samples are counted. `absent_contigs` is
    "error", or "zero" to allow regions on contigs that a file lacks. Files with the same contigs are checked once.
    """
    furthest = find_furthest(regions)
    texts, warnings = {}, []
    for digest, group in _group_by_contigs(samples).items():
        if are_within(furthest, group.contigs, absent_contigs):
            continue
        error, warning = find_misfit(regions, group.contigs, absent_contigs)
        if error:
            texts[digest] = error
        if warning:
            warnings.append(_warn(group.samples, warning))
    return [*_list_errors("regions", samples, texts), *warnings]


@dataclass
class Group:
    """Contigs, and the samples with files that have just these."""

    contigs: Mapping[str, int]
    samples: list[Sample]


def _group_by_contigs(samples: Sequence[AlignedSample]) -> dict[str, Group]:
    """Return the groups by the digest of their contigs, in the order of their first samples."""
    groups: dict[str, Group] = {}
    for aligned in samples:
        for digest, contigs in {header.digest: header.contigs for header in aligned.headers}.items():
            groups.setdefault(digest, Group(contigs, [])).samples.append(aligned.sample)
    return groups


def _list_errors(kind: str, samples: Sequence[AlignedSample], texts: Mapping[str, str]) -> list[Problem]:
    """Return an error for each file whose digest has a text."""
    return [
        Problem(aligned.sample.name, aligned.sample.row, kind, "error", f"{header.path}: {texts[header.digest]}")
        for aligned in samples
        for header in aligned.headers
        if header.digest in texts
    ]


def _warn(samples: Sequence[Sample], text: str) -> Problem:
    if len(samples) == 1:
        return Problem(samples[0].name, samples[0].row, "regions", "warning", text)
    return Problem("", None, "regions", "warning", f"{_name_some(samples)}: {text}")


def _find_other_lengths(groups: Mapping[str, Group]) -> dict[str, str]:
    """Describe, by digest, the groups where a contig has another length than in most samples."""
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
            others = _join_samples(each for each in groups.values() if each.contigs.get(contig) == usual[contig])
            texts[digest] = (
                f"{contig} has {group.contigs[contig]} bp, but {usual[contig]} bp in {_name_some(others)}; "
                f"{len(differing)} of {len(group.contigs)} contigs differ: it is of another genome build; "
                "align all samples to the same one"
            )
    return texts


def _find_other_names(groups: Mapping[str, Group]) -> dict[str, str]:
    """Describe, by digest, the groups whose contigs have other names than in most samples.

    The longest contig decides: most samples are those with the one that is the longest most often.
    """
    votes: Counter[str] = Counter()
    for group in groups.values():
        votes[_find_longest(group)] += len(group.samples)
    most = [group for group in groups.values() if votes.most_common(1)[0][0] in group.contigs]
    known = {contig: None for group in most for contig in group.contigs}
    texts = {}
    for digest, group in groups.items():
        longest = _find_longest(group)
        if longest not in known:
            hint = ""
            if f"chr{longest}" in known:
                hint = ": they lack the prefix 'chr'"
            elif longest.removeprefix("chr") in known:
                hint = ": only they have the prefix 'chr'"
            texts[digest] = (
                f"its contigs ({_list_few(group.contigs)}) have other names than those ({_list_few(known)}) of "
                f"{_name_some(_join_samples(most))}{hint}; align all samples to the same genome"
            )
    return texts


def _join_samples(groups: Iterable[Group]) -> list[Sample]:
    return [sample for group in groups for sample in group.samples]


def _find_longest(group: Group) -> str:
    return max(group.contigs, key=group.contigs.__getitem__)


def _list_few(names: Iterable[str]) -> str:
    """Return the first names of many."""
    names = list(names)
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _name_some(samples: Sequence[Sample]) -> str:
    """Return how many samples there are, and the names of the first."""
    if len(samples) == 1:
        return f"sample {samples[0].name}"
    return f"{len(samples)} samples ({_list_few(sample.name for sample in samples)})"
