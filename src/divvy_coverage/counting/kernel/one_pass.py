"""One pass over a file: what its records are decoded to goes to all that counts it."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.kernel.binning import Binning
from divvy_coverage.counting.kernel.decoder import Decoder
from divvy_coverage.counting.kernel.load import get_run
from divvy_coverage.counting.kernel.profile import Profile
from divvy_coverage.counting.kernel.region_counts import RegionCounts
from divvy_coverage.counting.passes import Counted, Wanted


class Sink(Protocol):
    """What counts the rows of batches."""

    def take(self, rows: int, number: int) -> None:
        """Count the rows at an address."""


class OnePass:
    """Counts what is wanted of a file with the given contigs (bp), which is in order of coordinates or not."""

    def __init__(self, wanted: Wanted, lengths: Mapping[str, int], in_order: bool) -> None:
        run, contigs = get_run(), list(lengths)
        self._in_pairs = wanted.counting.unit == "paired_insertions"
        self._blacklist = RegionCounts(run, wanted.blacklist, contigs) if wanted.blacklist else None
        self._sets = [RegionCounts(run, regions, contigs, self._in_pairs) for regions in wanted.region_sets]
        self._peaks = RegionCounts(run, wanted.peaks, contigs, self._in_pairs) if wanted.peaks else None
        self._bins = Binning(run, wanted.bin_size, lengths) if wanted.bin_size else None
        self._profile = Profile(run, wanted.sites, contigs) if wanted.sites.contigs else None
        sinks: tuple[Sink | None, ...] = (*self._sets, self._peaks, self._bins)
        self._sinks = [sink for sink in sinks if sink]
        self._usable = self._blacklisted = 0
        self._decoder = Decoder(run, wanted.counting, lengths, in_order, self._profile is not None)
        self.decode = self._decoder.decode

    @property
    def status(self) -> int:
        """Why `decode` stopped before the end of the data, as `layout` has it; 0 if it did not."""
        return self._decoder.status

    def make_room(self) -> None:
        """Make the room for want of which `decode` stopped. Raises UserError if that would be too much."""
        if self.status == at.BATCH_FULL:
            self._count_batches()
        else:
            self._decoder.make_room()

    def reserve_bins(self, contig: int, length: int) -> None:
        """Have bins for the first `length` bp of a contig, if there are bins."""
        if self._bins:
            self._bins.reserve(contig, length)

    def _count_batches(self) -> None:
        """Give what was decoded to all that counts it; the blacklist takes its part first."""
        insertions, number = self._decoder.empty(at.AT_INSERTIONS)
        if self._profile:
            self._profile.take(insertions, number)
        units, number = self._decoder.empty(at.AT_UNITS)
        usable = self._blacklist.drop(units, number) if self._blacklist else number
        self._usable += usable
        self._blacklisted += number - usable
        spans = self._decoder.split(units, usable) if self._in_pairs else (units, usable)
        for sink in self._sinks:
            sink.take(*spans)

    def get_counted(self) -> Counted:
        """Return what was counted."""
        self._count_batches()
        tally = self._decoder.get_tally()
        tally["usable"], tally["blacklisted"] = self._usable, self._blacklisted
        tally.tss_profile = self._profile.compute() if self._profile else None
        return Counted(
            [regions.compute() for regions in self._sets],
            np.array([regions.in_regions for regions in self._sets], np.int64),
            self._peaks.in_regions if self._peaks else None,
            tally,
            self._bins.compute() if self._bins else None,
        )
