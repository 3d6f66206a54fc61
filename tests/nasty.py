"""Broken and odd files as people have them (`nasty/` of the real data): what becomes of each.

A file is accepted and counted as brute force counts it, or refused with a message that names the file and the place,
what was found there, and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

TRUNCATED = "the file is truncated or damaged: copy or make it again"
NOT_ALIGNMENTS = "expected BAM, CRAM, SAM, fragments, BEDPE or tagAlign, found"
ADVICE = "correct or remove these lines"
SAME_GENOME = "give regions of the same genome, or set absent_contigs to zero"
AN_INDEX = (NOT_ALIGNMENTS, "an index; give the path of the alignments, without .bai or .csi")
BED_COLUMNS = "expected chrom, start and end in the first three columns of every line, found"
SINGLE_END = ("its alignments are single-end, so there are no", "choose the unit insertions or reads, or auto")
GOOD, WANTED = "good.bam", "ok3.bed"


@dataclass(frozen=True)
class Bam:
    """What becomes of an alignment file: the records it has, or what is said when it is examined, and counted."""

    records: int = 0
    examined: Sequence[str] = ()
    counted: Sequence[str] = ()


@dataclass(frozen=True)
class Bed:
    """What becomes of a region file: its counts of good.bam, what is warned of, or what is said.

    `unfit` is said of regions that are read, but do not fit good.bam.
    """

    counts: Sequence[int] = ()
    warned: str = ""
    read: Sequence[str] = ()
    unfit: Sequence[str] = ()


BAMS = {
    "empty_records.bam": Bam(0),
    "empty_records.bam.bai": Bam(examined=AN_INDEX, counted=AN_INDEX),
    "good.bam": Bam(4635),
    "good.bam.bai": Bam(examined=AN_INDEX, counted=AN_INDEX),
    "name_sorted.bam": Bam(4635),
    "no_eof.bam": Bam(
        examined=("at byte 156233: the end-of-file block is missing", TRUNCATED),
        counted=("at byte 156233: the end-of-file block is missing", TRUNCATED),
    ),
    "no_index.bam": Bam(4635),
    "nochr_names.bam": Bam(
        4635,
        counted=(
            "its header lacks 1 of the region set's contigs: chr1",
            "alignments lack the prefix 'chr'",
            SAME_GENOME,
        ),
    ),
    "nochr_names.bam.bai": Bam(examined=AN_INDEX, counted=AN_INDEX),
    "random_bytes.bam": Bam(
        examined=(NOT_ALIGNMENTS, "another kind of file; give the path of a file with alignments"),
        counted=(NOT_ALIGNMENTS, "another kind of file; give the path of a file with alignments"),
    ),
    "truncated_60pct.bam": Bam(
        examined=("at byte 93756: the end-of-file block is missing", TRUNCATED),
        counted=("at byte 89542: the file ends within a block, after 4214 of its bytes", TRUNCATED),
    ),
    "zero_bytes.bam": Bam(
        examined=(NOT_ALIGNMENTS, "an empty file; copy or make it again"),
        counted=(NOT_ALIGNMENTS, "an empty file; copy or make it again"),
    ),
}
BEDS = {
    "beyond_chrom_end.bed": Bed([0], warned="1 regions end beyond the end of their contig"),
    "blank_lines.bed": Bed([53, 29, 34]),
    "cols12.bed": Bed([53, 29, 34]),
    "cols4.bed": Bed([53, 29, 34]),
    "cols6.bed": Bed([53, 29, 34]),
    "crlf.bed": Bed([53, 29, 34]),
    "duplicates_exact.bed": Bed([53, 29], warned="1 exact duplicates of other regions were dropped; 2 regions remain"),
    "empty.bed": Bed(read=("expected at least one region, found none; give a BED file with regions",)),
    "header_track_browser_comment.bed": Bed([53, 29, 34]),
    "mixed_chr_nochr.bed": Bed(unfit=("lacks 1 of", "contigs: 1 (it has chr1", "regions lack the prefix", SAME_GENOME)),
    "negative_start.bed": Bed(read=(BED_COLUMNS, "line 1: negative coordinate: -5", ADVICE)),
    "no_final_newline.bed": Bed([53, 29, 34]),
    "nochr.bed": Bed(unfit=("lacks 1 of", "contigs: 1 (it has chr1", "regions lack the prefix", SAME_GENOME)),
    "ok3.bed": Bed([53, 29, 34]),
    "only_header.bed": Bed(read=("expected at least one region, found none; give a BED file with regions",)),
    "overlapping.bed": Bed([53, 26, 1]),
    "plain_gzip.bed.gz": Bed([53, 29, 34]),
    "start_gt_end.bed": Bed(read=(BED_COLUMNS, r"line 1: start > end: 'chr1\t2000\t1000'", ADVICE)),
    "text_coords.bed": Bed(read=(BED_COLUMNS, "line 1: not a whole number: 'abc'", ADVICE)),
    "two_columns.bed": Bed(read=(BED_COLUMNS, r"line 1: 2 columns: 'chr1\t100'", ADVICE)),
    "unknown_contig.bed": Bed(unfit=("lacks 1 of", "contigs: chrUn_KI270742v1 (it has chr10, chr11", SAME_GENOME)),
    "unsorted.bed": Bed([34, 29, 53, 0, 0]),
    "utf8_bom.bed": Bed([53, 29, 34]),
    "zero_length.bed": Bed(
        read=(
            BED_COLUMNS,
            r"line 1: zero length: 'chr1\t16104000\t16104000'",
            r"line 2: zero length: 'chr1\t0\t0'",
            ADVICE,
        )
    ),
}
