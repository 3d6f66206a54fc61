"""Whole runs of the workflow: serial and distributed ones agree, and nothing is done twice."""

import json
import shlex
import shutil
import time
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from snakemake import __version__ as snakemake_version

from divvy_coverage.counting.evidence import read_evidence
from divvy_coverage.intervals.regions import read_regions
from helpers import (
    FORMATS,
    MATRIX,
    NOTHING,
    SNAKEFILE,
    jobs,
    link_profile,
    planned_jobs,
    read_matrix,
    refuse,
    snakemake,
    succeed,
    tiny_project,
    write_bam,
    write_config,
    write_sheet,
)

SAME_BYTES = (
    *(f"matrix_{kind}.{format}" for kind in ("raw", "norm") for format in FORMATS),
    *("stats.tsv", "region_stats.tsv.gz", "pca.tsv", "correlation.tsv", "summary.json"),
)
PARQUET = ("matrix_raw.parquet", "matrix_norm.parquet")
HOSTILE = 'it\'s a "place" of $HOME; `id` & {MEM} %s'


@pytest.mark.slow
def test_the_demo_gives_the_same_serially_and_by_the_profile(demo: Path, tmp_path: Path) -> None:
    results = {name: tmp_path / name / "results" / "matrix" for name in ("serial", "divvy")}
    targets = [f"results/matrix/peak_set.{file}" for file in SAME_BYTES]
    for name, options in {"serial": ["--cores", "2"], "divvy": ["--profile", "divvy"]}.items():
        folder = tmp_path / name
        matrix = {"formats": list(FORMATS)}
        write_config(folder, demo / "project_config.yaml", {"peak_set": demo / "regions.bed"}, matrix=matrix)
        link_profile(folder)
        assert jobs(succeed(snakemake(folder, *targets, *options))) == 12
        assert NOTHING in succeed(snakemake(folder, *targets, *options))
    for file in SAME_BYTES:
        assert len({(folder / f"peak_set.{file}").read_bytes() for folder in results.values()}) == 1, file
    regions, samples, counts = read_matrix(results["divvy"] / "peak_set.matrix_raw.csv.gz")
    assert counts.shape == (1000, 12)
    assert samples == [line.split(",")[0] for line in (demo / "samples.csv").read_text().splitlines()[1:]]
    assert regions == ["{}:{}-{}".format(*line.split("\t")) for line in (demo / "regions.bed").read_text().splitlines()]
    check_normalized(results["divvy"])
    check_components(results["divvy"])


def check_normalized(matrix: Path) -> None:
    """The normalized matrix of the demo is log2(1 + counts per million usable fragments)."""
    raw, norm = (pd.read_parquet(matrix / f"peak_set.{file}") for file in PARQUET)
    usable = pd.read_csv(matrix / "peak_set.stats.tsv", sep="\t", index_col="sample_name")["usable"]
    pd.testing.assert_frame_equal(norm, np.log2(1 + 1e6 * raw / usable), rtol=1e-12)


def check_components(matrix: Path) -> None:
    """The first component separates the groups of the demo."""
    scores = pd.read_csv(matrix / "peak_set.pca.tsv", sep="\t", index_col="sample_name")["PC1"]
    lower, upper = sorted((group for _, group in scores.groupby(scores.index.str[:-2])), key=pd.Series.min)
    assert upper.min() - lower.max() > 0.5 * (upper.max() - lower.min())


@pytest.mark.slow
def test_the_record_of_a_run_tells_what_it_was(project: Path) -> None:
    parquet = MATRIX.replace("csv.gz", "parquet")
    command = ["results/provenance.json", parquet, "--cores", "2", "--config", "permissive=False"]
    succeed(snakemake(project, *command))
    record = json.loads((project / "results" / "provenance.json").read_text())
    assert record["command"] == shlex.join(["snakemake", "--snakefile", str(SNAKEFILE), *command])
    assert record["samples_sha256"] == sha256((project / "results/samples.tsv").read_bytes()).hexdigest()
    assert record["region_sets"] == {"peaks": read_regions(project / "regions.bed").sha256()}
    assert record["counting"]["exclude_flags"] == 3844
    assert record["software"]["snakemake"] == snakemake_version
    assert abs(datetime.fromisoformat(record["created"]).timestamp() - time.time()) < 300
    metadata = json.loads(pyarrow.parquet.read_schema(project / parquet).metadata[b"divvy_coverage"])
    assert metadata["matrix"]["regions_sha256"] == record["region_sets"]["peaks"]
    assert metadata["samples_sha256"] == record["samples_sha256"]
    assert metadata["version"] == record["version"]
    assert not {"created", "command"} & metadata.keys()  # so that two runs give the same bytes
    before = (project / "results" / "provenance.json").read_bytes()
    succeed(snakemake(project, "--cores", "2", "--dry-run"))
    assert (project / "results" / "provenance.json").read_bytes() == before


@pytest.mark.slow
def test_several_region_sets_give_a_matrix_each(project: Path) -> None:
    (project / "one.bed").write_text("chr1\t0\t10\n")
    write_config(project, "samples.csv", {"all.of-it": "regions.bed", "one": "one.bed"}, matrix={"formats": ["csv.gz"]})
    succeed(snakemake(project, "--cores", "2"))
    assert read_matrix(project / "results/matrix/all.of-it.matrix_raw.csv.gz")[2].tolist() == [[1, 2], [0, 1]]
    assert read_matrix(project / "results/matrix/one.matrix_raw.csv.gz")[2].tolist() == [[1, 1]]
    assert not list((project / "results" / "matrix").glob("*.parquet"))
    page = (project / "results" / "report.html").read_text()
    assert "all.of-it" in page
    assert (project / "results/report/one.frip.svg").is_file()


def test_a_new_sample_costs_one_job_and_the_collect(counted: Path) -> None:
    write_bam(counted / "bam" / "c.bam", {"chr1": 10_000}, [])
    with (counted / "samples.csv").open("a") as sheet:
        sheet.write("c,bam/c.bam\n")
    printed = succeed(snakemake(counted, MATRIX, "--cores", "2"))
    assert (jobs(printed), jobs(printed, "collect_coverage")) == (1, 1)


@pytest.mark.slow
def test_a_sample_of_several_files_is_one_column(project: Path) -> None:
    (project / "pep.yaml").write_text("pep_version: 2.1.0\nsample_table: pep.csv\nsubsample_table: parts.csv\n")
    (project / "bam" / "c.bam").write_bytes((project / "bam" / "a.bam").read_bytes())
    write_sheet(
        project / "pep.csv", [{"sample_name": "both", "bam": "parts"}, {"sample_name": "a", "bam": "bam/c.bam"}]
    )
    write_sheet(project / "parts.csv", [{"sample_name": "both", "bam": f"bam/{name}.bam"} for name in "ab"])
    write_config(project, "pep.yaml", {"peaks": "regions.bed"})
    succeed(snakemake(project, MATRIX, "--cores", "2"))
    assert read_matrix(project / MATRIX)[2].tolist() == [[3, 1], [1, 0]]


@pytest.mark.parametrize(
    "options", [["--cores", "2"], pytest.param(["--profile", "divvy"], marks=pytest.mark.slow)], ids=["serial", "divvy"]
)
def test_hostile_paths_work_from_end_to_end(tmp_path: Path, options: list[str]) -> None:
    folder = tmp_path / HOSTILE
    tiny_project(folder, bam_folder=HOSTILE.replace("{MEM}", ""))
    (folder / "regions.bed").rename(folder / "it's $HOME.bed")
    write_config(folder, "samples.csv", {"peaks": "it's $HOME.bed"})
    succeed(snakemake(folder, MATRIX, *options))
    assert read_matrix(folder / MATRIX)[2].tolist() == [[1, 2], [0, 1]]
    assert not [path for path in tmp_path.rglob("x") if path.is_file()]


@pytest.mark.slow
def test_options_of_the_command_line_reach_the_jobs_as_they_are(project: Path) -> None:
    sheet = project / "it's $HOME $(touch x) `id`.csv"
    (project / "samples.csv").rename(sheet)
    succeed(snakemake(project, MATRIX, "--profile", "divvy", "--config", f"pep={sheet.name}"))
    assert read_matrix(project / MATRIX)[2].tolist() == [[1, 2], [0, 1]]
    assert not (project / "x").exists()


@pytest.mark.slow
def test_start_sites_are_inputs(project: Path) -> None:
    (project / "it's tss.bed").write_text("chr1\t50\t51\ta\t0\t+\n")
    write_config(project, "samples.csv", {"peaks": "regions.bed"}, statistics={"tss": "it's tss.bed"})
    succeed(snakemake(project, MATRIX, "--cores", "2"))
    assert read_evidence(project / "results/coverage/a/evidence.json").tally.tss_profile is not None
    assert NOTHING in succeed(snakemake(project, MATRIX, "--cores", "2"))
    with (project / "it's tss.bed").open("a") as file:
        file.write("chr1\t60\t61\ta\t0\t-\n")
    assert planned_jobs(succeed(snakemake(project, MATRIX, "--cores", "2", "--dry-run"))) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", ["a count file is removed", "evidence is removed", "evidence is edited", "a count file is damaged"]
)
def test_what_was_lost_is_counted_again(counted: Path, damage: str) -> None:
    """Also if all that was made of it is there; what is damaged and was not noticed is an error that says what to do."""
    write_config(counted, "samples.csv", {"peaks": "regions.bed"}, matrix={"formats": ["parquet"]})
    lost = counted / "results/coverage/a" / ("evidence.json" if "evidence" in damage else "peaks.npy")
    content = lost.read_bytes()
    matrix = "results/matrix/peaks.matrix_raw.parquet"
    if "damaged" in damage:
        lost.write_bytes(content[:-1] + b"\1")
        shutil.copystat(counted / "results/coverage/b/peaks.npy", lost)
        refuse(snakemake(counted, matrix, "--cores", "2", "--show-failed-logs"), lost.name, "remove them and run again")
    if "edited" in damage:
        lost.write_bytes(content.replace(b'"usable": 1', b'"usable": 2'))
        assert lost.read_bytes() != content
    else:
        lost.unlink()
    printed = succeed(snakemake(counted, matrix, "--cores", "2"))
    assert (jobs(printed), jobs(printed, "collect_coverage")) == (1, 1)
    assert pd.read_parquet(counted / matrix).to_numpy().tolist() == [[1, 2], [0, 1]]
