"""Count a BAM file in one pass from front to back, at about the speed of decompressing it."""

import ctypes
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.alignments.bam import BamHeader, Data, read_bam_header
from divvy_coverage.alignments.bgzf import DamagedFile
from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.engines.threads import Open, read_in_order
from divvy_coverage.counting.kernel.one_pass import OnePass
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.contigs import check_contigs, find_no_contig
from divvy_coverage.progress import Progress


class NotInOrderError(Exception):
    """A file that was taken to be in order of coordinates is not."""


def count_bam(
    path: Path, open_file: Open, wanted: Wanted, threads: int, progress: Progress, warn: Callable[[str], None]
) -> Counted:
    """Count one file.

    A file is taken to be in order of coordinates, in which few mates wait for the other one at a time. Of one that is
    not, which shows within its first records unless it was made to deceive, counting begins anew.

    Parameters
    ----------
    path
        The file, for messages.
    open_file
        Opens BAM for reading: the file itself or, of another format, what makes BAM of it.
    wanted, threads, progress, warn
        As of `count_sample`.

    Raises
    ------
    UserError
        For a truncated or damaged file, or one of another genome than the regions.
    """
    try:
        return _count(Walker(path, wanted, True, warn), open_file, threads, progress)
    except NotInOrderError:
        return _count(Walker(path, wanted, False, lambda text: None), open_file, threads, progress)


def _count(walker: "Walker", open_file: Open, threads: int, progress: Progress) -> Counted:
    end = read_in_order(walker.path, open_file, walker.take, threads, progress)
    walker.finish(end)
    return walker.get_counted()


class Walker:
    """Takes the content of blocks in file order: first the header, then records, which may cross blocks."""

    def __init__(self, path: Path, wanted: Wanted, in_order: bool, warn: Callable[[str], None]) -> None:
        self.path = path
        self._wanted = wanted
        self._in_order = in_order
        self._warn = warn
        self._pending = bytearray()  # the beginning of a record, or of the header
        self._needed = 0  # how much has to be pending before it is worth a look
        self._pass: OnePass | None = None

    def get_counted(self) -> Counted:
        """Return what was counted."""
        assert self._pass
        return self._pass.get_counted()

    def take(self, data: Data, offset: int) -> None:
        """Count the records that end in `data`, the content of the block at `offset`."""
        if self._pending:
            self._pending += data
            if len(self._pending) < self._needed:
                return
            data, self._pending = self._pending, bytearray()
        if not self._pass:
            data = self._take_header(data)
        if not self._pass:
            return
        used = self._count_records(data, self._pass, offset) if data else 0
        if used < len(data):
            self._pending = bytearray(memoryview(data)[used:])
            size = 4 if len(self._pending) < 4 else 4 + struct.unpack_from("<I", self._pending)[0]
            self._needed = min(size, at.LARGEST_RECORD)

    def _count_records(self, data: Data | memoryview, one_pass: OnePass, offset: int) -> int:
        """Count the whole records in `data`; return how many bytes they take."""
        start = ctypes.c_char.from_buffer(data)  # which a block takes a tenth of the time for that numpy needs
        address, size, used = ctypes.addressof(start), len(data), 0
        while True:
            used += one_pass.decode(address + used, size - used)
            status = one_pass.status
            if not status:
                return used
            if status == at.NOT_IN_ORDER:
                raise NotInOrderError
            if status < 0:
                raise DamagedFile(self.path, offset, at.PROBLEMS[status])
            try:
                one_pass.make_room()
            except UserError as error:
                raise UserError(f"{self.path}: {error}") from None

    def reserve_bins(self, contig: int, length: int) -> None:
        """Have bins for the first `length` bp of a contig of the header, which is not known to be that long."""
        assert self._pass
        self._pass.reserve_bins(contig, length)

    def take_records(self, records: NDArray[np.uint8]) -> None:
        """Count whole records, which are no part of a file; for these the header has to be known."""
        assert self._pass
        if len(records):
            self._count_records(records.data, self._pass, 0)

    def finish(self, offset: int) -> None:
        """Check that the file, of `offset` bytes, ends where a record does."""
        if not self._pass:
            self._needed = 0
            self.take(bytearray(), offset)
        if self._pending or not self._pass:
            where = "a record" if self._pass else "the header"
            raise DamagedFile(self.path, offset, f"the file ends within {where}")

    def _take_header(self, data: Data) -> Data:
        """Read the header and return what follows; if it is not whole yet, wait until there is twice as much."""
        header = read_bam_header(data, self.path)
        if header is None:
            self._pending, self._needed = bytearray(data), 2 * len(data)
            return bytearray()
        self.start(header)
        return data[header.size :]

    def start(self, header: BamHeader) -> None:
        """Get ready for the records that follow a header."""
        for regions in self._wanted.region_sets:
            if warning := check_contigs(regions, header.contigs, self.path, self._wanted.absent_contigs):
                self._warn(warning)
        others = (
            (self._wanted.blacklist, "blacklisted regions", "they would exclude nothing"),
            (self._wanted.peaks, "peaks", "nothing would be in them"),
        )
        for those, name, effect in others:
            if those and (problem := find_no_contig(those.contigs, header.contigs, name, effect)):
                raise UserError(f"{self.path}: {problem}")
        self._pass = OnePass(self._wanted, header.contigs, self._in_order)
