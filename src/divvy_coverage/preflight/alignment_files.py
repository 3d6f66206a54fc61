"""The alignment files of samples: whether each is whole and of a kind that can be counted, and which contigs it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from divvy_coverage.alignments.headers import Header
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
    return aligned, problems
