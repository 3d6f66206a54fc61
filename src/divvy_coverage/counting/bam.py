"""Count a BAM file in one pass from front to back, at about the speed of decompressing it.

Blocks are read and inflated by as many threads as asked for; their content is walked in file order by one at a time.
"""

import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from divvy_coverage.alignments.bam_header import Data, Header, read_header
from divvy_coverage.alignments.bgzf import Block, DamagedFile, content, read_blocks
from divvy_coverage.counting import kernel
from divvy_coverage.counting.definition import (
    LARGEST_FRAGMENT,
    MODES,
    REASONS,
    TOTALS,
    TSS_FLANK,
    Counting,
    Integers,
    Tally,
)
from divvy_coverage.counting.kernel import Index, Selection, Tallies
from divvy_coverage.intervals.regions import Regions, check_contigs
from divvy_coverage.intervals.start_sites import NO_START_SITES, StartSites

LOOK_AHEAD = 4  # batches of blocks a thread


def count(
    path: Path,
    regions: Regions,
    counting: Counting,
    sites: StartSites = NO_START_SITES,
    threads: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Integers, Tally]:
    """Count one file; returns the counts (int64, region order) and the statistics. Raises UserError."""
    walker = Walker(path, regions, counting, sites)
    walk_file(path, walker, threads, progress)
    return walker.counts(), walker.tally()


def make_index(regions: Regions, sites: StartSites, contigs: list[str]) -> tuple[Index, Integers]:
    """Return regions and start sites as the kernel needs them, and the regions' contig numbers (-1: absent)."""
    numbers = {name: number for number, name in enumerate(contigs)}
    contig = np.array([numbers.get(name, -1) for name in regions.contigs], np.int64)
    here = contig >= 0
    first = np.searchsorted(np.sort(contig[here]), np.arange(len(contigs) + 1)).astype(np.int64)
    starts, ends = (values[here][np.lexsort((values[here], contig[here]))] for values in (regions.starts, regions.ends))
    return Index(first, starts, ends, *sites.index(contigs)), contig


def make_tallies(index: Index) -> Tallies:
    """Return tallies of nothing."""
    n_contigs = len(index.first) - 1
    slots = len(index.sorted_starts) + n_contigs
    profile = 2 * TSS_FLANK + 1
    sizes = (slots, slots, 3, len(TOTALS), len(REASONS), 256, LARGEST_FRAGMENT + 1, profile, n_contigs)
    tallies = Tallies(*(np.zeros(size, np.int64) for size in sizes))
    tallies.place[0] = -1
    return tallies


def counts_of_regions(regions: Regions, contig: Integers, index: Index, tallies: Tallies) -> Integers:
    """Return the counts of the regions (int64, region order) from the ranks of the spans (see overlaps.py)."""
    result = np.zeros(len(regions), np.int64)
    for number in np.unique(contig[contig >= 0]).tolist():
        rows = np.flatnonzero(contig == number)
        first, last = index.first[number : number + 2].tolist()
        slots = slice(first + number, last + number + 1)
        before_end = np.searchsorted(index.sorted_ends[first:last], regions.ends[rows], side="left")
        before_start = np.searchsorted(index.sorted_starts[first:last], regions.starts[rows], side="left")
        begun, ended = np.cumsum(tallies.start_ranks[slots]), np.cumsum(tallies.end_ranks[slots])
        result[rows] = begun[before_end] - ended[before_start]
    return result


class Walker:
    """Takes the content of blocks in file order: first the header, then records, which may cross blocks."""

    def __init__(self, path: Path, regions: Regions, counting: Counting, sites: StartSites) -> None:
        self.path = path
        self._sites = sites
        self._regions = regions
        self._counting = counting
        mode = MODES.index(counting.mode)
        filters = (counting.exclude_flags, counting.require_flags, counting.min_mapq)
        self._selection = Selection(mode, *filters, *counting.shift)
        self._pending = bytearray()  # the beginning of a record, or of the header
        self._wanted = 0  # how much has to be pending before it is worth a look
        self._header: Header | None = None

    def counts(self) -> Integers:
        """Return the counts of the regions (int64, region order)."""
        return counts_of_regions(self._regions, self._contig, self._index, self._tallies)

    def tally(self) -> Tally:
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
        """Check that the file ends where a record does."""
        if not self._header:
            self._wanted = 0
            self.take(bytearray(), offset)
        if self._pending or not self._header:
            where = "a record" if self._header else "the header"
            raise DamagedFile(self.path, offset, f"the file ends within {where}")

    def _take_header(self, data: Data) -> Data:
        """Read the header and return what follows; if it is not whole yet, wait until there is twice as much."""
        header = read_header(data, self.path)
        if header is None:
            self._pending, self._wanted = bytearray(data), 2 * len(data)
            return bytearray()
        self._start(header)
        return data[header.size :]

    def _start(self, header: Header) -> None:
        check_contigs(self._regions, header.contigs, self.path, self._counting.absent_contigs)
        self._header = header
        self._index, self._contig = make_index(self._regions, self._sites, list(header.contigs))
        self._tallies = make_tallies(self._index)


def walk_file(path: Path, walker: Walker, threads: int, progress: Callable[[int], None]) -> None:
    """Walk all records of a file; `progress` is told the compressed bytes as they are done."""
    with path.open("rb") as file:
        batches = read_blocks(file, path)
        if threads == 1:  # each block is walked at once, while it is in the processor's cache
            for blocks in batches:
                walk_blocks(blocks, (content(block, path) for block in blocks), walker, progress)
        else:
            Team(batches, walker, progress, threads).work()
        walker.finish(path.stat().st_size)


def walk_blocks(blocks: list[Block], contents: Iterable[Data], walker: Walker, progress: Callable[[int], None]) -> None:
    """Hand the content of blocks to the walker."""
    for block, data in zip(blocks, contents, strict=True):
        walker.take(data, block.offset)
    progress(sum(len(block.raw) for block in blocks))


class Team:
    """Threads that each inflate batches of blocks; one of them at a time walks what is ready, in file order."""

    def __init__(
        self, batches: Iterator[list[Block]], walker: Walker, progress: Callable[[int], None], threads: int
    ) -> None:
        self._batches = enumerate(batches)
        self._walker = walker
        self._progress = progress
        self._threads = threads
        self._ahead = threading.Semaphore(LOOK_AHEAD * threads)  # batches in memory
        self._reading, self._handing = threading.Lock(), threading.Lock()
        self._ready: dict[int, tuple[list[Block], list[Data]]] = {}
        self._next = 0  # the batch to be walked next
        self._walking = False
        self._error: BaseException | None = None

    def work(self) -> None:
        """Do all the work; raises the first error of any thread."""
        others = [threading.Thread(target=self._help) for _ in range(self._threads - 1)]
        for thread in others:
            thread.start()
        self._help()
        for thread in others:
            thread.join()
        if self._error:
            raise self._error

    def _help(self) -> None:
        try:
            while self._inflate():
                self._walk()
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._ahead.release()  # wake who waits for room, to find that there is nothing left to do

    def _inflate(self) -> bool:
        """Inflate the next batch; return whether there was one."""
        self._ahead.acquire()
        with self._reading:
            number, blocks = next(self._batches, (-1, []))
        if not blocks or self._error:
            return False
        contents = [content(block, self._walker.path) for block in blocks]
        with self._handing:
            self._ready[number] = blocks, contents
        return True

    def _walk(self) -> None:
        """Walk the batches whose turn it is, unless another thread is at it: it will take ours too."""
        while True:
            with self._handing:
                if self._walking or self._next not in self._ready:
                    return
                self._walking = True
                batch = self._ready.pop(self._next)
            walk_blocks(*batch, self._walker, self._progress)
            with self._handing:
                self._next += 1
                self._walking = False
            self._ahead.release()
