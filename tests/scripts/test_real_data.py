"""Broken and odd files on the command line: whole results, or one message and none."""

from pathlib import Path

import numpy as np
import pytest

from helpers import refuse, script, succeed
from nasty import BAMS, BEDS, GOOD, WANTED, Bam, Bed


@pytest.mark.parametrize(("name", "outcome"), BEDS.items(), ids=BEDS)
def test_odd_region_files(data: Path, tmp_path: Path, name: str, outcome: Bed) -> None:
    bam, bed, out, stats = (
        data / "nasty" / "bam" / GOOD,
        data / "nasty" / "bed" / name,
        tmp_path / "x.npy",
        tmp_path / "x.json",
    )
    done = script(
        "measure_coverage.py", "--bam", bam, "--regions", bed, "--out", out, "--stats", stats, folder=tmp_path
    )
    if outcome.read or outcome.unfit:
        refuse(done, name if outcome.read else GOOD, *outcome.read, *outcome.unfit)
        assert not list(tmp_path.iterdir())
    else:
        said = succeed(done)
        assert outcome.warned in said
        assert said.count("warning: ") == said.count("\n") == bool(outcome.warned)
        assert np.load(out).tolist() == outcome.counts
        assert stats.exists()


@pytest.mark.parametrize(("name", "outcome"), BAMS.items(), ids=BAMS)
def test_odd_alignment_files(data: Path, tmp_path: Path, name: str, outcome: Bam) -> None:
    bam, bed, out, stats = (
        data / "nasty" / "bam" / name,
        data / "nasty" / "bed" / WANTED,
        tmp_path / "x.npy",
        tmp_path / "x.json",
    )
    done = script(
        "measure_coverage.py", "--bam", bam, "--regions", bed, "--out", out, "--stats", stats, folder=tmp_path
    )
    if outcome.counted:
        refuse(done, name, *outcome.counted)
        assert not list(tmp_path.iterdir())
    else:
        assert succeed(done) == ""
        assert np.load(out).tolist() == (BEDS[WANTED].counts if outcome.records else [0, 0, 0])
        assert stats.exists()
