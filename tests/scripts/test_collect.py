"""collect.py: formats that agree, and coverage that does not belong together."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import refuse, script, succeed, write_bam

SAMPLES = ["zeta", "alpha", "1e5", "007"]
BED = "chr2\t5\t50\nchr1\t0\t100\nchr1\t20\t30\n"


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    """A folder with the coverage of four samples."""
    (tmp_path / "r.bed").write_text(BED)
    (tmp_path / "s.tsv").write_text("sample_name\tbam\n" + "".join(f"{name}\t{name}.bam\n" for name in SAMPLES))
    for number, name in enumerate(SAMPLES):
        write_bam(tmp_path / f"{name}.bam", {"chr1": 200, "chr2": 200}, [("r", 0, "chr1", 0, "25M", 60)] * number)
        cover(tmp_path, name)
    return tmp_path


def cover(folder: Path, name: str, *options: str, bed: str = "r.bed") -> None:
    outputs = ["--out", f"cov/{name}.npy", "--stats", f"cov/{name}.stats.json"]
    succeed(script("coverage.py", "--bam", f"{name}.bam", "--regions", bed, *outputs, *options, folder=folder))


def collect(folder: Path, *matrices: str, bed: str = "r.bed"):
    inputs = ["--samples", "s.tsv", "--regions", bed, "--coverage", "cov"]
    return script("collect.py", *inputs, "--matrix", *matrices, "--stats", "stats.tsv", folder=folder)


def test_all_formats_hold_the_same(counted: Path) -> None:
    succeed(collect(counted, "m.csv.gz", "m.parquet"))
    csv = pd.read_csv(counted / "m.csv.gz", index_col=0)
    parquet = pd.read_parquet(counted / "m.parquet")
    for matrix in (csv, parquet):
        assert matrix.index.name == "region"
        assert list(matrix.index) == ["chr2:5-50", "chr1:0-100", "chr1:20-30"]
        assert list(matrix.columns) == SAMPLES
        assert matrix.to_numpy().tolist() == [[0, 0, 0, 0], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert set(parquet.dtypes) == {np.dtype(np.int32)}


def test_the_same_coverage_gives_the_same_bytes(counted: Path) -> None:
    succeed(collect(counted, "m.csv.gz", "m.parquet"))
    succeed(collect(counted, "again.csv.gz", "again.parquet"))
    for suffix in ("csv.gz", "parquet"):
        assert (counted / f"m.{suffix}").read_bytes() == (counted / f"again.{suffix}").read_bytes()


def test_blocks_of_rows_join_up(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import collect as module

    succeed(collect(counted, "m.csv.gz", "m.parquet"))
    monkeypatch.chdir(counted)
    monkeypatch.setattr(module, "BLOCK", len(SAMPLES))  # one row at a time
    module.write_matrix(SAMPLES, Path("cov"), module.read_bed(Path("r.bed")), [Path("b.csv.gz"), Path("b.parquet")])
    assert pd.read_csv("b.csv.gz").equals(pd.read_csv("m.csv.gz"))
    assert pd.read_parquet("b.parquet").equals(pd.read_parquet("m.parquet"))


def test_statistics_are_one_line_a_sample(counted: Path) -> None:
    succeed(collect(counted, "m.csv.gz"))
    stats = pd.read_csv(counted / "stats.tsv", sep="\t", dtype={"sample_name": str})
    assert list(stats["sample_name"]) == SAMPLES
    assert list(stats["kept"]) == [0, 1, 2, 3]
    assert stats["frip"].isna().tolist() == [True, False, False, False]


def test_another_region_set_is_refused(counted: Path) -> None:
    (counted / "other.bed").write_text(BED + "chr1\t1\t2\n")
    cover(counted, "alpha", bed="other.bed")
    said = refuse(collect(counted, "m.csv.gz"), "1 of 4 samples", "another region set", "alpha")
    assert "zeta" not in said
    assert not (counted / "m.csv.gz").exists()


def test_other_filters_are_refused(counted: Path) -> None:
    cover(counted, "1e5", "--min-mapq", "7")
    refuse(collect(counted, "m.csv.gz"), "different ways", "1e5", '"min_mapq": 7', "zeta")


def test_damaged_counts_are_refused(counted: Path) -> None:
    np.save(counted / "cov" / "007.npy", np.array([0, 3, 4], np.int32))
    (counted / "cov" / "alpha.npy").write_bytes(b"")
    refuse(collect(counted, "m.csv.gz"), "007.npy", "alpha.npy", "remove them")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"regions": 1}'])
def test_damaged_statistics_are_refused(counted: Path, text: str) -> None:
    (counted / "cov" / "007.stats.json").write_text(text)
    refuse(collect(counted, "m.csv.gz"), "007.stats.json", "remove it")


def test_a_missing_sample_is_refused(counted: Path) -> None:
    (counted / "cov" / "007.stats.json").unlink()
    refuse(collect(counted, "m.csv.gz"), "007.stats.json", "No such file")


def test_an_unknown_format_is_refused(counted: Path) -> None:
    refuse(collect(counted, "m.xlsx"), "m.xlsx", ".csv.gz, .parquet")


def test_what_was_counted_is_recorded(counted: Path) -> None:
    description = json.loads((counted / "cov" / "alpha.stats.json").read_text())
    assert description["counting"] == {
        "mode": "reads",
        "exclude_flags": 3844,
        "require_flags": 0,
        "min_mapq": 0,
        "shift": [4, -5],
        "absent_contigs": "error",
    }
    assert description["counts"]["sum"] == 2
