"""The header of a BAM file (SAM specification, 4.2): its contigs, and where its records start."""

import struct
from dataclasses import dataclass
from pathlib import Path

from divvy_coverage.alignments.bgzf import DamagedFile

BAM_MAGIC = b"BAM\1"
LARGEST_HEADER = 1 << 30  # bytes

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
