"""summarize_coverage.py and compare_samples.py: their tables, checked against their definitions."""

import csv
import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from divvy_coverage.counting.evidence import read_evidence, write_evidence
from divvy_coverage.counting.inputs import Inputs, write_inputs
from divvy_coverage.counting.tally import Tally
from divvy_coverage.matrix import comparison
from divvy_coverage.matrix.tables import build_sample_table
from divvy_coverage.samples import Sample
from helpers import refuse, script, succeed, write_cohort

RNG = np.random.default_rng(3)
INPUTS = "--samples s.tsv --regions r.bed --coverage cov --stats stats.tsv"
SUMMARY = ("stats.tsv", "regions.tsv.gz")
COMPARISON = ("pca.tsv", "correlation.tsv", "summary.json")


def counts(regions: int = 40, samples: int = 6) -> np.ndarray:
    table = RNG.negative_binomial(2, 0.1, (regions, samples))
    table[3:4] = 0
    return table


def summarize(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return script("summarize_coverage", *INPUTS.split(), "--region-stats", "regions.tsv.gz", *options, folder=folder)


def compare(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Compare samples that have been summarized."""
    outputs = "--pca pca.tsv --correlation correlation.tsv --summary summary.json"
    return script("compare_samples", *INPUTS.split(), *outputs.split(), *options, folder=folder)


def collect(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Collect samples that have been summarized."""
    outputs = "--region-stats regions.tsv.gz --kind raw --out m.csv.gz"
    return script("collect_coverage", *INPUTS.split(), *outputs.split(), *options, folder=folder)


def missing(folder: Path, names: Sequence[str]) -> bool:
    return not [name for name in names if (folder / name).exists()]


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, sep="\t", keep_default_na=False, na_values=[""], dtype={"sample_name": str})


def test_statistics_of_regions_are_as_defined(tmp_path: Path) -> None:
    table = counts()
    usable = [1000, 3000, 500, 2000, 700, 4000]
    write_cohort(tmp_path, table, counted=usable)
    succeed(summarize(tmp_path))
    found = read(tmp_path, "regions.tsv.gz")
    scaled = table * np.mean(usable) / np.array(usable)
    mean, variance = scaled.mean(axis=1), scaled.var(axis=1, ddof=1)
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(found["variance"], variance, rtol=1e-12)
    some = mean > 0
    np.testing.assert_allclose(found["dispersion"][some], ((variance - mean)[some] / mean[some] ** 2), rtol=1e-9)
    assert found["dispersion"].isna().tolist() == [i == 3 for i in range(len(table))]
    np.testing.assert_allclose(found["detection_rate"], (table > 0).mean(axis=1))
    assert found["support"].isna().all()
    assert found["region"][1] == "chr1:50000-50110"
    assert found[["chrom", "start", "end"]].iloc[1].tolist() == ["chr1", 50000, 50110]


def test_support_is_that_of_the_consensus(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts(4, 2)[:3])
    pa.parquet.write_table(pa.table({"s0": [1, 0, 1], "support": [1.0, 0.5, 0.25]}), tmp_path / "support.parquet")
    succeed(summarize(tmp_path, "--support", "support.parquet"))
    assert read(tmp_path, "regions.tsv.gz")["support"].tolist() == [1.0, 0.5, 0.25]


def test_support_of_other_regions_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts(4, 2))
    path = tmp_path / "support.parquet"
    refuse(summarize(tmp_path, "--support", "support.parquet"), "support.parquet", "remove it and run again")
    for table in (pa.table({"support": [1.0]}), pa.table({"other": [1.0] * 4})):
        pa.parquet.write_table(table, path)
        refuse(summarize(tmp_path, "--support", "support.parquet"), "support.parquet", "remove it and run again")
    path.write_bytes(b"x")
    refuse(summarize(tmp_path, "--support", "support.parquet"), "support.parquet", "remove it and run again")
    assert missing(tmp_path, SUMMARY)


def test_a_table_without_samples_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts())
    (tmp_path / "s.tsv").write_text("sample_name\n")
    refuse(summarize(tmp_path), "s.tsv", "at least one sample")


@pytest.mark.parametrize(("kind", "factor"), [("usable", 2), ("regions", 1)])
def test_statistics_of_samples_have_library_size_and_detected_regions(tmp_path: Path, kind: str, factor: int) -> None:
    table = counts()
    write_cohort(tmp_path, table, names=["NA", "1e5", "007", "nan", "null", "z"])
    succeed(summarize(tmp_path, "--library-size", kind))
    found = read(tmp_path, "stats.tsv")
    assert found["sample_name"].tolist() == ["NA", "1e5", "007", "nan", "null", "z"]
    assert found["library_size"].tolist() == (factor * table.sum(axis=0)).tolist()
    assert found["regions_detected"].tolist() == (table > 0).sum(axis=0).tolist()
    assert found["alignments"].tolist() == (3 * table.sum(axis=0)).tolist()
    assert found["frip"].tolist() == [0.5] * 6


def change_evidence(folder: Path, sample: str, in_peaks: int | None = None, **more: object) -> None:
    """Change the evidence of a sample: the number in its own peaks, and what JSON has of its tally."""
    path = folder / "cov" / sample / "evidence.json"
    evidence = read_evidence(path)
    tally = Tally.from_json(evidence.tally.describe() | more)
    write_evidence(replace(evidence, tally=tally, in_peaks=in_peaks), path)


def test_what_is_not_known_of_some_samples_is_empty_and_never_0(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts(5, 3), counted=[0, 400, 800])
    totals = json.loads((tmp_path / "cov" / "s0" / "evidence.json").read_text())["totals"]
    for sample, fragments, paired in (("s0", 0, 8), ("s1", 0, 0), ("s2", 7, 14)):
        usable = {"s0": 0, "s1": 400, "s2": 800}[sample]
        known = {"usable": usable, "fragments": fragments, "paired": paired}
        change_evidence(tmp_path, sample, totals=totals | known, in_peaks=usable // 4)
    succeed(summarize(tmp_path))
    found = pd.read_csv(tmp_path / "stats.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert found["fragments"].tolist() == ["0", "", "7"]
    assert found["frip_own_peaks"].tolist() == ["", "0.25", "0.25"]
    assert found["nrf"].tolist() == [""] * 3
    assert found.columns[1] == "usable"
    table = build_sample_table([Sample(f"s{i}") for i in range(3)], found.to_dict("records"))
    for column, expected in (("fragments", [0, np.nan, 7]), ("nrf", [np.nan] * 3)):
        assert table[column].type == pa.float64(), column
        np.testing.assert_array_equal(table[column].to_numpy(), expected)


def test_mitochondrial_contigs_are_named_when_samples_are_summarized(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts(5, 1))
    contigs, copies = {"chr1": 9, "chr2": 2, "chrM": 1}, {"chr1": {"1": 4, "2": 2}, "chr2": {"2": 1}}
    change_evidence(tmp_path, "s0", contigs=contigs, copies=copies)
    expected = {"": (1 / 12, 7 / 10, 4 / 7), "chr2": (2 / 12, 6 / 8, 4 / 6), "chr2 chr1 chr7": (11 / 12, None, None)}
    for names, values in expected.items():
        succeed(summarize(tmp_path, *(["--mitochondrial-contigs", *names.split()] if names else [])))
        found = read(tmp_path, "stats.tsv")[["mitochondrial_fraction", "nrf", "pbc1"]].iloc[0].tolist()
        np.testing.assert_equal(found, [np.nan if value is None else value for value in values])


def test_size_factors_are_given_whatever_the_normalization(tmp_path: Path) -> None:
    write_cohort(tmp_path / "some", np.array([[10, 20], [30, 60], [0, 5]]))
    succeed(summarize(tmp_path / "some"))
    factors = read(tmp_path / "some", "stats.tsv")["size_factor"].to_numpy()
    np.testing.assert_allclose(factors, [2**-0.5, 2**0.5], rtol=1e-12)
    write_cohort(tmp_path / "none", np.array([[10, 0], [0, 60]]))
    succeed(summarize(tmp_path / "none"))
    assert read(tmp_path / "none", "stats.tsv")["size_factor"].isna().all()


def test_tmm_factors_are_given_whatever_the_normalization(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts(200, 4))
    succeed(summarize(tmp_path))
    factors = read(tmp_path, "stats.tsv")["tmm_factor"]
    assert factors.nunique() == 4
    np.testing.assert_allclose(np.prod(factors), 1, rtol=1e-9)


def test_median_of_ratios_without_a_common_region_says_what_to_do(tmp_path: Path) -> None:
    write_cohort(tmp_path, np.array([[10, 0], [0, 60]]))
    succeed(summarize(tmp_path))
    refuse(compare(tmp_path, "--normalization", "median_of_ratios"), "regions with counts in all samples", "tmm")
    assert missing(tmp_path, COMPARISON)


@pytest.mark.parametrize("method", ["log2cpm", "tmm"])
def test_components_and_correlations_are_of_the_most_variable_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    table = counts(60, 5)
    usable = [4000, 5000, 6000, 7000, 9000]
    write_cohort(tmp_path, table, counted=usable)
    monkeypatch.setattr(comparison, "MOST_VARIABLE", 20)
    succeed(summarize(tmp_path))
    succeed(compare(tmp_path, "--normalization", method, "--library-size", "usable"))
    factors = read(tmp_path, "stats.tsv")["tmm_factor"].to_numpy() if method == "tmm" else 1
    values = np.log2(1 + 1e6 * table / (np.array(usable) * factors))
    chosen = values[np.argsort(-values.var(axis=1))[:20]]
    found = read(tmp_path, "correlation.tsv").set_index("sample_name")
    np.testing.assert_allclose(found, np.corrcoef(chosen.T), rtol=1e-9)
    centered = (chosen.T - chosen.mean(axis=1)) @ (chosen.T - chosen.mean(axis=1)).T
    scores = read(tmp_path, "pca.tsv").set_index("sample_name").to_numpy()
    np.testing.assert_allclose(scores @ scores.T, centered, atol=1e-6)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["normalization"], summary["library_size"]) == (method, "usable")
    assert (summary["regions"], summary["most_variable_regions"]) == (60, 20)
    assert summary["counting"]["unit"] == "reads"
    assert sorted(summary["order"]) == [f"s{i}" for i in range(5)]
    np.testing.assert_allclose(sum(summary["explained_variance"]), 1)


def test_correlations_of_very_many_samples_are_of_some_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cohort(tmp_path, counts(10, 30))
    monkeypatch.setattr(comparison, "LARGEST_CORRELATION", 7)
    succeed(summarize(tmp_path))
    succeed(compare(tmp_path))
    found = read(tmp_path, "correlation.tsv")
    assert found["sample_name"].tolist() == list(found.columns[1:])
    assert found["sample_name"].tolist()[:: len(found) - 1] == ["s0", "s29"]
    assert len(found) == 7
    assert len(read(tmp_path, "pca.tsv")) == 30


def test_samples_are_compared_by_the_statistics_of_just_these(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts())
    refuse(compare(tmp_path), "stats.tsv", "not a table of statistics", "No such file")
    succeed(summarize(tmp_path))
    (tmp_path / "stats.tsv").write_text("".join((tmp_path / "stats.tsv").read_text().splitlines(keepends=True)[:-1]))
    refuse(compare(tmp_path), "stats.tsv", "one row per sample")
    assert missing(tmp_path, COMPARISON)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 1)])
def test_small_and_empty_cohorts_give_finite_numbers(tmp_path: Path, shape: tuple[int, int]) -> None:
    write_cohort(tmp_path, np.zeros(shape, int))
    succeed(summarize(tmp_path))
    succeed(compare(tmp_path))
    for name in (*SUMMARY, *COMPARISON):
        assert "inf" not in (read(tmp_path, name).to_csv() if name.endswith("tsv") else "")
    assert read(tmp_path, "stats.tsv")["library_size"].tolist() == [0] * shape[1]


def test_numbers_are_written_in_full(tmp_path: Path) -> None:
    from divvy_coverage.matrix.tables import format_number

    for value in (1 / 3, 1e-300, 123456789.0, 2.0**60):
        assert float(format_number(value)) == value
    assert format_number(float("nan")) == ""
    assert format_number(12.0) == "12"


def test_the_same_coverage_gives_the_same_bytes(tmp_path: Path) -> None:
    table = counts()
    for name in ("one", "two"):
        write_cohort(tmp_path / name, table)
        succeed(summarize(tmp_path / name))
        succeed(compare(tmp_path / name))
    for output in (*SUMMARY, *COMPARISON):
        assert (tmp_path / "one" / output).read_bytes() == (tmp_path / "two" / output).read_bytes(), output


def test_coverage_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts())
    succeed(summarize(tmp_path))
    np.save(tmp_path / "cov" / "s1" / "r.npy", np.zeros(40, np.int32))
    for command in (summarize, compare):
        refuse(command(tmp_path), "s1/r.npy", "remove them and run again")


def test_coverage_that_was_made_from_something_else_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts(5, 2))
    evidence = read_evidence(tmp_path / "cov" / "s1" / "evidence.json")
    files = [{"kind": "alignments", "path": "s1.bam", "bytes": 5, "fingerprint": "x"}]
    write_evidence(replace(evidence, files=files), tmp_path / "cov" / "s1" / "evidence.json")
    wanted = Inputs("code", evidence.counting, {"s0": [], "s1": [("alignments", "x")]})
    cases = {
        "": wanted,
        "by another version of the code": replace(wanted, code="other"),
        "with other settings: ": replace(wanted, counting=evidence.counting | {"min_mapq": 7}),
        "from other files, or as they were: s1.bam": replace(wanted, files={"s0": [], "s1": [("alignments", "y")]}),
        "from other files, or as they were: ": replace(wanted, files={"s1": [("alignments", "x")]}),
    }
    for problem, inputs in cases.items():
        write_inputs(inputs, tmp_path / "inputs.json")
        for command in (summarize, compare, collect):
            done = command(tmp_path, "--inputs", "inputs.json")
            if problem:
                refuse(done, f"evidence.json: counted {problem}", "run the workflow again")
            else:
                succeed(done)
    (tmp_path / "inputs.json").write_text((tmp_path / "inputs.json").read_text().replace('"x"', '"y"'))
    refuse(summarize(tmp_path, "--inputs", "inputs.json"), "inputs.json: not the inputs of a run: it was edited")


def test_every_table_has_one_row_per_sample(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts())
    succeed(summarize(tmp_path))
    succeed(compare(tmp_path))
    for name in ("stats.tsv", "pca.tsv", "correlation.tsv"):
        with (tmp_path / name).open(newline="") as file:
            assert [row["sample_name"] for row in csv.DictReader(file, delimiter="\t")] == [f"s{i}" for i in range(6)]
