"""A cohort of many samples: how many jobs it takes, and how often each file is read."""

import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest

from divvy_coverage.counting.engines import threads
from helpers import READS_OPTIONS, script, snakemake, succeed, write_bam, write_config, write_sheet

SETS = ("a", "b", "c")
SAMPLES = int(os.environ.get("DIVVY_COVERAGE_SAMPLES", "100"))


def write_project(folder: Path, samples: int, sets: tuple[str, ...] = SETS) -> None:
    beds = {name: f"{name}.bed" for name in sets}
    for number, name in enumerate(sets):
        (folder / beds[name]).write_text(f"chr1\t{100 * number}\t{100 * number + 60}\n")
    write_sheet(folder / "samples.csv", [{"sample_name": f"s{n}", "bam": f"bam/s{n}.bam"} for n in range(samples)])
    write_config(folder, "samples.csv", beds)


def write_sample(folder: Path, number: int) -> None:
    reads = [(f"r{number}.{place}", 0, "chr1", 50 * place, "50M", 60) for place in range(3)]
    write_bam(folder / "bam" / f"s{number}.bam", {"chr1": 10_000}, reads)


def plan(folder: Path) -> int:
    """Return how many samples would be counted."""
    printed = succeed(snakemake(folder, "--cores", "2", "--dry-run", "--quiet", "rules"))
    found = re.search(r"^measure_coverage +(\d+)$", printed, re.MULTILINE)
    return int(found[1]) if found else 0


@pytest.mark.slow
def test_each_sample_is_a_job_and_each_file_is_read_once(tmp_path: Path) -> None:
    for number in range(SAMPLES):
        write_sample(tmp_path, number)
    write_project(tmp_path, SAMPLES)
    assert plan(tmp_path) == SAMPLES

    planned = [f"results/regions/{name}.npz" for name in SETS] + ["results/samples.tsv", "results/inputs.json"]
    succeed(snakemake(tmp_path, "--cores", "2", *planned))
    read: list[Path] = []

    def read_blocks(file: object, path: Path) -> object:
        read.append(path)
        return real(file, path)

    real = threads.read_blocks
    with patch.object(threads, "read_blocks", read_blocks):
        for number in range(SAMPLES):
            files = {
                "--bam": [f"bam/s{number}.bam"],
                "--regions": [f"results/regions/{name}.npz" for name in SETS],
                "--out": [f"results/coverage/s{number}/{name}.npy" for name in SETS],
                "--stats": [f"results/coverage/s{number}/evidence.json"],
            }
            options = [word for option, paths in files.items() for word in (option, *paths)]
            succeed(script("measure_coverage.py", *options, *READS_OPTIONS, folder=tmp_path))
    assert sorted(read) == sorted(Path(f"bam/s{number}.bam") for number in range(SAMPLES))
    assert plan(tmp_path) == 0

    write_sample(tmp_path, SAMPLES)
    write_project(tmp_path, SAMPLES + 1)
    assert plan(tmp_path) == 1
    write_project(tmp_path, SAMPLES, (*SETS, "d"))
    assert plan(tmp_path) == SAMPLES
