"""What is counted, in plain Python over pysam's records, written from config/README.md alone."""

from collections.abc import Sequence
from pathlib import Path

import pysam

Row = tuple[str, int, int]


def spans(path: Path, mode: str, exclude: int, require: int, mapq: int, shift: Sequence[int]) -> tuple[int, list[Row]]:
    """Return the number of kept alignments, and what is counted: (contig, start, end) of each."""
    kept, found = 0, []
    with pysam.AlignmentFile(str(path), check_sq=False) as file:
        for read in file.fetch(until_eof=True):
            if read.flag & exclude or read.flag & require != require or read.mapping_quality < mapq:
                continue
            if read.reference_id < 0 or read.reference_start < 0:
                continue
            kept += 1
            contig, start = read.reference_name, read.reference_start
            end = start + sum(length for operation, length in read.cigartuples or () if operation in (0, 2, 3, 7, 8))
            if mode == "reads":
                found.append((contig, start, end))
            elif mode == "insertions":
                site = end - 1 + shift[1] if read.is_reverse else start + shift[0]
                if end > start and site >= 0:
                    found.append((contig, site, site + 1))
            elif read.flag & 0x2 and read.next_reference_id == read.reference_id:
                mate = read.next_reference_start
                if start < mate or (start == mate and read.flag & 0x40):
                    found.append((contig, start, start + abs(read.template_length)))
    return kept, found


def overlap(span: Row, region: Row) -> bool:
    """Tell whether a span shares at least 1 bp with a region."""
    return span[0] == region[0] and min(span[2], region[2]) - max(span[1], region[1]) >= 1


def count(rows: Sequence[Row], found: Sequence[Row]) -> tuple[list[int], int]:
    """Return the counts of the regions, and how many spans are in at least one."""
    counts = [sum(overlap(span, row) for span in found) for row in rows]
    return counts, sum(any(overlap(span, row) for row in rows) for span in found)


def tss_profile(
    sites: Sequence[tuple[str, int]], contigs: Sequence[str], positions: Sequence[int], strands: Sequence[int]
) -> dict[int, int]:
    """Return how many insertions are at each distance, within 2000 bp, from a start site in the direction of its strand."""
    profile: dict[int, int] = {}
    for contig, site in sites:
        for other, position, strand in zip(contigs, positions, strands, strict=True):
            distance = int(strand) * (site - int(position))
            if contig == other and abs(distance) <= 2000:
                profile[distance] = profile.get(distance, 0) + 1
    return profile
