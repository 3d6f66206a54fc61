"""summarize_coverage.py: tables of samples and regions, checked against their definitions."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from helpers import refuse, script, succeed, write_cohort

RNG = np.random.default_rng(3)
OUTPUTS = {
    "--stats": "stats.tsv",
    "--region-stats": "regions.tsv.gz",
    "--pca": "pca.tsv",
    "--correlation": "correlation.tsv",
    "--summary": "summary.json",
}


def counts(regions: int = 40, samples: int = 6) -> np.ndarray:
    table = RNG.negative_binomial(2, 0.1, (regions, samples))
    table[3:4] = 0
    return table


def summarize(folder: Path, *options: str):
    inputs = ["--samples", "s.tsv", "--regions", "r.bed", "--coverage", "cov"]
    outputs = [word for pair in OUTPUTS.items() for word in pair]
    return script("summarize_coverage.py", *inputs, *outputs, *options, folder=folder)


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, sep="\t", keep_default_na=False, na_values=[""], dtype={"sample_name": str})


def test_statistics_of_regions_are_as_defined(tmp_path: Path) -> None:
    table = counts()
    kept = [1000, 3000, 500, 2000, 700, 4000]
    write_cohort(tmp_path, table, counted=kept)
    succeed(summarize(tmp_path))
    found = read(tmp_path, "regions.tsv.gz")
    scaled = table * np.mean(kept) / np.array(kept)
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
    assert not [name for name in OUTPUTS.values() if (tmp_path / name).exists()]


def test_a_table_without_samples_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts())
    (tmp_path / "s.tsv").write_text("sample_name\n")
    refuse(summarize(tmp_path), "s.tsv", "at least one sample")


@pytest.mark.parametrize(("kind", "factor"), [("kept", 2), ("regions", 1)])
def test_statistics_of_samples_have_library_size_and_detected_regions(tmp_path: Path, kind: str, factor: int) -> None:
    table = counts()
    write_cohort(tmp_path, table, names=["NA", "1e5", "007", "nan", "null", "z"])
    succeed(summarize(tmp_path, "--library-size", kind))
    found = read(tmp_path, "stats.tsv")
    assert found["sample_name"].tolist() == ["NA", "1e5", "007", "nan", "null", "z"]
    assert found["library_size"].tolist() == (factor * table.sum(axis=0)).tolist()
    assert found["regions_detected"].tolist() == (table > 0).sum(axis=0).tolist()
    assert found["alignments"].tolist() == (3 * table.sum(axis=0)).tolist()
    assert found["frip"].isna().all()
    assert found["tmm_factor"].isna().all()


def test_size_factors_are_given_whatever_the_normalization(tmp_path: Path) -> None:
    write_cohort(tmp_path / "some", np.array([[10, 20], [30, 60], [0, 5]]))
    succeed(summarize(tmp_path / "some"))
    factors = read(tmp_path / "some", "stats.tsv")["size_factor"].to_numpy()
    np.testing.assert_allclose(factors, [2**-0.5, 2**0.5], rtol=1e-12)
    write_cohort(tmp_path / "none", np.array([[10, 0], [0, 60]]))
    succeed(summarize(tmp_path / "none"))
    assert read(tmp_path / "none", "stats.tsv")["size_factor"].isna().all()


def test_tmm_factors_are_given_if_they_are_used(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts(200, 4))
    succeed(summarize(tmp_path, "--normalization", "tmm"))
    factors = read(tmp_path, "stats.tsv")["tmm_factor"]
    np.testing.assert_allclose(np.prod(factors), 1, rtol=1e-9)


def test_median_of_ratios_without_a_common_region_says_what_to_do(tmp_path: Path) -> None:
    write_cohort(tmp_path, np.array([[10, 0], [0, 60]]))
    refuse(summarize(tmp_path, "--normalization", "median_of_ratios"), "regions with counts in all samples", "tmm")
    assert not [name for name in OUTPUTS.values() if (tmp_path / name).exists()]


def test_components_and_correlations_are_of_the_most_variable_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import summarize_coverage
    from divvy_coverage.matrix import summaries

    table = counts(60, 5)
    kept = [4000, 5000, 6000, 7000, 9000]
    write_cohort(tmp_path, table, counted=kept)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(summaries, "MOST_VARIABLE", 20)
    inputs = ["--samples", "s.tsv", "--regions", "r.bed", "--coverage", "cov"]
    summarize_coverage.main([*inputs, *(word for pair in OUTPUTS.items() for word in pair)])
    values = np.log2(1 + 1e6 * table / np.array(kept))
    chosen = values[np.argsort(-values.var(axis=1))[:20]]
    found = read(tmp_path, "correlation.tsv").set_index("sample_name")
    np.testing.assert_allclose(found, np.corrcoef(chosen.T), rtol=1e-9)
    centered = (chosen.T - chosen.mean(axis=1)) @ (chosen.T - chosen.mean(axis=1)).T
    scores = read(tmp_path, "pca.tsv").set_index("sample_name").to_numpy()
    np.testing.assert_allclose(scores @ scores.T, centered, atol=1e-6)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["most_variable_regions"] == 20
    assert sorted(summary["order"]) == [f"s{i}" for i in range(5)]
    np.testing.assert_allclose(sum(summary["explained_variance"]), 1)


def test_correlations_of_very_many_samples_are_of_some_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import summarize_coverage
    from divvy_coverage.matrix import summaries

    write_cohort(tmp_path, counts(10, 30))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(summaries, "LARGEST_CORRELATION", 7)
    inputs = ["--samples", "s.tsv", "--regions", "r.bed", "--coverage", "cov"]
    summarize_coverage.main([*inputs, *(word for pair in OUTPUTS.items() for word in pair)])
    found = read(tmp_path, "correlation.tsv")
    assert found["sample_name"].tolist() == list(found.columns[1:])
    assert found["sample_name"].tolist()[:: len(found) - 1] == ["s0", "s29"]
    assert len(found) == 7
    assert len(read(tmp_path, "pca.tsv")) == 30


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (5, 1)])
def test_small_and_empty_cohorts_give_finite_numbers(tmp_path: Path, shape: tuple[int, int]) -> None:
    write_cohort(tmp_path, np.zeros(shape, int))
    succeed(summarize(tmp_path))
    for name in OUTPUTS.values():
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
    for output in OUTPUTS.values():
        assert (tmp_path / "one" / output).read_bytes() == (tmp_path / "two" / output).read_bytes(), output


def test_coverage_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts())
    np.save(tmp_path / "cov" / "s1.npy", np.zeros(40, np.int32))
    refuse(summarize(tmp_path), "s1.npy", "remove them")


def test_every_table_has_one_row_per_sample(tmp_path: Path) -> None:
    write_cohort(tmp_path, counts())
    succeed(summarize(tmp_path))
    for name in ("stats.tsv", "pca.tsv", "correlation.tsv"):
        with (tmp_path / name).open(newline="") as file:
            assert [row["sample_name"] for row in csv.DictReader(file, delimiter="\t")] == [f"s{i}" for i in range(6)]
