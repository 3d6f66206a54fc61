"""What one pass over a sample's files has to count, and what it yields."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from divvy_coverage.arrays import Integers
from divvy_coverage.counting.bins import Bins
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.tally import Tally
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.contigs import ABSENT_CONTIGS
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.intervals.start_sites import NO_START_SITES, StartSites


@dataclass(frozen=True)
class Wanted:
    """What to count.

    Attributes
    ----------
    region_sets
        Where to count.
    counting
        What one count is, and which alignments are kept.
    blacklist
        What overlaps one of these regions is not counted.
    sites
        Transcription start sites, for the profile of insertions around them.
    peaks
        The sample's own peaks, of which it is only counted how much overlaps any.
    bin_size
        Width of the bins of the genome in which to count (bp); None for no bins.
    absent_contigs
        What to do about regions on contigs that a header lacks: "error", or "zero" to count nothing there.
    """

    region_sets: Sequence[Regions]
    counting: Counting = field(default_factory=Counting)
    blacklist: Regions | None = None
    sites: StartSites = NO_START_SITES
    peaks: Regions | None = None
    bin_size: int | None = None
    absent_contigs: str = "error"

    def __post_init__(self) -> None:
        if self.absent_contigs not in ABSENT_CONTIGS:
            raise UserError(
                f"absent_contigs: expected one of {', '.join(ABSENT_CONTIGS)}, found {self.absent_contigs!r}"
            )
        if self.bin_size is not None and self.bin_size < 1:
            raise UserError(f"bin_size: expected a width of at least 1 bp, found {self.bin_size}")


@dataclass
class Counted:
    """What was counted.

    Attributes
    ----------
    counts
        For each region set, the counts of its regions in their order (int64).
    in_regions
        For each region set, how many of what was counted overlap at least one region (int64).
    in_peaks
        How many overlap at least one of the sample's own peaks; None without peaks.
    tally
        Numbers of alignments.
    bins
        What was counted in bins of the genome, if that was asked for.
    """

    counts: list[Integers]
    in_regions: Integers
    in_peaks: int | None
    tally: Tally
    bins: Bins | None

    def add(self, other: "Counted") -> None:
        """Add what was counted in another file of the same sample."""
        for ours, theirs in zip(self.counts, other.counts, strict=True):
            ours += theirs
        self.in_regions += other.in_regions
        if self.in_peaks is not None and other.in_peaks is not None:
            self.in_peaks += other.in_peaks
        self.tally.add(other.tally)
        if self.bins and other.bins:
            self.bins.add(other.bins)
