"""The pairs of a BAM file as text files: fragments and BEDPE, as other programs make them."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pysam

import oracle
from divvy_coverage.counting.definition import Counting
from helpers import bgzf


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def filter_pairs(bam: Path, counting: Counting, out: Path) -> list[oracle.Fragment]:
    """Write the mates of fragments, sorted by name, and return these fragments."""
    kept = [read for read in oracle.read_all(bam) if oracle.is_kept(read, counting)]
    by_name: dict[str, list[pysam.AlignedSegment]] = defaultdict(list)
    for read in kept:
        by_name[read.query_name].append(read)
    fragments = []
    with pysam.AlignmentFile(str(bam)) as template, pysam.AlignmentFile(str(out), "wb", template=template) as file:
        for reads in by_name.values():
            found = list(oracle.find_fragments(reads))
            if len(reads) == 2 and found:
                fragments += found
                for read in reads:
                    file.write(read)
    return fragments


def write_fragments(path: Path, fragments: Sequence[oracle.Fragment], shift: tuple[int, int] = (0, 0)) -> Path:
    rows = sorted((each.contig, each.start + shift[0], each.end + shift[1]) for each in fragments)
    return written(path, bgzf("".join(f"{c}\t{s}\t{e}\tAC-1\t1\n" for c, s, e in rows).encode()))


def write_bedpe(path: Path, bam: Path) -> Path:
    """Write a file whose mates follow each other, as `bedtools bamtobed -bedpe` does."""
    reads = oracle.read_all(bam)
    text = ""
    for mates in zip(reads[::2], reads[1::2], strict=True):
        places = [f"{read.reference_name}\t{read.reference_start}\t{read.reference_end}" for read in mates]
        strands = ["+-"[read.is_reverse] for read in mates]
        text += "\t".join([*places, str(mates[0].query_name), "60", *strands]) + "\n"
    return written(path, text)
