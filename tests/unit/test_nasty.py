"""Broken and odd files as people have them: each is counted right, or refused with a message that helps."""

from collections.abc import Sequence
from pathlib import Path

import pytest

import oracle
from divvy_coverage.alignments.headers import examine
from divvy_coverage.counting.compiled.constants import UNITS
from divvy_coverage.counting.count import count_alignments, count_sample
from divvy_coverage.counting.definition import PAIRED_UNITS, Counting
from divvy_coverage.counting.passes import Wanted
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.intervals.start_sites import NO_START_SITES
from nasty import BAMS, BEDS, GOOD, SINGLE_END, WANTED, Bam, Bed
from random_files import find_wrong_counts, find_wrong_statistics

READS = Counting("reads")


def test_the_tables_are_complete(data: Path) -> None:
    files = {path.relative_to(data / "nasty").as_posix() for path in (data / "nasty").rglob("*") if path.is_file()}
    assert files == {f"bam/{name}" for name in BAMS} | {f"bed/{name}" for name in BEDS}


def list_rows(regions: Regions) -> list[oracle.Row]:
    return list(regions.rows())


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


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("name", "outcome"), BAMS.items(), ids=BAMS)
def test_alignment_files_are_counted(data: Path, name: str, outcome: Bam, unit: str) -> None:
    path = data / "nasty" / "bam" / name
    regions = read_regions(data / "nasty" / "bed" / WANTED)
    counting = Counting(unit)
    said = outcome.counted or (SINGLE_END if unit in PAIRED_UNITS and outcome.records else ())
    if said:
        with pytest.raises(UserError) as error:
            count_alignments(path, regions, counting)
        says(error, path, said)
        return
    counted = count_sample([path], Wanted([regions], counting))
    assert find_wrong_counts(counted, [oracle.count(path, counting, list_rows(regions))]) == ""
    assert find_wrong_statistics(counted.tally, path, counting, NO_START_SITES) == ""
    assert counted.tally["alignments"] == outcome.records


def test_names_without_chr_fit_each_other(data: Path) -> None:
    path, regions = data / "nasty" / "bam" / "nochr_names.bam", read_regions(data / "nasty" / "bed" / "nochr.bed")
    assert count_alignments(path, regions, READS)[0].tolist() == BEDS[WANTED].counts


@pytest.mark.parametrize(("name", "outcome"), BEDS.items(), ids=BEDS)
def test_region_files(data: Path, name: str, outcome: Bed, capsys: pytest.CaptureFixture[str]) -> None:
    path, alignment_file = data / "nasty" / "bed" / name, data / "nasty" / "bam" / GOOD
    warnings: list[str] = []
    if outcome.read or outcome.unfit:
        with pytest.raises(UserError) as error:
            count_alignments(alignment_file, path, READS)
        says(error, path if outcome.read else alignment_file, outcome.read or outcome.unfit)
        return
    counts = count_alignments(alignment_file, path, READS, warn=warnings.append)[0].tolist()
    regions = read_regions(path)
    assert counts == oracle.count(alignment_file, READS, list_rows(regions)).counts == list(outcome.counts)
    assert outcome.warned in "".join(warnings)
    assert len(warnings) == bool(outcome.warned)
    assert capsys.readouterr() == ("", "")  # nothing but warnings, and these where they are wanted
