"""Sample sheets, region sets and preflight: what is wrong stops a run before its first job, all of it at once."""

import csv
import gzip
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import (
    MATRIX,
    NOTHING,
    READS,
    jobs,
    link_profile,
    read_matrix,
    refuse,
    snakemake,
    succeed,
    tiny_project,
    write_bam,
    write_config,
    write_sheet,
)


def nothing_started(folder: Path) -> None:
    assert not (folder / "logs").exists()
    assert not (folder / "results" / "coverage").exists()


def bed(path: Path, *rows: Sequence[object]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


PEAKS = {"a": [("chr1", 100, 200), ("chr1", 900, 950)], "b": [("chr1", 150, 300)], "c": [("chr1", 5000, 5100)]}


def consensus_project(folder: Path, names: Sequence[str] = ("a", "b"), **settings: Any) -> None:
    """Write a project whose regions are the consensus of whole peaks."""
    tiny_project(folder, names)
    for name in names:
        bed(folder / "peaks" / f"{name}.bed", *PEAKS[name])
    sheet(folder, names)
    regions = {"peaks": {"consensus": {"source": "peaks"}} | settings}
    config = {"assay": "atac", "pep": "samples.csv", "regions": regions, "counting": READS}
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))


def sheet(folder: Path, names: Sequence[str], **more: Mapping[str, str]) -> None:
    rows = [{"sample_name": n, "bam": f"bam/{n}.bam", "peaks": f"peaks/{n}.bed"} | more.get(n, {}) for n in names]
    write_sheet(folder / "samples.csv", rows)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def run(folder: Path, *options: str, target: str = MATRIX) -> str:
    return succeed(snakemake(folder, target, "--cores", "2", *options))


@pytest.mark.slow
def test_from_peaks_to_the_matrix_of_a_real_cohort(data: Path, tmp_path: Path) -> None:
    cohort = data / "atac-scate8-hg19"
    regions = {"peaks": {"consensus": {"source": "peaks"}}}
    (tmp_path / "config").mkdir()
    config = {"assay": "atac", "pep": str(cohort / "project_config.yaml"), "regions": regions}
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    link_profile(tmp_path)
    succeed(snakemake(tmp_path, MATRIX, "--profile", "divvy"))
    made = (tmp_path / "results/regions/peaks.bed").read_text()
    expected = (data / "_expected" / "consensus" / "scate8.union.bed").read_text()
    assert made.split("\n") == ["\t".join(line.split("\t")[:3]) for line in expected.split("\n")]
    names, samples, counts = read_matrix(tmp_path / MATRIX)
    assert len(names) == made.count("\n")
    support = pd.read_parquet(tmp_path / "results/regions/peaks.support.parquet")
    assert list(support.index) == names
    assert list(support.columns) == [*samples, "support"]
    # fragments of few cells: what supports a region mostly has reads in it
    assert np.mean(counts[support[samples].to_numpy() == 1] > 0) > 0.9


def test_a_consensus_its_blacklist_and_its_contigs(tmp_path: Path) -> None:
    bed(tmp_path / "black.bed", ("chr1", 940, 941))
    consensus_project(tmp_path, blacklist="black.bed", contigs="chr[0-9]+")
    run(tmp_path)
    assert read_matrix(tmp_path / MATRIX)[0] == ["chr1:100-300"]
    support = pd.read_parquet(tmp_path / "results/regions/peaks.support.parquet")
    assert support.loc["chr1:100-300"].to_dict() == {"a": 1, "b": 1, "support": 1.0}


@pytest.mark.slow
def test_a_new_sample_changes_a_consensus_only_by_other_peaks(tmp_path: Path) -> None:
    consensus_project(tmp_path)
    assert jobs(run(tmp_path)) == 2
    assert NOTHING in run(tmp_path)
    os.utime(tmp_path / "peaks" / "a.bed")
    assert NOTHING in run(tmp_path)
    write_bam(tmp_path / "bam" / "c.bam", {"chr1": 10_000}, [])
    bed(tmp_path / "peaks" / "c.bed", ("chr1", 110, 120))
    sheet(tmp_path, "abc")
    printed = run(tmp_path)
    assert (jobs(printed), jobs(printed, "collect_coverage")) == (1, 1)
    bed(tmp_path / "peaks" / "c.bed", *PEAKS["c"])
    printed = run(tmp_path)
    assert (jobs(printed), jobs(printed, "collect_coverage")) == (3, 1)
    assert "chr1:5000-5100" in read_matrix(tmp_path / MATRIX)[0]


@pytest.mark.slow
def test_a_frozen_consensus_does_not_change(tmp_path: Path) -> None:
    consensus_project(tmp_path)
    run(tmp_path)
    write_config(tmp_path, "samples.csv", {"peaks": "results/regions/peaks.bed"})
    assert jobs(run(tmp_path)) == 0
    write_bam(tmp_path / "bam" / "c.bam", {"chr1": 10_000}, [])
    bed(tmp_path / "peaks" / "c.bed", *PEAKS["c"])
    sheet(tmp_path, "abc")
    assert jobs(run(tmp_path)) == 1
    assert "chr1:5000-5100" not in read_matrix(tmp_path / MATRIX)[0]


@pytest.mark.slow
def test_groups_and_the_number_of_samples(tmp_path: Path) -> None:
    consensus_project(tmp_path, "abc", consensus={"source": "peaks", "min_samples": 2, "group": "kind"})
    bed(tmp_path / "peaks" / "c.bed", ("chr1", 160, 170))
    sheet(tmp_path, "abc", a={"kind": "x"}, b={"kind": "y"}, c={"kind": "x"})
    run(tmp_path)
    assert read_matrix(tmp_path / MATRIX)[0] == ["chr1:100-300"]
    sheet(tmp_path, "abc", a={"kind": "x"}, b={"kind": "x"}, c={"kind": "y"})
    bed(tmp_path / "peaks" / "b.bed", ("chr1", 3000, 3100))
    refuse(snakemake(tmp_path, "--cores", "2"), "regions.peaks", "at least one consensus region")


def damage(folder: Path) -> None:
    """Give each of six samples a mistake of its own; `a` is sound."""
    for name in "abcdefg":
        write_bam(folder / "bam" / f"{name}.bam", {"chr1": 10_000}, [("r", 0, "chr1", 5, "50M", 60)])
    (folder / "bam" / "b.bam").unlink()
    (folder / "bam" / "c.bam").write_bytes((folder / "bam" / "c.bam").read_bytes()[:-28])
    (folder / "bam" / "d.bam").write_text("@r1\nACGT\n+\nIIII\n")
    write_bam(folder / "bam" / "e.bam", {"1": 10_000}, [])
    write_bam(folder / "bam" / "f.bam", {"chr1": 9_000}, [])
    write_sheet(
        folder / "samples.csv",
        [{"sample_name": name, "bam": f"bam/{'a' if name == 'g' else name}.bam"} for name in ["h h", *"abcdef"]],
    )


ESSENTIALS = {
    "h h": "A-Z a-z 0-9",
    "b": "no such file",
    "c": "the end-of-file block is missing",
    "d": "expected BAM, CRAM, SAM, fragments, BEDPE or tagAlign",
    "e": "prefix 'chr'",
    "f": "chr1 has 9000 bp, but 10000 bp in",
}


def test_all_problems_are_told_at_once_in_groups(tmp_path: Path) -> None:
    tiny_project(tmp_path)
    damage(tmp_path)
    said = refuse(
        snakemake(tmp_path, "--profile", "divvy"), "so nothing was started", "permissive: true", *ESSENTIALS.values()
    )
    assert all(f"\n{kind} (" in said for kind in ("names", "paths", "alignment files", "genome"))
    nothing_started(tmp_path)


@pytest.mark.slow
def test_permissive_excludes_bad_samples_and_lists_them(tmp_path: Path) -> None:
    tiny_project(tmp_path)
    damage(tmp_path)
    said = run(tmp_path, "--config", "permissive=True")
    assert "6 samples excluded, 1 remains" in said
    assert read_matrix(tmp_path / MATRIX)[1] == ["a"]
    listed = read_table(tmp_path / "results/excluded_samples.tsv")
    for sample, reason in ESSENTIALS.items():
        assert any(row["sample_name"] == sample and reason in row["problem"] for row in listed), (sample, listed)
    write_sheet(tmp_path / "samples.csv", [{"sample_name": "a", "bam": "bam/a.bam"}])
    assert "excluded" not in run(tmp_path, "--config", "permissive=True")
    assert not (tmp_path / "results/excluded_samples.tsv").exists()


@pytest.mark.slow
def test_summits_of_gzipped_narrow_peaks(tmp_path: Path) -> None:
    consensus_project(tmp_path, consensus={"source": "summits", "extension": 10})
    for name, summit in {"a": 40, "b": 55}.items():
        line = f"chr1\t1000\t1100\tp\t0\t.\t1\t1\t1\t{summit}\n"
        (tmp_path / "peaks" / f"{name}.bed").write_bytes(gzip.compress(line.encode()))
    run(tmp_path)
    assert read_matrix(tmp_path / MATRIX)[0] == ["chr1:1030-1066"]


@pytest.mark.slow
def test_a_sheet_of_ngs_toolkit_and_its_toggle(tmp_path: Path) -> None:
    tiny_project(tmp_path, "abc")
    rows = [{"sample_name": n, "toggle": str(int(n != "b")), "aligned_filtered_bam": f"bam/{n}.bam"} for n in "abc"]
    write_sheet(tmp_path / "samples.csv", rows)
    write_config(tmp_path, "samples.csv", {"peaks": "regions.bed"}, samples={"bam": "aligned_filtered_bam"})
    run(tmp_path)
    assert read_matrix(tmp_path / MATRIX)[1] == ["a", "c"]


def test_preflight_is_a_target_of_its_own(tmp_path: Path) -> None:
    tiny_project(tmp_path)
    assert "The inputs are in order." in run(tmp_path, target="preflight")
    assert not (tmp_path / "results").exists()
    nothing_started(tmp_path)


@pytest.mark.slow
def test_attributes_of_any_language_in_any_locale(tmp_path: Path) -> None:
    """Also where Python would read and write ASCII, as on old clusters."""
    tiny_project(tmp_path)
    write_sheet(tmp_path / "samples.csv", [{"sample_name": n, "bam": f"bam/{n}.bam", "by": "Jörg 5 µM"} for n in "ab"])
    old = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    succeed(snakemake(tmp_path, MATRIX, "--cores", "1", **old))
    assert (tmp_path / "results/samples.tsv").read_text(encoding="utf-8").count("Jörg 5 µM") == 2
