"""What is known of a sample's alignments besides the counts of regions: whole numbers and histograms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.compiled.constants import LARGEST_FRAGMENT, REASONS, TOTALS, TSS_FLANK

QUALITIES = 256  # mapping qualities, 0 to 255


def _make_zeros(size: int) -> Integers:
    return np.zeros(size, np.int64)


@dataclass
class Tally:
    """Numbers of alignments of a sample; all arrays are int64. `tally["usable"]` is one of the totals.

    Attributes
    ----------
    totals
        Numbers of alignments by kind (TOTALS).
    excluded
        Numbers of alignments that are not kept, by reason (REASONS).
    mapping_quality
        Numbers of primary alignments on a contig by mapping quality (QUALITIES).
    fragment_lengths
        Numbers of fragments by length (0 to LARGEST_FRAGMENT bp).
    tss_profile
        Numbers of insertions by distance from a start site in the direction of its strand (-TSS_FLANK to TSS_FLANK bp);
        None without start sites.
    contigs
        Numbers of primary alignments by contig, of all contigs of the header.
    copies
        By contig, how many fragments occur 0 times, once, twice and so on, with duplicates (see `compiled.copies`);
        None if that is not known.
    is_filtered
        Whether some are of a text file, so that it is not known what was filtered out of it.
    """

    totals: Integers = field(default_factory=lambda: _make_zeros(len(TOTALS)))
    excluded: Integers = field(default_factory=lambda: _make_zeros(len(REASONS)))
    mapping_quality: Integers = field(default_factory=lambda: _make_zeros(QUALITIES))
    fragment_lengths: Integers = field(default_factory=lambda: _make_zeros(LARGEST_FRAGMENT + 1))
    tss_profile: Integers | None = None
    contigs: dict[str, int] = field(default_factory=dict)
    copies: dict[str, Integers] | None = None
    is_filtered: bool = False

    def add(self, other: "Tally") -> None:
        """Add those of another file of the same sample."""
        self.totals += other.totals
        self.excluded += other.excluded
        self.mapping_quality += other.mapping_quality
        self.fragment_lengths += other.fragment_lengths
        if self.tss_profile is not None and other.tss_profile is not None:
            self.tss_profile += other.tss_profile
        for contig, number in other.contigs.items():
            self.contigs[contig] = self.contigs.get(contig, 0) + number
        self.copies = None  # what is in both files is not known
        self.is_filtered |= other.is_filtered

    def forget_unknown(self, contigs: dict[str, int]) -> None:
        """Take it for the tally of a text file, with these numbers of alignments by contig."""
        self.mapping_quality[:] = 0
        self.contigs, self.copies, self.is_filtered = contigs, None, True

    def __getitem__(self, name: str) -> int:
        return int(self.totals[TOTALS.index(name)])

    def __setitem__(self, name: str, number: int) -> None:
        self.totals[TOTALS.index(name)] = number

    def describe(self) -> dict[str, Any]:
        """Return all of it as JSON has it; histograms are without their zeros."""
        return {
            "totals": dict(zip(TOTALS, self.totals.tolist(), strict=True)),
            "excluded": dict(zip(REASONS, self.excluded.tolist(), strict=True)),
            "mapping_quality": _drop_zeros(self.mapping_quality),
            "fragment_lengths": _drop_zeros(self.fragment_lengths),
            "tss_profile": None if self.tss_profile is None else self.tss_profile.tolist(),
            "contigs": self.contigs,
            "copies": self.copies and {contig: _drop_zeros(copies) for contig, copies in self.copies.items()},
            "is_filtered": self.is_filtered,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Tally":
        """Return what `describe` described. Raises KeyError, TypeError or ValueError for anything else."""
        profile, copies = found["tss_profile"], found["copies"]
        if profile is not None and len(profile) != 2 * TSS_FLANK + 1:
            raise ValueError(f"tss_profile: expected {2 * TSS_FLANK + 1} numbers, found {len(profile)}")
        return cls(
            np.array([found["totals"][name] for name in TOTALS], np.int64),
            np.array([found["excluded"][name] for name in REASONS], np.int64),
            _add_zeros(found["mapping_quality"], QUALITIES),
            _add_zeros(found["fragment_lengths"], LARGEST_FRAGMENT + 1),
            None if profile is None else np.array(profile, np.int64),
            dict(found["contigs"]),
            copies and {contig: _add_zeros(each, max(map(int, each)) + 1) for contig, each in copies.items()},
            found["is_filtered"],
        )


def _drop_zeros(histogram: Integers) -> dict[str, int]:
    return {str(i): int(histogram[i]) for i in np.flatnonzero(histogram).tolist()}


def _add_zeros(numbers: Mapping[str, int], size: int) -> Integers:
    """Return a histogram of 0 to size − 1. Raises ValueError for a number beyond it."""
    histogram = _make_zeros(size)
    places = np.array(list(numbers), np.int64)
    if places.size and not 0 <= places.min() <= places.max() < size:
        raise ValueError(f"expected numbers of 0 to {size - 1}, found one of {places.max()}")
    histogram[places] = list(numbers.values())
    return histogram
