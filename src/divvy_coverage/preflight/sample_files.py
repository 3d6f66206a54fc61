"""The files of samples: whether alignments are whole and of a kind that can be counted, and whether peaks fit them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from divvy_coverage.alignments.fingerprints import NO_STAMP, get_stamp
from divvy_coverage.alignments.headers import Header
from divvy_coverage.intervals.contigs import find_no_contig
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.preflight.file_cache import read_files
from divvy_coverage.preflight.header_cache import HeaderCache
from divvy_coverage.problems import Problem
from divvy_coverage.samples import Sample


@dataclass(frozen=True)
class AlignedSample:
    """A sample and the headers of its alignment files, in the same order."""

    sample: Sample
    headers: Sequence[Header]


def check_alignment_files(samples: Sequence[Sample], cache: Path) -> tuple[list[AlignedSample], list[Problem]]:
    """Look at the alignment files of all samples, of which the file `cache` remembers those that did not change.

    Returns the samples whose files are all sound, with their headers, and the problems of the others.
    """
    sound, broken = HeaderCache(cache).examine(Path(path) for sample in samples for path in sample.files)
    aligned, problems = [], []
    for sample in samples:
        paths = [Path(path) for path in sample.files]
        texts = [broken[path] for path in paths if path in broken]
        problems += [Problem(sample.name, sample.row, "alignment files", "error", text) for text in texts]
        if not texts:
            aligned.append(AlignedSample(sample, [sound[path] for path in paths]))
    return aligned, problems + _find_same_content(aligned)


def _find_same_content(samples: Sequence[AlignedSample]) -> list[Problem]:
    """Return the problems of files with the content of others: of copies a warning, as they may be meant.

    A file that is seen through two mounts has two names and device numbers; it is given away by its inode and times.
    """
    groups: dict[str, list[tuple[Sample, Path]]] = {}
    for aligned in samples:
        for header in aligned.headers:
            if header.paired is not None:  # files without alignments are often the same
                groups.setdefault(header.fingerprint, []).append((aligned.sample, header.path))
    problems = []
    for (first, path), *others in groups.values():
        stamp, copies = get_stamp(path) if others else NO_STAMP, []
        for sample, other in others:
            if get_stamp(other) != stamp:
                copies.append(f"{other} ({sample.name})")
                continue
            text = f"{other}: is the same file as {path} of {first.name!r}; a file belongs to one sample, and once"
            problems.append(Problem(sample.name, sample.row, "duplicate bam", "error", text))
        if copies:
            text = f"files that seem to be copies of {path} ({first.name}): {', '.join(copies[:10])}"
            more = f" and {len(copies) - 10} more" if len(copies) > 10 else ""
            problems.append(Problem("", None, "duplicate bam", "warning", text + more))
    return problems


def check_own_peaks(samples: Sequence[AlignedSample], cache: Path) -> list[Problem]:
    """Return an error for each sample with a peak file that cannot be read, or has no contig of its alignments.

    Of files that have not changed since, the file `cache` remembers the contigs.
    """
    peaks = [Path(path) for each in samples for path in each.sample.peaks or ()]
    contigs, broken = read_files(peaks, _read_contigs, cache)
    problems = []
    for sample, headers in ((each.sample, each.headers) for each in samples):
        paths = [Path(path) for path in sample.peaks or ()]
        texts = [broken[path] for path in paths if path in broken]
        found = [contig for path in paths for contig in contigs.get(path, ())]
        for header in headers if found else ():
            if misfit := find_no_contig(found, header.contigs, "peaks", "nothing would be in them"):
                texts.append(f"{header.path}: {misfit}")
        problems += [Problem(sample.name, sample.row, "peaks", "error", text) for text in texts]
    return problems


def _read_contigs(path: Path) -> list[str]:
    return read_regions(path).contigs
