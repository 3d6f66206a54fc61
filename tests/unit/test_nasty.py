"""Broken and odd files as people have them (`nasty/` of the real data): what becomes of each.

A file is accepted and counted as brute force counts it, or refused with a message that names the file and the place,
what was found there, and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import oracle
from divvy_coverage.alignments.headers import examine
from divvy_coverage.counting import count as alignments
from divvy_coverage.counting.definition import MODES, Counting
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import read_bed

TRUNCATED = "the file is truncated or damaged: copy or make it again"
NOT_ALIGNMENTS = "expected BAM, CRAM or SAM, found"
MEND = "mend or remove these lines"
SAME_GENOME = "give regions of the same genome, or set counting.absent_contigs to zero"
AN_INDEX = (NOT_ALIGNMENTS, "an index; give the path of the alignments, without .bai or .csi")
BED_COLUMNS = "expected contig, start and end in the first three columns of every line, found"
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
    "negative_start.bed": Bed(read=(BED_COLUMNS, "line 1: negative coordinate: -5", MEND)),
    "no_final_newline.bed": Bed([53, 29, 34]),
    "nochr.bed": Bed(unfit=("lacks 1 of", "contigs: 1 (it has chr1", "regions lack the prefix", SAME_GENOME)),
    "ok3.bed": Bed([53, 29, 34]),
    "only_header.bed": Bed(read=("expected at least one region, found none; give a BED file with regions",)),
    "overlapping.bed": Bed([53, 26, 1]),
    "plain_gzip.bed.gz": Bed([53, 29, 34]),
    "start_gt_end.bed": Bed(read=(BED_COLUMNS, r"line 1: start > end: 'chr1\t2000\t1000'", MEND)),
    "text_coords.bed": Bed(read=(BED_COLUMNS, "line 1: not a whole number: 'abc'", MEND)),
    "two_columns.bed": Bed(read=(BED_COLUMNS, r"line 1: 2 columns: 'chr1\t100'", MEND)),
    "unknown_contig.bed": Bed(unfit=("lacks 1 of", "contigs: chrUn_KI270742v1 (it has chr10, chr11", SAME_GENOME)),
    "unsorted.bed": Bed([34, 29, 53, 0, 0]),
    "utf8_bom.bed": Bed([53, 29, 34]),
    "zero_length.bed": Bed(
        read=(
            BED_COLUMNS,
            r"line 1: zero length: 'chr1\t16104000\t16104000'",
            r"line 2: zero length: 'chr1\t0\t0'",
            MEND,
        )
    ),
}


def test_the_tables_are_complete(data: Path) -> None:
    files = {path.relative_to(data / "nasty").as_posix() for path in (data / "nasty").rglob("*") if path.is_file()}
    assert files == {f"bam/{name}" for name in BAMS} | {f"bed/{name}" for name in BEDS}


def says(error: pytest.ExceptionInfo[UserError], path: Path, essentials: Sequence[str]) -> None:
    """Check that a message starts with the file and has all essentials, in their order."""
    text, place = str(error.value), 0
    assert text.startswith(f"{path}: ")
    for essential in essentials:
        assert essential in text[place:], text
        place = text.index(essential, place) + len(essential)


@pytest.mark.parametrize(("name", "outcome"), BAMS.items(), ids=BAMS)
def test_alignment_files_are_examined(data: Path, name: str, outcome: Bam) -> None:
    path = data / "nasty" / "bam" / name
    if outcome.examined:
        with pytest.raises(UserError) as error:
            examine(path)
        says(error, path, outcome.examined)
    else:
        header = examine(path)
        assert header.kind == "bam"
        assert len(header.contigs) == 22
        assert header.contigs["1" if name == "nochr_names.bam" else "chr1"] == 195_471_971


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("name", "outcome"), BAMS.items(), ids=BAMS)
def test_alignment_files_are_counted(data: Path, name: str, outcome: Bam, mode: str) -> None:
    path = data / "nasty" / "bam" / name
    regions = read_bed(data / "nasty" / "bed" / WANTED)
    counting = Counting(mode)
    if outcome.counted:
        with pytest.raises(UserError) as error:
            alignments.count([path], regions, counting)
        says(error, path, outcome.counted)
        return
    counts, tally = alignments.count([path], regions, counting)
    rows = list(zip(regions.contigs, regions.starts.tolist(), regions.ends.tolist(), strict=True))
    kept, spans = oracle.spans(path, mode, counting.exclude_flags, 0, 0, counting.shift)
    assert (counts.tolist(), tally["in_regions"]) == oracle.count(rows, spans)
    assert (tally["kept"], tally["counted"]) == (kept, len(spans))
    assert tally["alignments"] == outcome.records


def test_names_without_chr_fit_each_other(data: Path) -> None:
    path, regions = data / "nasty" / "bam" / "nochr_names.bam", read_bed(data / "nasty" / "bed" / "nochr.bed")
    assert alignments.count([path], regions, Counting())[0].tolist() == BEDS[WANTED].counts


@pytest.mark.parametrize(("name", "outcome"), BEDS.items(), ids=BEDS)
def test_region_files(data: Path, name: str, outcome: Bed, capsys: pytest.CaptureFixture[str]) -> None:
    path, alignment_file = data / "nasty" / "bed" / name, data / "nasty" / "bam" / GOOD
    if outcome.read:
        with pytest.raises(UserError) as error:
            read_bed(path)
        says(error, path, outcome.read)
        return
    regions = read_bed(path)
    if outcome.unfit:
        with pytest.raises(UserError) as error:
            alignments.count([alignment_file], regions, Counting())
        says(error, alignment_file, outcome.unfit)
        return
    counts = alignments.count([alignment_file], regions, Counting())[0].tolist()
    spans = oracle.spans(alignment_file, "reads", 3844, 0, 0, (0, 0))[1]
    rows = list(zip(regions.contigs, regions.starts.tolist(), regions.ends.tolist(), strict=True))
    assert counts == oracle.count(rows, spans)[0] == list(outcome.counts)
    warnings = capsys.readouterr().err
    assert outcome.warned in warnings
    assert warnings.count("warning: ") == bool(outcome.warned)
