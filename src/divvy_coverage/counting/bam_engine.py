"""Count a BAM file in one pass from front to back, at about the speed of decompressing it."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from divvy_coverage.alignments.bam_header import BamHeader, Data, read_bam_header
from divvy_coverage.alignments.bgzf import DamagedFile
from divvy_coverage.arrays import Integers
from divvy_coverage.counting import kernel
from divvy_coverage.counting.bam_threads import read_in_order
from divvy_coverage.counting.definition import MODES, REASONS, Counting
from divvy_coverage.counting.kernel import Index, Selection, Tallies
from divvy_coverage.counting.statistics import LARGEST_FRAGMENT, TOTALS, TSS_FLANK, Tally
from divvy_coverage.intervals.contigs import check_contigs
from divvy_coverage.intervals.overlaps import sum_over_ranks
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.intervals.start_sites import StartSites
from divvy_coverage.progress import Progress


def count_bam(
    path: Path,
    regions: Regions,
    counting: Counting,
    sites: StartSites,
    threads: int,
    progress: Progress,
    warn: Callable[[str], None],
) -> tuple[Integers, Tally]:
    """Count one file; parameters, result and errors are those of `count_alignments`."""
    walker = Walker(path, regions, counting, sites, warn)
    read_in_order(path, walker.take, threads, progress)
    walker.finish(path.stat().st_size)
    return walker.compute_counts(), walker.get_tally()


def build_index(regions: Regions, sites: StartSites, contigs: list[str]) -> tuple[Index, Integers]:
    """Return regions and start sites as the kernel needs them, and the regions' contig numbers (-1: absent)."""
    numbers = {name: number for number, name in enumerate(contigs)}
    contig = np.array([numbers.get(name, -1) for name in regions.contigs], np.int64)
    here = contig >= 0
    first = np.searchsorted(np.sort(contig[here]), np.arange(len(contigs) + 1)).astype(np.int64)
    starts, ends = (values[here][np.lexsort((values[here], contig[here]))] for values in (regions.starts, regions.ends))
    return Index(first, starts, ends, *sites.index_by_contig(contigs)), contig


def build_tallies(index: Index) -> Tallies:
    """Return tallies that count nothing yet."""
    n_contigs = len(index.first) - 1
    slots = len(index.sorted_starts) + n_contigs
    profile = 2 * TSS_FLANK + 1
    sizes = (slots, slots, 3, len(TOTALS), len(REASONS), 256, LARGEST_FRAGMENT + 1, profile, n_contigs)
    tallies = Tallies(*(np.zeros(size, np.int64) for size in sizes))
    tallies.place[0] = -1
    return tallies


def compute_counts(regions: Regions, contig: Integers, index: Index, tallies: Tallies) -> Integers:
    """Return the counts of the regions (int64, region order); `contig` has their contig numbers."""
    counts = np.zeros(len(regions), np.int64)
    for number in np.unique(contig[contig >= 0]).tolist():
        rows = np.flatnonzero(contig == number)
        first, last = index.first[number : number + 2].tolist()
        slots = slice(first + number, last + number + 1)
        counts[rows] = sum_over_ranks(
            regions.starts[rows],
            regions.ends[rows],
            index.sorted_starts[first:last],
            index.sorted_ends[first:last],
            tallies.start_ranks[slots],
            tallies.end_ranks[slots],
        )
    return counts


class Walker:
    """Takes the content of blocks in file order: first the header, then records, which may cross blocks."""

    def __init__(
        self, path: Path, regions: Regions, counting: Counting, sites: StartSites, warn: Callable[[str], None]
    ) -> None:
        self.path = path
        self._sites = sites
        self._regions = regions
        self._counting = counting
        self._warn = warn
        mode = MODES.index(counting.mode)
        filters = (counting.exclude_flags, counting.require_flags, counting.min_mapq)
        self._selection = Selection(mode, *filters, *counting.shift)
        self._pending = bytearray()  # the beginning of a record, or of the header
        self._wanted = 0  # how much has to be pending before it is worth a look
        self._header: BamHeader | None = None

    def compute_counts(self) -> Integers:
        """Return the counts of the regions (int64, region order)."""
        return compute_counts(self._regions, self._contig, self._index, self._tallies)

    def get_tally(self) -> Tally:
        """Return the statistics."""
        of = self._tallies
        contigs = dict(zip(self._header.contigs if self._header else (), of.contigs.tolist(), strict=True))
        return Tally(of.totals, of.excluded, of.mapq, of.fragment_lengths, of.tss_profile, contigs)

    def take(self, data: Data, offset: int) -> None:
        """Count the records that end in `data`, the content of the block at `offset`."""
        if self._pending:
            self._pending += data
            if len(self._pending) < self._wanted:
                return
            data, self._pending = self._pending, bytearray()
        if not self._header:
            data = self._take_header(data)
        if not self._header:
            return
        used = kernel.walk(np.frombuffer(data, np.uint8), self._selection, self._index, self._tallies)
        if used < 0:
            raise DamagedFile(self.path, offset, kernel.PROBLEMS[used])
        if used < len(data):
            self._pending = bytearray(memoryview(data)[used:])
            size = 4 if len(self._pending) < 4 else 4 + struct.unpack_from("<I", self._pending)[0]
            self._wanted = min(size, kernel.LARGEST_RECORD)

    def finish(self, offset: int) -> None:
        """Check that the file, of `offset` bytes, ends where a record does."""
        if not self._header:
            self._wanted = 0
            self.take(bytearray(), offset)
        if self._pending or not self._header:
            where = "a record" if self._header else "the header"
            raise DamagedFile(self.path, offset, f"the file ends within {where}")

    def _take_header(self, data: Data) -> Data:
        """Read the header and return what follows; if it is not whole yet, wait until there is twice as much."""
        header = read_bam_header(data, self.path)
        if header is None:
            self._pending, self._wanted = bytearray(data), 2 * len(data)
            return bytearray()
        self._start(header)
        return data[header.size :]

    def _start(self, header: BamHeader) -> None:
        if warning := check_contigs(self._regions, header.contigs, self.path, self._counting.absent_contigs):
            self._warn(warning)
        self._header = header
        self._index, self._contig = build_index(self._regions, self._sites, list(header.contigs))
        self._tallies = build_tallies(self._index)
