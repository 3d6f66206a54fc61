"""BAM (SAM specification, 4.2): the header, and the alignments one by one, without counting: the first tell a lot."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from divvy_coverage.alignments.bgzf import DamagedFile, inflate, read_blocks

BAM_MAGIC = b"BAM\1"
LARGEST_HEADER = 1 << 30  # bytes
# of a record: its size without these 4 bytes, then those of an alignment (SAM specification, 4.2)
FIELDS = struct.Struct("<Ii5xB4xH4xii")
SMALLEST, LARGEST = 32, 1 << 26  # sizes that are believed: for a larger one, a damaged file would be read to its end

# contig, mapping quality, flag, contig and position (0-based) of the mate; contigs and positions are below 0 for none
Alignment = tuple[int, int, int, int, int]
Data = bytearray  # not bytes: each type of data would have the kernel compiled once more


@dataclass
class BamHeader:
    """The contigs of a BAM file with their lengths (bp), in header order, and the size of the header in bytes."""

    contigs: dict[str, int]
    size: int


def read_bam_header(data: Data, path: Path) -> BamHeader | None:
    """Read the header from the first bytes of the content; None if they do not hold all of it."""
    if data[:4] != BAM_MAGIC[: len(data)]:
        raise DamagedFile(path, 0, "expected BAM, found other content in BGZF")
    number_at = struct.Struct("<I").unpack_from
    try:
        (position,) = number_at(data, 4)
        position += 8
        if position > LARGEST_HEADER:
            raise DamagedFile(path, 0, f"the header claims {position} bytes of text")
        (number,) = number_at(data, position)
        position += 4
        contigs = {}
        for _ in range(number):
            (length,) = number_at(data, position)
            if not 1 <= length <= LARGEST_HEADER:
                raise DamagedFile(path, 0, f"the header claims a contig name of {length} bytes")
            end = position + 4 + length
            (contig_length,) = number_at(data, end)
            contigs[data[position + 4 : end - 1].decode("ascii", "replace")] = contig_length
            position = end + 4
    except struct.error:
        return None
    if len(contigs) != number:
        raise DamagedFile(path, 0, "the header has two contigs of the same name")
    return BamHeader(contigs, position)


def read_bam(file: BinaryIO, path: Path) -> tuple[Mapping[str, int], Iterator[Alignment]]:
    """Return the contigs of a BAM file with their lengths (bp), in header order, and its alignments.

    They end before an unsound one. Raises DamagedFile for a damaged header and, while they are read, a damaged block.
    """
    content = (inflate(block, path) for blocks in read_blocks(file, path) for block in blocks)
    data, wanted, header = bytearray(), 1, None
    for part in content:
        data += part
        if len(data) >= wanted:
            if header := read_bam_header(data, path):
                break
            wanted = 2 * len(data)  # not at every block of a large header
    header = header or read_bam_header(data, path)
    if header is None:
        raise DamagedFile(path, path.stat().st_size, "the file ends within the header")
    return header.contigs, _list_records(data, header.size, content)


def _list_records(data: bytearray, offset: int, content: Iterator[bytearray]) -> Iterator[Alignment]:
    """Yield the records from an offset on; `content` continues the data."""
    more: bytearray | None = bytearray()
    while more is not None:
        del data[:offset]
        data += more
        offset = 0
        while len(data) >= offset + FIELDS.size:
            fields = FIELDS.unpack_from(data, offset)
            size = fields[0]
            if not SMALLEST <= size <= LARGEST:
                return
            if len(data) < offset + 4 + size:
                break
            yield fields[1:]
            offset += 4 + size
        more = next(content, None)
