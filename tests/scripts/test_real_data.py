"""Broken and odd files on the command line: whole results, or one message and none."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from helpers import READS_OPTIONS, refuse, script, succeed
from nasty import BAMS, BEDS, GOOD, WANTED, Bam, Bed


def measure(bam: Path, bed: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Count a file; what is written is x.npy and x.json in `folder`."""
    options = ["--bam", bam, "--regions", bed, "--out", "x.npy", "--stats", "x.json", *READS_OPTIONS]
    return script("measure_coverage.py", *options, folder=folder)


@pytest.mark.parametrize(("name", "outcome"), BEDS.items(), ids=BEDS)
def test_odd_region_files(data: Path, tmp_path: Path, name: str, outcome: Bed) -> None:
    done = measure(data / "nasty" / "bam" / GOOD, data / "nasty" / "bed" / name, tmp_path)
    if outcome.read or outcome.unfit:
        refuse(done, name if outcome.read else GOOD, *outcome.read, *outcome.unfit)
        assert not list(tmp_path.iterdir())
    else:
        said = succeed(done)
        assert outcome.warned in said
        assert said.count("warning: ") == said.count("\n") == bool(outcome.warned)
        assert np.load(tmp_path / "x.npy").tolist() == outcome.counts
        assert (tmp_path / "x.json").exists()


@pytest.mark.parametrize(("name", "outcome"), BAMS.items(), ids=BAMS)
def test_odd_alignment_files(data: Path, tmp_path: Path, name: str, outcome: Bam) -> None:
    done = measure(data / "nasty" / "bam" / name, data / "nasty" / "bed" / WANTED, tmp_path)
    if said := outcome.examined or outcome.counted:  # each file is looked at before it is counted
        refuse(done, name, *said)
        assert not list(tmp_path.iterdir())
    else:
        assert succeed(done) == ""
        assert np.load(tmp_path / "x.npy").tolist() == (BEDS[WANTED].counts if outcome.records else [0, 0, 0])
        assert (tmp_path / "x.json").exists()
