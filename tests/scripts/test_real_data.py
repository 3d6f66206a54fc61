"""Broken and odd files as people have them: each is counted right, or refused with a message that helps."""

from pathlib import Path

import numpy as np
import pytest

from helpers import refuse, script, succeed

BEDS = {
    "beyond_chrom_end.bed": "ok",
    "blank_lines.bed": "ok",
    "cols12.bed": "ok",
    "cols4.bed": "ok",
    "cols6.bed": "ok",
    "crlf.bed": "ok",
    "duplicates_exact.bed": "ok",
    "empty.bed": "at least one region",
    "header_track_browser_comment.bed": "ok",
    "mixed_chr_nochr.bed": "ok",
    "negative_start.bed": "line 1: negative",
    "no_final_newline.bed": "ok",
    "nochr.bed": "ok",
    "ok3.bed": "ok",
    "only_header.bed": "at least one region",
    "overlapping.bed": "ok",
    "plain_gzip.bed.gz": "ok",
    "start_gt_end.bed": "line 1: start > end",
    "text_coords.bed": "line 1: not a whole number",
    "two_columns.bed": "line 1: 2 columns",
    "unknown_contig.bed": "ok",
    "unsorted.bed": "ok",
    "utf8_bom.bed": "ok",
    "zero_length.bed": "line 1: zero length",
}
BAMS = {
    "empty_records.bam": [0, 0, 0],
    "good.bam": [53, 29, 34],
    "name_sorted.bam": [53, 29, 34],
    "no_eof.bam": "at byte 156233: the end-of-file block is missing",
    "no_index.bam": [53, 29, 34],
    "nochr_names.bam": "lack the prefix 'chr'",
    "random_bytes.bam": "another kind of file",
    "truncated_60pct.bam": "the file ends within a block",
    "zero_bytes.bam": "empty file",
}


@pytest.mark.parametrize(("name", "outcome"), BEDS.items())
def test_odd_region_files(data: Path, tmp_path: Path, name: str, outcome: str) -> None:
    done = script("regions.py", "--bed", data / "nasty" / "bed" / name, "--out", "out.bed", folder=tmp_path)
    if outcome == "ok":
        succeed(done)
        assert (tmp_path / "out.bed").read_text()
    else:
        refuse(done, name, outcome)
        assert not (tmp_path / "out.bed").exists()


@pytest.mark.parametrize(("name", "outcome"), BAMS.items())
def test_odd_alignment_files(data: Path, tmp_path: Path, name: str, outcome: str | list[int]) -> None:
    nasty = data / "nasty"
    options = ["--regions", nasty / "bed" / "ok3.bed", "--out", "x.npy", "--stats", "x.json"]
    done = script("coverage.py", "--bam", nasty / "bam" / name, *options, folder=tmp_path)
    if isinstance(outcome, list):
        succeed(done)
        assert np.load(tmp_path / "x.npy").tolist() == outcome
    else:
        refuse(done, name, outcome)
        assert not (tmp_path / "x.npy").exists()


def test_the_tables_above_are_complete(data: Path) -> None:
    assert {path.name for path in (data / "nasty" / "bed").iterdir()} == set(BEDS)
    assert {path.name for path in (data / "nasty" / "bam").glob("*.bam")} == set(BAMS)
