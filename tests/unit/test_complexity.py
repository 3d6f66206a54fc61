"""How often fragments occur, against ENCODE's recipe: samtools by name, bedtools bamtobed, sort and uniq."""

import random
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pysam
import pytest

import random_files
from divvy_coverage.counting.count import count_sample
from divvy_coverage.counting.kernel import duplication
from divvy_coverage.counting.passes import Wanted
from divvy_coverage.counting.tally import Tally
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.quality.complexity import compute_complexity, sum_copies
from libraries import ATAQV, CHIP, LENGTHS, QUICK, SCATE, make_library, run, write_library

MITOCHONDRIA = ("chrM", "MT")


def count_by_recipe(bedtools: str, bam: Path, folder: Path, paired: bool) -> dict[str, int]:
    """Return how many fragments occur once, twice and so on; duplicates that are marked count as before they were."""
    kept, named = folder / "kept.bam", folder / "named.bam"
    flags = ["-F", str(1804 - 1024), "-q", "30", *(["-f", "2"] if paired else [])]
    pysam.view("-b", *flags, "-o", str(kept), str(bam), catch_stdout=False)
    pysam.sort("-n", "-o", str(named), str(kept), catch_stdout=False)
    if paired:  # mates without the other one are marked and leave; bedtools would pair the last with itself
        pysam.fixmate("-r", str(named), str(kept), catch_stdout=False)
        pysam.view("-b", *flags, "-o", str(named), str(kept), catch_stdout=False)
    rows = run(bedtools, "bamtobed", *(["-bedpe"] if paired else []), "-i", named)
    columns = (0, 1, 3, 5, 8, 9) if paired else (0, 1, 2, 5)
    keys = Counter(tuple(row[c] for c in columns) for row in rows if row[0] not in MITOCHONDRIA)
    return {str(times): number for times, number in Counter(keys.values()).items()}


def count(*bams: Path) -> Tally:
    regions = Wanted([Regions.from_names([], np.zeros(0, np.int64), np.zeros(0, np.int64))])
    with patch("divvy_coverage.counting.count.find_no_contig", lambda *_: ""):
        return count_sample(bams, regions, warn=lambda text: None).tally


def list_copies(tally: Tally) -> dict[str, int]:
    """Return how many fragments occur once, twice and so on, without mitochondria."""
    copies = sum_copies(tally.copies, MITOCHONDRIA)
    return {str(times): int(copies[times]) for times in np.flatnonzero(copies)}


@pytest.mark.parametrize(
    "sample", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SCATE]
)
def test_single_cells(data: Path, tmp_path: Path, bedtools: str, sample: str) -> None:
    bam = data / "atac-scate8-hg19" / "bam" / f"{sample}.bam"
    found = list_copies(count(bam))
    assert found == count_by_recipe(bedtools, bam, tmp_path, paired=True)
    assert sum(found.values()) > 100


@pytest.mark.parametrize("sample", ATAQV)
def test_bulk_with_mitochondria_and_marked_duplicates(data: Path, tmp_path: Path, bedtools: str, sample: str) -> None:
    bam = data / "atac-ataqv-hg19" / f"{sample}.bam"
    found = list_copies(count(bam))
    assert found == count_by_recipe(bedtools, bam, tmp_path, paired=True)
    assert sum(found.values()) > 100


@pytest.mark.parametrize("sample", CHIP[:2])
def test_single_end(data: Path, tmp_path: Path, bedtools: str, sample: str) -> None:
    bam = data / "chip-metagene-mm" / "bam" / f"{sample}.bam"
    with patch("divvy_coverage.counting.count.find_wrong_pairing", lambda *_: ""):
        found = list_copies(count(bam))
    assert found == count_by_recipe(bedtools, bam, tmp_path, paired=False)
    assert sum(found.values()) > 100


@pytest.mark.parametrize("order", ["coordinates", "name"])
@pytest.mark.parametrize("room", [3, 50, duplication.ROOM])
def test_a_library_with_copies(tmp_path: Path, bedtools: str, order: str, room: int) -> None:
    """Copies whose ends agree and whose mates are cut elsewhere are not the same; those with other names are."""
    chance, records = random.Random(room), []
    for number, record in enumerate(make_library(800, 3)):
        if record["contig"] == "chrM" or record["mate_contig"] == "chrM" or record["flag"] & 0x800:
            continue
        records += [record | {"name": f"{record['name']}.{copy}"} for copy in range(int(record["name"][1:]) % 4 + 1)]
        if number % 50 == 0:
            records[-1] = records[-1] | {"cigar": chance.choice(["5S35M", "30M10S", "20M2D18M"])}
    bam = tmp_path / "x.bam"
    if order == "name":
        random_files.write(bam, sorted(records, key=lambda record: str(record["name"])), LENGTHS)
    else:
        write_library(bam, records, LENGTHS)
    with patch.object(duplication, "ROOM", room):
        found = list_copies(count(bam))
    assert found == count_by_recipe(bedtools, bam, tmp_path, paired=True)
    assert {"1", "2", "3", "4"} <= found.keys()


def test_the_numbers_that_are_quoted() -> None:
    assert compute_complexity(np.array([0, 6, 2, 0, 1])) == {"nrf": 9 / 14, "pbc1": 6 / 9, "pbc2": 3.0}
    assert compute_complexity(np.array([0, 6, 0])) == {"nrf": 1.0, "pbc1": 1.0, "pbc2": None}
    assert set(compute_complexity(np.array([0, 0, 0])).values()) == set(compute_complexity(None).values()) == {None}


def test_of_several_files_and_of_too_many_fragments_it_is_not_known(tmp_path: Path) -> None:
    records = make_library(100, 1)
    for name in "ab":
        write_library(tmp_path / f"{name}.bam", records, LENGTHS)
    assert count(tmp_path / "a.bam").copies is not None
    assert count(tmp_path / "a.bam", tmp_path / "b.bam").copies is None
    random_files.write(tmp_path / "c.bam", records, LENGTHS)
    with patch.object(duplication, "MOST_FRAGMENTS", 5), patch.object(duplication, "ROOM", 4):
        assert count(tmp_path / "c.bam").copies is None
        assert count(tmp_path / "a.bam").copies is not None  # in order, few have to be kept
