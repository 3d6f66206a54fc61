"""Count a text file of alignments by the code that counts BAM: records are made of its lines in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from divvy_coverage.alignments.bam import BamHeader
from divvy_coverage.alignments.text_columns import Contigs
from divvy_coverage.alignments.text_files import Spans, read_spans
from divvy_coverage.alignments.text_records import make_records, place_records
from divvy_coverage.counting.bins import Bins
from divvy_coverage.counting.definition import NO_READS, Counting
from divvy_coverage.counting.engines.bam import Walker
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import UNKNOWN_LENGTH
from divvy_coverage.progress import Progress, show_nothing

# contigs for which there is room besides those known before; and a factor, if they are too few
SPARE, MORE = 1 << 12, 32


class _TooManyContigsError(Exception):
    """There are more contigs in a file than there is room for."""


def count_text(path: Path, kind: str, wanted: Wanted, progress: Progress, warn: Callable[[str], None]) -> Counted:
    """Count one file of a kind of `TEXT_KINDS`.

    Its lines were filtered when they were made, so no flag and no mapping quality is asked for. The ends of fragments
    are insertions already, so that they are not shifted. The lengths of contigs are not known.

    Raises
    ------
    UserError
        For a damaged file, a malformed line, and fragments where reads are counted.
    """
    if kind == "fragments" and wanted.counting.unit == "reads":
        raise UserError(f"{path}: {NO_READS}")
    wanted = replace(wanted, counting=_adapt(wanted.counting, kind))
    spare = SPARE
    while True:
        try:
            return _TextCounter(path, kind, wanted, spare, warn).count(progress)
        except _TooManyContigsError:
            spare, progress, warn = MORE * spare, show_nothing, lambda text: None


class _TextCounter:
    """Counts the lines of a file; contigs get their places as they come, after those that are known before."""

    def __init__(self, path: Path, kind: str, wanted: Wanted, spare: int, warn: Callable[[str], None]) -> None:
        self._path, self._kind = path, kind
        counting = wanted.counting
        self._margin = max(counting.extend or 0, *map(abs, counting.shift))  # bp that a span may go beyond a line's
        self._walker = Walker(path, wanted, False, warn)
        self._places = _list_contigs(wanted)
        self._room = len(self._places) + spare
        names = [*self._places, *(f"\n{number}" for number in range(spare))]  # no line has such a name
        self._walker.start(BamHeader(dict.fromkeys(names, UNKNOWN_LENGTH), 0))
        self._lengths: dict[str, int] = {}
        self._has_bins = wanted.bin_size is not None

    def count(self, progress: Progress) -> Counted:
        """Count all lines."""
        contigs, places, totals = Contigs(), np.zeros(0, np.int64), np.zeros(0, np.int64)
        for spans in read_spans(self._path, self._kind, contigs, progress):
            records, numbers = make_records(spans, are_fragments=self._kind == "fragments")
            if len(places) < len(contigs.names):
                places = np.array([self._get_place(name) for name in contigs.names], np.int64)
            if self._has_bins:
                self._measure(spans, contigs.names)
            self._walker.take_records(place_records(records, places[numbers]))
            found = np.bincount(numbers, minlength=len(contigs.names))
            found[: len(totals)] += totals
            totals = found
        counted = self._walker.get_counted()
        counted.tally.forget_unknown(dict(zip(contigs.names, totals.tolist(), strict=True)))
        counted.bins = counted.bins and self._name_bins(counted.bins)
        return counted

    def _get_place(self, name: str) -> int:
        place = self._places.setdefault(name, len(self._places))
        if place >= self._room:
            raise _TooManyContigsError
        return place

    def _measure(self, spans: Iterable[Spans], names: Sequence[str]) -> None:
        """Note how far each contig reaches, and have bins for that."""
        furthest = np.zeros(len(names), np.int64)
        for each in spans:
            placed = each.contigs >= 0
            np.maximum.at(furthest, each.contigs[placed], each.ends[placed])
        for name, end in zip(names, furthest.tolist(), strict=True):
            if end:
                self._lengths[name] = max(end + self._margin, self._lengths.get(name, 0))
                self._walker.reserve_bins(self._places[name], self._lengths[name])

    def _name_bins(self, bins: Bins) -> Bins:
        """Return bins with the names and lengths that the contigs turned out to have."""
        named = Bins(bins.size, self._lengths)
        provisional = list(bins.lengths)
        for name, length in self._lengths.items():
            place, number = provisional[self._places[name]], -(-length // bins.size)
            named.starts[name], named.ends[name] = bins.starts[place][:number], bins.ends[place][:number]
        return named


def _adapt(counting: Counting, kind: str) -> Counting:
    """Return what applies to a kind of text files."""
    shift = (0, 0) if kind == "fragments" else counting.shift
    return replace(counting, exclude_flags=0, require_flags=0, min_mapq=0, shift=shift)


def _list_contigs(wanted: Wanted) -> dict[str, int]:
    """Return the places of the contigs for which it matters what is on them."""
    named: list[Iterable[str]] = [regions.contigs for regions in wanted.region_sets]
    named += [regions.contigs for regions in (wanted.blacklist, wanted.peaks) if regions]
    named += [wanted.sites.contigs, wanted.counting.exclude_contigs]
    return {name: place for place, name in enumerate(dict.fromkeys(name for names in named for name in names))}
