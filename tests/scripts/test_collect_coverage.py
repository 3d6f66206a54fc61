"""collect_coverage.py: a matrix of what was measured and summarized, and coverage that does not belong together."""

import gzip
import hashlib
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from divvy_coverage.intervals.regions import read_regions
from helpers import READS_OPTIONS, refuse, script, succeed, write_bam

SAMPLES = ["zeta", "alpha", "1e5", "007"]
BED = "chr2\t5\t50\nchr1\t0\t100\nchr1\t20\t30\n"
INPUTS = ["--samples", "s.tsv", "--regions", "r.bed", "--coverage", "cov"]
TABLES = ["--stats", "stats.tsv", "--region-stats", "regions.tsv.gz"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the coverage of four samples, and its summary; not to be changed."""
    folder = tmp_path_factory.mktemp("counted")
    (folder / "r.bed").write_text(BED)
    (folder / "s.tsv").write_text("sample_name\tbam\n" + "".join(f"{name}\t{name}.bam\n" for name in SAMPLES))
    for number, name in enumerate(SAMPLES):
        write_bam(folder / f"{name}.bam", {"chr1": 200, "chr2": 200}, [("r", 0, "chr1", 0, "25M", 60)] * number)
        cover(folder, name)
    succeed(script("summarize_coverage.py", *INPUTS, *TABLES, folder=folder))
    return folder


@pytest.fixture
def counted(base: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(base, tmp_path / "counted")


def cover(folder: Path, name: str, *options: str, bed: str = "r.bed") -> None:
    outputs = ["--out", f"cov/{name}/r.npy", "--stats", f"cov/{name}/evidence.json"]
    words = ["--bam", f"{name}.bam", "--regions", bed, *outputs, *READS_OPTIONS, *options]
    succeed(script("measure_coverage.py", *words, folder=folder))


def collect(folder: Path, out: str, *options: str, kind: str = "raw"):
    return script("collect_coverage.py", *INPUTS, *TABLES, "--kind", kind, "--out", out, *options, folder=folder)


@pytest.mark.parametrize(
    ("name", "read"),
    [("m.csv.gz", partial(pd.read_csv, index_col="region")), ("m.parquet", pd.read_parquet)],
)
def test_rows_are_regions_and_columns_samples(counted: Path, name: str, read: Callable[[Path], pd.DataFrame]) -> None:
    succeed(collect(counted, name))
    matrix = read(counted / name)
    assert matrix.index.name == "region"
    assert list(matrix.index) == ["chr2:5-50", "chr1:0-100", "chr1:20-30"]
    assert list(matrix.columns) == SAMPLES
    assert matrix.to_numpy().tolist() == [[0, 0, 0, 0], [0, 1, 2, 3], [0, 1, 2, 3]]


def test_statistics_are_one_row_per_sample(base: Path) -> None:
    stats = pd.read_csv(base / "stats.tsv", sep="\t", dtype={"sample_name": str})
    assert list(stats["sample_name"]) == SAMPLES
    assert list(stats["usable"]) == [0, 1, 2, 3]
    assert stats["frip"].isna().tolist() == [True, False, False, False]


def test_values_are_normalized_as_asked_for(counted: Path) -> None:
    for method, value in (("cpm", 1e6), ("log2cpm", np.log2(1 + 1e6)), ("rpkm", 1e7)):
        succeed(collect(counted, "m.parquet", "--normalization", method, kind="norm"))
        matrix = pd.read_parquet(counted / "m.parquet")
        assert matrix.loc["chr1:0-100"].tolist() == pytest.approx([0, value, value, value])
    assert matrix.loc["chr1:20-30"].tolist() == pytest.approx([0, 1e8, 1e8, 1e8])


def test_counts_do_not_depend_on_the_normalization(counted: Path) -> None:
    for name, method in (("a.parquet", "cpm"), ("b.parquet", "quantile")):
        succeed(collect(counted, name, "--normalization", method))
    assert (counted / "a.parquet").read_bytes() == (counted / "b.parquet").read_bytes()


def test_an_unknown_normalization_is_refused(counted: Path) -> None:
    done = collect(counted, "m.parquet", "--normalization", "vst", kind="norm")
    assert done.returncode == 2
    assert "invalid choice: 'vst'" in done.stdout


def test_the_metadata_tell_what_the_values_were_made_of(counted: Path) -> None:
    succeed(collect(counted, "m.parquet", "--normalization", "cpm", kind="norm"))
    found = json.loads(pa.parquet.read_schema(counted / "m.parquet").metadata[b"divvy_coverage"])
    assert found.keys() == {"version", "software", "samples_sha256", "matrix"}
    assert found["samples_sha256"] == hashlib.sha256((counted / "s.tsv").read_bytes()).hexdigest()
    assert found["software"]["numpy"] == np.__version__
    assert found["matrix"]["normalization"] == "cpm"
    assert found["matrix"]["regions_sha256"] == read_regions(counted / "r.bed").sha256()


@pytest.mark.parametrize("suffix", [".csv.gz", ".parquet", ".h5ad", ".mtx.gz"])
def test_the_same_coverage_gives_the_same_bytes_at_any_time_and_in_any_folder(
    base: Path, tmp_path: Path, suffix: str
) -> None:
    written = []
    for number, name in enumerate(("one", "another")):
        folder = shutil.copytree(base, tmp_path / name)
        time.sleep(1.1 * number)  # HDF5 would keep times in whole seconds
        succeed(collect(folder, f"m{suffix}", kind="norm"))
        written.append((folder / f"m{suffix}").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("stats.tsv", "alpha", "beta"),
        ("stats.tsv", "library_size", "size"),
        ("stats.tsv", "alpha\t", "alpha\tmore\t"),
        ("stats.tsv", "\n007", "\tmore\n007"),
        ("stats.tsv", "alpha\t", "alpha\n"),
        pytest.param("stats.tsv", "alpha", "x" * 200_000, id="stats.tsv-a field that is too long"),
        ("regions.tsv.gz", "chr1:20-30", "chr1:20-31"),
        ("regions.tsv.gz", "mean", "mean\tmore"),
        ("regions.tsv.gz", "chr1", "chr1\n"),
    ],
)
def test_tables_of_something_else_are_refused(counted: Path, name: str, old: str, new: str) -> None:
    path = counted / name
    opened = gzip.open if name.endswith(".gz") else open
    with opened(path, "rt") as file:
        text = file.read()
    with opened(path, "wt") as file:
        file.write(text.replace(old, new))
    refuse(collect(counted, "m.h5ad"), name, "remove it and run again")
    path.unlink()
    refuse(collect(counted, "m.h5ad"), name, "No such file")


def test_library_sizes_that_are_no_numbers_are_refused(counted: Path) -> None:
    table = pd.read_csv(counted / "stats.tsv", sep="\t", dtype=str)
    table.loc[2, "library_size"] = "many"
    table.to_csv(counted / "stats.tsv", sep="\t", index=False)
    refuse(collect(counted, "m.parquet", kind="norm"), "stats.tsv", "line 4", "library_size", "'many'")


@pytest.mark.parametrize("kind", ["raw", "norm"])
def test_a_table_cut_off_within_a_row_is_refused(counted: Path, kind: str) -> None:
    text = (counted / "stats.tsv").read_text()
    (counted / "stats.tsv").write_text(text[: text.rindex("\t")])
    refuse(collect(counted, "m.parquet", kind=kind), "stats.tsv", "line 5", "remove it and run again")


def test_a_table_without_samples_is_refused(counted: Path) -> None:
    (counted / "s.tsv").write_text("sample_name\tbam\n")
    refuse(collect(counted, "m.parquet"), "s.tsv", "at least one sample")


def test_another_region_set_is_refused(counted: Path) -> None:
    (counted / "other").mkdir()
    (counted / "other" / "r.bed").write_text(BED + "chr1\t1\t2\n")
    cover(counted, "alpha", bed="other/r.bed")
    said = refuse(collect(counted, "m.csv.gz"), "1 of 4 samples", "another region set", "alpha")
    assert "zeta" not in said
    (counted / "r.bed").rename(counted / "q.bed")
    cover(counted, "alpha", bed="q.bed")
    (counted / "q.bed").rename(counted / "r.bed")
    refuse(collect(counted, "m.csv.gz"), "alpha/evidence.json", "expected the region set r, found q")
    assert not (counted / "m.csv.gz").exists()


def test_other_filters_are_refused(counted: Path) -> None:
    cover(counted, "1e5", "--min-mapq", "7")
    refuse(collect(counted, "m.csv.gz"), "different ways", "1e5", '"min_mapq": 7', "zeta")


def test_damaged_counts_are_refused(counted: Path) -> None:
    np.save(counted / "cov" / "007" / "r.npy", np.array([0, 3, 4], np.int32))
    (counted / "cov" / "alpha" / "r.npy").write_bytes(b"")
    refuse(collect(counted, "m.csv.gz"), "007/r.npy", "alpha/r.npy", "remove them and run again")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"regions": 1}'])
def test_damaged_statistics_are_refused(counted: Path, text: str) -> None:
    (counted / "cov" / "007" / "evidence.json").write_text(text)
    refuse(collect(counted, "m.csv.gz"), "007/evidence.json", "remove it")


def test_a_missing_sample_is_refused(counted: Path) -> None:
    (counted / "cov" / "007" / "evidence.json").unlink()
    refuse(collect(counted, "m.csv.gz"), "007/evidence.json", "No such file")


def test_an_unknown_format_is_refused(counted: Path) -> None:
    refuse(collect(counted, "m.xlsx"), "m.xlsx", ".csv.gz, .parquet, .h5ad, .mtx.gz")


def test_what_was_counted_is_recorded(counted: Path) -> None:
    evidence = json.loads((counted / "cov" / "alpha" / "evidence.json").read_text())
    assert evidence["counting"] == {
        "unit": "reads",
        "exclude_flags": 3844,
        "require_flags": 0,
        "min_mapq": 0,
        "exclude_contigs": [],
        "fragment_length": None,
        "extend": None,
        "blacklist": None,
    }
    assert evidence["region_sets"]["r"]["sum"] == 2
