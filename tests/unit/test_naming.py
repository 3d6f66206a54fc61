"""Names of samples and region sets: which are valid, and that nothing is written under others."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from divvy_coverage.errors import UserError
from divvy_coverage.naming import check_name, is_valid_name
from divvy_coverage.preflight.folders import Folders
from divvy_coverage.preflight.region_sets import build_region_set
from divvy_coverage.report.data import read_run
from helpers import CLONE, script

VALID = ("a", "A.b_c-9", ".a", "...", "..a", "a..", "_", "9", "x" * 200)
NOT_VALID = (
    *("", ".", "..", "-", "-a", "--out", "a b", "a/b", "/a", "../a", "a\n", "\na", "a\nb", ".\n", "..\n", "a\r", "é"),
    *("a\x00", "a{b}", "a*", "x" * 201),
)


@pytest.mark.parametrize("name", [*VALID, *NOT_VALID])
def test_the_schema_of_the_configuration_and_the_library_agree(name: str) -> None:
    schema = yaml.safe_load((CLONE / "workflow" / "schemas" / "config.schema.yaml").read_text())
    accepted = Draft202012Validator(schema).is_valid({"assay": "atac", "pep": "x", "regions": {name: {}}})
    assert (accepted, is_valid_name(name)) == ((name in VALID,) * 2)


@pytest.mark.parametrize("name", NOT_VALID)
def test_other_names_are_refused_with_their_place(name: str) -> None:
    with pytest.raises(UserError) as error:
        check_name(name, "here")
    assert str(error.value).startswith(f"here: not a valid name: {name!r}; names may hold only A-Z a-z 0-9 . _ -")


@pytest.mark.parametrize("name", ["..", "../x", "-x", "x\n"])
def test_a_region_set_of_another_name_is_neither_written_nor_reported(tmp_path: Path, name: str) -> None:
    (tmp_path / "r.bed").write_text("chr1\t0\t10\n")
    with pytest.raises(UserError, match="regions: not a valid name"):
        build_region_set(name, {"bed": str(tmp_path / "r.bed")}, [], {}, Folders(*(tmp_path / "x" for _ in range(3))))
    assert [path.name for path in tmp_path.iterdir()] == ["r.bed"]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "samples.tsv").write_text("sample_name\na\n")
    with pytest.raises(UserError, match="region sets: not a valid name"):
        read_run(tmp_path / "results", [name], "label")


def test_collecting_reads_no_counts_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text("sample_name\n../x\n")
    (tmp_path / "r.bed").write_text("chr1\t0\t10\n")
    words = ["--samples", "s.tsv", "--regions", "r.bed", "--coverage", "cov"]
    outputs = ["--stats", "s", "--region-stats", "r"]
    done = script("summarize_coverage", *words, *outputs, folder=tmp_path)
    assert (done.returncode, done.stdout.partition(";")[0]) == (1, "error: s.tsv: line 2: not a valid name: '../x'")
