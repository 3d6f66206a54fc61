"""Transcription start sites: where they are, and how enriched."""

from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.start_sites import read_start_sites
from divvy_coverage.quality.start_sites import compute_enrichment


def test_positions_follow_the_strand(tmp_path: Path) -> None:
    (tmp_path / "t.bed").write_text(
        "#x\nchr1\t10\t20\ta\t0\t+\nchr1\t10\t20\tb\t0\t-\nchr2\t5\t6\tc\t0\t-\r\nchr1\t10\t30\td\t0\t+\n"
    )
    sites = read_start_sites(tmp_path / "t.bed")
    found = list(zip(sites.codes.tolist(), sites.positions.tolist(), sites.strands.tolist(), strict=True))
    assert sites.contigs == ["chr1", "chr2"]
    assert found == [(0, 10, 1), (0, 19, -1), (1, 5, -1)]  # the last is the first once more
    first, positions, strands = sites.index_by_contig(["chr2", "chrX", "chr1"])
    assert first.tolist() == [0, 1, 1, 3]
    assert positions.tolist() == [5, 10, 19]
    assert strands.tolist() == [-1, 1, -1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "at least one"),
        ("chr1\t1\t2\n", "line 1: no strand"),
        ("chr1\t1\t2\ta\t0\t.\n", "line 1: no strand"),
        ("chr1\t5\t2\ta\t0\t+\n", "start > end"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "t.bed").write_text(text)
    with pytest.raises(UserError, match=problem):
        read_start_sites(tmp_path / "t.bed")


def test_enrichment_is_center_over_edges() -> None:
    profile = np.ones(4001, np.int64)
    profile[1950:2051] = 8
    assert compute_enrichment(profile) == 8.0
    assert compute_enrichment(np.zeros(4001, np.int64)) is compute_enrichment(None) is None
