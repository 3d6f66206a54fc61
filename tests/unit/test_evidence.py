"""The evidence of a sample, and its counts, are read as they were written; other files are refused."""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from divvy_coverage.counting.count import count_sample
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.evidence import (
    Evidence,
    find_damage,
    read_counts,
    read_evidence,
    write_counts,
    write_evidence,
)
from divvy_coverage.counting.origin import describe_files
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.counting.tally import Tally
from divvy_coverage.counting.writing import make_evidence, write_sample
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.intervals.start_sites import NO_START_SITES, read_start_sites
from helpers import write_bam

REGIONS = Regions.from_names(["chr1", "chr2"], np.array([0, 10]), np.array([50, 400]))
OTHERS = Regions.from_names(["chr1"], np.array([100]), np.array([120]))


def count(folder: Path, wanted: Wanted) -> tuple[Counted, Evidence]:
    """Count a file of two contigs of three, with copies on each."""
    places = [("chr1", 5 * (i // 2)) for i in range(50)] + [("chr2", 30)] * 3
    reads = [(f"r{i}", 16 * (i // 2 % 2), *place, "30M", 60) for i, place in enumerate(places)]
    write_bam(folder / "x.bam", {"chr1": 500, "chr2": 300, "chr3": 10}, reads)
    (folder / "tss.bed").write_text("chr1\t30\t31\ta\t0\t+\n")
    counted = count_sample([folder / "x.bam"], wanted, warn=print)
    return counted, make_evidence(describe_files([folder / "x.bam"]), wanted, counted, ["regions", "others"])


def assert_same(one: Tally, other: Tally) -> None:
    for name in Tally.__dataclass_fields__:
        np.testing.assert_equal(getattr(one, name), getattr(other, name), name)


@pytest.mark.parametrize("with_sites", [True, False])
def test_both_are_read_as_they_were_written(tmp_path: Path, with_sites: bool) -> None:
    (tmp_path / "tss.bed").write_text("chr1\t30\t31\ta\t0\t+\n")
    sites = read_start_sites(tmp_path / "tss.bed") if with_sites else NO_START_SITES
    wanted = Wanted([REGIONS, OTHERS], Counting("reads"), OTHERS, sites, REGIONS)
    counted, evidence = count(tmp_path, wanted)
    outputs = [tmp_path / "x" / name for name in ("regions.npy", "others.npy")]
    write_sample(evidence, counted, wanted, tmp_path / "x" / "evidence.json", outputs)
    found = read_evidence(tmp_path / "x" / "evidence.json")
    assert_same(found.tally, counted.tally)
    assert replace(found, tally=evidence.tally) == evidence
    assert found.region_sets["others"].sha256 == OTHERS.sha256()
    assert found.counting["blacklist"] == OTHERS.sha256()
    assert found.in_peaks == counted.in_peaks == found.region_sets["regions"].in_regions > 0
    assert {contig: copies.tolist() for contig, copies in found.tally.copies.items()} == {
        "chr1": [0, 0, 25],
        "chr2": [0, 1, 1],
    }
    assert found.tally.contigs == {"chr1": 50, "chr2": 3, "chr3": 0}
    assert (found.tally.tss_profile is not None) == with_sites
    for path, counts, name in zip(outputs, counted.counts, found.region_sets, strict=True):
        assert read_counts(path).dtype == np.int32
        assert read_counts(path).tolist() == counts.tolist()
        assert find_damage(path, found.region_sets[name]) == ""


def test_damaged_counts_are_recognized(tmp_path: Path) -> None:
    wanted = Wanted([REGIONS, OTHERS], Counting("reads"))
    counted, evidence = count(tmp_path, wanted)
    path = tmp_path / "x.npy"
    write_counts(counted.counts[0], path, REGIONS)
    for content in (path.read_bytes()[:-1] + b"\1", path.read_bytes()[:-1], b""):
        path.write_bytes(content)
        assert str(path) in find_damage(path, evidence.region_sets["regions"])
    path.unlink()
    assert str(path) in find_damage(path, evidence.region_sets["regions"])


def test_what_is_no_evidence_is_refused(tmp_path: Path) -> None:
    wanted = Wanted([REGIONS, OTHERS], Counting("reads"))
    path = tmp_path / "evidence.json"
    write_evidence(count(tmp_path, wanted)[1], path)
    whole = json.loads(path.read_text())
    assert whole["version"]
    del whole["sha256"]
    unused = {"version"}
    others = [{key: value for key, value in whole.items() if key != missing} for missing in whole.keys() - unused]
    others += [whole | {"tss_profile": [1, 2]}, whole | {"mapping_quality": {"256": 1}}, whole | {"region_sets": []}]
    others += [whole | {"fragment_lengths": {"x": 1}}, whole | {"region_sets": {"x": {}}}]
    others += [whole | {"files": [{"kind": "alignments"}]}, whole | {"mapping_quality": {"9" * 30: 1}}]
    sealed = [{"sha256": sha256(json.dumps(each).encode()).hexdigest(), **each} for each in others if each]
    for text in ["", "{", "[]", "null", *map(json.dumps, [whole, *sealed])]:
        path.write_text(text)
        with pytest.raises(
            UserError, match=r"evidence\.json: not the evidence of a sample: .*; remove it and run again"
        ):
            read_evidence(path)
    path.unlink()
    with pytest.raises(UserError, match="No such file"):
        read_evidence(path)


def find_numbers(content: Any) -> Iterator[tuple[dict[str, Any] | list[Any], Any]]:
    """Yield each place of a number, as the dictionary or list that it is in and its key there."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(value, (dict, list)):
            yield from find_numbers(value)
        elif isinstance(value, int):
            yield content, key


def test_evidence_that_was_edited_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    write_evidence(count(tmp_path, Wanted([REGIONS, OTHERS], Counting("reads")))[1], path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content))  # the same, in one line
    assert read_evidence(path).tally["usable"] == 53
    places = list(find_numbers(content))
    assert len(places) > 40
    for place, key in places:
        place[key] += 1
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match=r"evidence\.json: not the evidence of a sample: it was edited or damaged"):
            read_evidence(path)
        place[key] -= 1


def test_counts_beyond_int32_are_refused(tmp_path: Path) -> None:
    write_counts(np.array([2**31 - 1]), tmp_path / "x.npy", OTHERS)
    assert read_counts(tmp_path / "x.npy").tolist() == [2**31 - 1]
    with pytest.raises(UserError, match=r"y\.npy: a region has 2147483648 counts"):
        write_counts(np.array([2**31]), tmp_path / "y.npy", OTHERS)
    assert not (tmp_path / "y.npy").exists()
