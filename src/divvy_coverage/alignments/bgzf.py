"""BGZF, the blocked gzip of BAM files (SAM specification, 4.1): raw blocks from a file, and their content.

A block is a gzip member of at most 64 KiB whose header tells its size. Content is checked against the block's length
and CRC-32, so a damaged byte is an error with the block's offset and never passes for data.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import deflate

from divvy_coverage.errors import UserError

MAGIC = b"\x1f\x8b\x08\x04"  # gzip, deflate, with extra fields
SIZE_FIELD = b"BC\x02\x00"  # the extra field with the block's size: two letters, two bytes
HEADER = 12  # bytes before the extra fields
USUAL_HEADER = struct.Struct("<4s6xH2sHH")  # magic, size of the extra fields, and the first of them
FOOTER = struct.Struct("<II")  # checksum and size of the content
LARGEST_CONTENT = 1 << 16
END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # the empty block that ends a file
READ_SIZE = 1 << 17  # about ten blocks, whose content fits a processor's cache


class DamagedFile(UserError):  # noqa: N818 - an error that names what it is about
    """A file that is not what it should be, at some byte."""

    def __init__(self, path: Path, offset: int, problem: str) -> None:
        super().__init__(
            f"{path}: at byte {offset}: {problem}; the file is truncated or damaged: copy or make it again"
        )


class Block(NamedTuple):
    """A compressed block: its offset in the file, the size of its header, and all its bytes."""

    offset: int
    header: int
    raw: bytes


def read_blocks(file: BinaryIO, path: Path) -> Iterator[list[Block]]:
    """Yield the blocks of a file, READ_SIZE bytes at a time.

    Raises DamagedFile for a block that is cut off or malformed, and for a file without the empty block at its end.
    """
    offset, rest, last = 0, b"", b""
    while chunk := file.read(READ_SIZE):
        data = rest + chunk
        blocks, used = _split(data, offset, path)
        if blocks:
            last = blocks[-1].raw
            yield blocks
        offset, rest = offset + used, data[used:]
    if rest:
        raise DamagedFile(path, offset, f"the file ends within a block, after {len(rest)} of its bytes")
    if last != END:
        raise DamagedFile(path, offset, "the end-of-file block is missing")


def inflate(block: Block, path: Path) -> bytearray:
    """Return the content of a block; DamagedFile if its length or checksum is not what the block says."""
    raw = block.raw
    checksum, size = FOOTER.unpack_from(raw, len(raw) - FOOTER.size)
    if size > LARGEST_CONTENT:
        raise DamagedFile(path, block.offset, f"a block claims {size} bytes of content, more than {LARGEST_CONTENT}")
    if not size:
        _check_empty(block, checksum, path)
        return bytearray()
    data: bytearray
    try:
        data = deflate.deflate_decompress(memoryview(raw)[block.header : -FOOTER.size], size)
    except deflate.DeflateError:
        data = bytearray()
    # the checksum at the block's end, so that a wrong block size cannot make it swallow the next block unnoticed
    if len(data) != size or deflate.crc32(data) != checksum:
        raise DamagedFile(path, block.offset, "the content of a block does not have its length or its checksum")
    return data


def _check_empty(block: Block, checksum: int, path: Path) -> None:
    """Raise DamagedFile if a block that claims no content has some, or holds more than the end of a deflate stream."""
    inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(block.raw[block.header : -FOOTER.size], 1)
    except zlib.error:
        content = b"damaged"
    if content or not inflater.eof or inflater.unused_data or checksum:
        raise DamagedFile(path, block.offset, "a block claims to be empty, but is not")


def check_end(file: BinaryIO, path: Path) -> None:
    """Raise DamagedFile if a file lacks the block that ends it, without reading the others; then go to its start."""
    size = file.seek(0, os.SEEK_END)
    file.seek(-min(size, len(END)), os.SEEK_END)
    if file.read() != END:
        raise DamagedFile(path, size, "the end-of-file block is missing")
    file.seek(0)


def _split(data: bytes, offset: int, path: Path) -> tuple[list[Block], int]:
    """Return the whole blocks in `data`, which starts at `offset` of the file, and how many bytes they take."""
    blocks: list[Block] = []
    position, end = 0, len(data)
    while end - position >= USUAL_HEADER.size:
        magic, extra, name, length, last = USUAL_HEADER.unpack_from(data, position)
        if magic != MAGIC:
            raise DamagedFile(path, offset + position, "expected the start of a block, found other bytes")
        header = HEADER + extra
        if end - position < header:
            break
        usual = extra == 6 and name == b"BC" and length == 2
        size = last + 1 if usual else _block_size(data[position + HEADER : position + header])
        if size < header + FOOTER.size:
            raise DamagedFile(path, offset + position, f"a block claims an impossible size, {size} bytes")
        if end - position < size:
            break
        blocks.append(Block(offset + position, header, data[position : position + size]))
        position += size
    return blocks, position


def _block_size(extra: bytes) -> int:
    """Return the size of a block from its extra fields, 0 if they do not tell."""
    while len(extra) >= 4:
        length = int.from_bytes(extra[2:4], "little")
        if extra.startswith(SIZE_FIELD) and len(extra) >= 6:
            return int.from_bytes(extra[4:6], "little") + 1
        extra = extra[4 + length :]
    return 0
