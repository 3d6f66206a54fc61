"""What kind of file it is, told by its first bytes: alignments from all that is taken for them."""

import re
import zlib
from pathlib import Path
from typing import BinaryIO

from divvy_coverage.alignments import bgzf
from divvy_coverage.alignments.text_kinds import name_text_kind
from divvy_coverage.alignments.text_lines import read_first_line
from divvy_coverage.errors import UserError

EXPECTED = "BAM, CRAM, SAM, fragments, BEDPE or tagAlign"
START = 1 << 12  # bytes that are looked at, of the file and of its content
GZIP = b"\x1f\x8b"
# what the content of a file starts with, and what that is called; the first that matches
KINDS = tuple(
    (re.compile(start), kind)
    for start, kind in (
        (rb"BAM\x01", "BAM"),
        (rb"CRAM", "CRAM"),
        (rb"@(?:HD|SQ|RG|PG|CO)\t", "SAM"),
        (rb"[^\t\n]+\t\d+\t[^\t\n]+\t\d+\t\d+\t(?:\*|(?:\d+[MIDNSHP=X])+)\t[^\t\n]+\t\d+\t-?\d+\t", "SAM"),  # no header
        (rb"(?:BAI|CSI|TBI)\x01", "an index"),
        (rb"BCF\x02|##fileformat=VCF", "VCF"),
        (rb"@[^\n]*\n[A-Za-z.*]+(?:\r?\n\+|\Z)", "FASTQ"),
        (rb">[^\n]*\n[A-Za-z*-]+\s", "FASTA"),
        (rb"\x26\xfc\x8f\x88|\x88\x8f\xfc\x26", "bigWig"),
        (rb"\xeb\xf2\x89\x87|\x87\x89\xf2\xeb", "bigBed"),
        (rb"\x89HDF", "HDF5"),
        (rb"NCBI\.sra", "SRA"),
        (rb"BZh[1-9]|\xfd7zXZ|\x28\xb5\x2f\xfd|PK\x03\x04|(?s:.{257})ustar", "an archive or another compression"),
        (rb"(?i)\s*<(?:!doctype|html|\?xml)", "a web page"),
        (rb"version https://git-lfs", "a Git LFS pointer"),
        (rb"\0{64}", "nothing but zeros"),
        (rb"(?:(?:(?:#|track|browser)[^\n]*)?\r?\n)*[^\t\n]+\t-?\d+\t-?\d+[\t\r\n]", "BED"),
    )
)
TEXT = re.compile(rb"\s*([ -~][\t -~]{,39})[\t -~]*(?:\s|\Z)")
ADVICE = {
    "BAM": "make it again: samtools view -b",
    "an index": "give the path of the alignments, without .bai or .csi",
    "FASTQ": "align the reads first",
    "SRA": "extract the alignments first: sam-dump",
    "an archive or another compression": "unpack it first",
    "a web page": "download it again",
    "a Git LFS pointer": "fetch the file itself: git lfs pull",
    "nothing but zeros": "copy it again",
}


def find_alignment_kind(file: BinaryIO, path: Path) -> str:
    """Return "bam", "cram", "sam" or a kind of text; UserError for everything else says what it seems to be.

    A BGZF file that is damaged or cut off at its start passes for BAM, whose reader tells where.
    """
    start = file.read(START)
    file.seek(0)
    if not start:
        raise UserError(f"{path}: expected {EXPECTED}, found an empty file; copy or make it again")
    packing, content = unpack_start(start)
    kind = name_kind(content)
    if packing == "bgzip" and (kind == "BAM" or len(content) < 4):
        return "bam"
    if kind == "SAM" or (kind == "CRAM" and not packing):
        return kind.lower()
    may_be_text = kind == "BED" or (kind != "VCF" and content.startswith(b"#"))
    if may_be_text and (text := name_text_kind(read_first_line(path))):
        return text
    how = f"compressed by {packing}" if packing else "not compressed" if kind == "BAM" else ""
    advice = ADVICE.get(kind, "give the path of a file with alignments")
    raise UserError(f"{path}: expected {EXPECTED}, found {', '.join(filter(None, [kind, how]))}; {advice}")


def unpack_start(start: bytes) -> tuple[str, bytes]:
    """Return how a file that starts so is compressed ("", "gzip", "bgzip"), and the start of its content.

    There is no content if the compressed data are damaged.
    """
    packing = "bgzip" if start.startswith(bgzf.MAGIC) else "gzip" if start.startswith(GZIP) else ""
    if not packing:
        return packing, start
    content = b""
    while start and not content:  # a block may be empty
        inflater = zlib.decompressobj(wbits=31)
        try:
            content = inflater.decompress(start, START)
        except zlib.error:
            break
        start = inflater.unused_data
    return packing, content


def name_kind(content: bytes) -> str:
    """Return what a file whose content starts so seems to be."""
    if not content:
        return "nothing that can be read"
    for start, kind in KINDS:
        if start.match(content):
            return kind
    text = TEXT.match(content)
    return f"text that starts with {text.group(1).decode()!r}" if text else "another kind of file"
