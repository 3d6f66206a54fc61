"""Whether alignment files and region sets are of one genome: their contigs tell, once for all files that share them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from divvy_coverage.intervals.bed import UNKNOWN_LENGTH
from divvy_coverage.intervals.contigs import (
    are_within,
    find_furthest,
    find_misfit,
    find_no_contig,
    have_lengths,
)
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.preflight.sample_files import AlignedSample
from divvy_coverage.problems import Problem
from divvy_coverage.samples import Sample


def check_genomes(samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return an error for each file that is of another genome than those of most samples.

    That is a file where a contig has another length, or where contigs have other names. That only some samples have a
    contig is no error. Of a text file only the names are known.
    """
    groups = _group_by_contigs(samples)
    usual = _find_usual_lengths(groups)
    texts = _find_other_lengths(groups, usual) | _find_other_names(groups, usual)
    return _list_errors("genome", samples, texts)


def join_contigs(samples: Sequence[AlignedSample]) -> dict[str, int]:
    """Return the lengths (bp) of all contigs, which are the same in all files once genomes were compared.

    A text file does not know them, so that those of others hold.
    """
    digests = {header.digest: header.contigs for aligned in samples for header in aligned.headers}
    lengths: dict[str, int] = {}
    for contigs in digests.values():
        for contig, length in contigs.items():
            lengths[contig] = min(length, lengths.get(contig, UNKNOWN_LENGTH))
    return lengths


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
    missing = _find_no_contig(furthest, [each for each in samples if absent_contigs == "zero" or _has_text(each)])
    return [*_list_errors("regions", samples, texts), *missing, *warnings]


def _has_text(sample: AlignedSample) -> bool:
    return not all(have_lengths(header.contigs) for header in sample.headers)


def _find_no_contig(contigs: Collection[str], samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return an error for each sample of whose files none has any of the contigs."""
    texts: dict[str, str] = {}
    problems = []
    for sample, headers in ((aligned.sample, aligned.headers) for aligned in samples):
        for header in headers:
            if header.digest not in texts:
                texts[header.digest] = find_no_contig(contigs, header.contigs)
        if all(texts[header.digest] for header in headers):
            text = f"{', '.join(sample.files)}: {texts[headers[0].digest]}"
            problems.append(Problem(sample.name, sample.row, "regions", "error", text))
    return problems


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


def _find_usual_lengths(groups: Mapping[str, Group]) -> dict[str, int]:
    """Return the lengths (bp) that contigs have in most samples, as far as they are known."""
    votes: dict[str, Counter[int]] = {}
    for group in groups.values():
        for contig, length in group.contigs.items():
            if length != UNKNOWN_LENGTH:
                votes.setdefault(contig, Counter())[length] += len(group.samples)
    return {contig: found.most_common(1)[0][0] for contig, found in votes.items()}


def _find_other_lengths(groups: Mapping[str, Group], usual: Mapping[str, int]) -> dict[str, str]:
    """Describe, by digest, the groups where a contig has another length than in most samples."""
    texts = {}
    for digest, group in groups.items():
        differing = [
            contig for contig, length in group.contigs.items() if length not in (UNKNOWN_LENGTH, usual.get(contig))
        ]
        if differing:
            contig = max(differing, key=usual.__getitem__)
            others = _join_samples(each for each in groups.values() if each.contigs.get(contig) == usual[contig])
            texts[digest] = (
                f"{contig} has {group.contigs[contig]} bp, but {usual[contig]} bp in {_name_some(others)}; "
                f"{len(differing)} of {len(group.contigs)} contigs differ: it is of another genome build; "
                "align all samples to the same one"
            )
    return texts


def _find_other_names(groups: Mapping[str, Group], usual: Mapping[str, int]) -> dict[str, str]:
    """Describe, by digest, the groups whose contigs have other names than in most samples.

    The longest contig decides: most samples are those with the one that is the longest most often.
    """
    longest_ones = {digest: _find_longest(group, usual) for digest, group in groups.items()}
    votes: Counter[str] = Counter()
    for digest, group in groups.items():
        votes[longest_ones[digest]] += len(group.samples)
    most = [group for group in groups.values() if votes.most_common(1)[0][0] in group.contigs]
    known = {contig: None for group in most for contig in group.contigs}
    texts = {}
    for digest, group in groups.items():
        longest = longest_ones[digest]
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


def _find_longest(group: Group, usual: Mapping[str, int]) -> str:
    """Return the longest contig; of those of a text file, the one that is so in others, or the first."""
    known = group.contigs if have_lengths(group.contigs) else usual
    return max(group.contigs, key=lambda contig: known.get(contig, 0))


def _list_few(names: Iterable[str]) -> str:
    """Return the first names of many."""
    names = list(names)
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _name_some(samples: Sequence[Sample]) -> str:
    """Return how many samples there are, and the names of the first."""
    if len(samples) == 1:
        return f"sample {samples[0].name}"
    return f"{len(samples)} samples ({_list_few(sample.name for sample in samples)})"
