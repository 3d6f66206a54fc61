"""Sample sheets: what peppy resolves, and the mistakes that it lets pass."""

from pathlib import Path

import pytest

from common import UserError
from samples import main, read_pep, read_table, write_table


def sheet(folder: Path, text: str, config: str = "") -> Path:
    """Write a sheet, the BAM files that it may name, and a project configuration."""
    (folder / "pep").mkdir(exist_ok=True)
    (folder / "pep" / "samples.csv").write_text(text)
    for name in ("a", "b", "c$d", "e f", "g{h}", "i'j"):
        (folder / "pep" / f"{name}.bam").touch()
    path = folder / "pep" / "project_config.yaml"
    path.write_text(f"pep_version: 2.1.0\nsample_table: samples.csv\n{config}")
    return path


def bams(samples: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    return {sample["sample_name"][0]: sample["bam"] for sample in samples}


def test_paths_are_relative_to_the_sheets_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet(tmp_path, f"sample_name,bam\nx,a.bam\ny,../pep/b.bam\nz,{tmp_path}/pep/a.bam\n")
    monkeypatch.chdir(tmp_path)
    found = bams(read_pep(Path("pep/project_config.yaml")))
    assert found == {"x": ["pep/a.bam"], "y": ["pep/b.bam"], "z": [f"{tmp_path}/pep/a.bam"]}


def test_a_plain_csv_is_a_sheet_too(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,a.bam\n").with_name("samples.csv")
    assert list(bams(read_pep(path))) == ["x"]


def test_derived_paths_and_other_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE_BAMS_ARE", str(tmp_path / "pep"))
    derive = (
        "sample_modifiers:\n  derive:\n    attributes: [reads]\n    sources:\n      src: $WHERE_BAMS_ARE/{id}.bam\n"
    )
    path = sheet(tmp_path, "sample_name,reads,id,group\nx,src,a,one\ny,src,b,two\n", derive)
    samples = read_pep(path, bam="reads")
    assert bams(samples) == {"x": [f"{tmp_path}/pep/a.bam"], "y": [f"{tmp_path}/pep/b.bam"]}
    assert [sample["group"] for sample in samples] == [["one"], ["two"]]


def test_amendments_choose_another_sheet(tmp_path: Path) -> None:
    amend = "project_modifiers:\n  amend:\n    small:\n      sample_table: small.csv\n"
    path = sheet(tmp_path, "sample_name,bam\nx,a.bam\ny,b.bam\n", amend)
    path.with_name("small.csv").write_text("sample_name,bam\ny,b.bam\n")
    assert list(bams(read_pep(path))) == ["x", "y"]
    assert list(bams(read_pep(path, ["small"]))) == ["y"]
    with pytest.raises(UserError, match="nosuch"):
        read_pep(path, ["nosuch"])


def test_a_subsample_table_gives_several_files(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,several\ny,a.bam\n", "subsample_table: subsamples.csv\n")
    path.with_name("subsamples.csv").write_text("sample_name,bam\nx,a.bam\nx,b.bam\n")
    found = bams(read_pep(path))
    assert [Path(p).name for p in found["x"]] == ["a.bam", "b.bam"]
    assert [Path(p).name for p in found["y"]] == ["a.bam"]


@pytest.mark.parametrize("name", ["c$d", "e f", "i'j"])
def test_unusual_file_names_are_fine_if_the_file_exists(tmp_path: Path, name: str) -> None:
    assert Path(bams(read_pep(sheet(tmp_path, f"sample_name,bam\nx,{name}.bam\n")))["x"][0]).stem == name


@pytest.mark.parametrize(
    ("text", "essentials"),
    [
        ("sample_name,bam\n", ["at least one sample"]),
        ("sample_name,bam\nx,a.bam\nx,b.bam\ny,b.bam\n", ["'x': 2 rows have this name"]),
        ("sample_name,bam\n,a.bam\n", ["row 1", "no name"]),
        ("sample_name,bam\nx y,a.bam\na/b,a.bam\n", ["'x y'", "'a/b'", "A-Z a-z 0-9 . _ -"]),
        ("sample_name,bam\na;b $(touch x) {MEM},a.bam\n", ["a;b $(touch x) {MEM}", "A-Z a-z 0-9 . _ -"]),
        ('sample_name,bam\n"x\ny",a.bam\n', [r"x\ny", "A-Z a-z 0-9 . _ -"]),
        ("sample_name,bam\nregion,a.bam\n", ["must not be 'region'"]),
        (
            "sample_name,bam\nx,none.bam\ny,nor.bam\n",
            ["'x' (row 1)", "none.bam", "'y' (row 2)", "nor.bam", "no such file"],
        ),
        ("sample_name,bam\nx,\n", ["'bam' is empty"]),
        ("sample_name,bam\nx,{id}.bam\n", ["{id} was not filled"]),
        ("sample_name,bam\nx,$UNSET_9/a.bam\n", ["$UNSET_9 was not filled"]),
        ("sample_name,bam\nx,z*.bam\n", ["no file matches"]),
        ("sample_name,bam\nx,g{h}.bam\n", ["Snakemake takes {h} for a wildcard", "g{h}.bam"]),
        ("sample_name,bam\nx,../pep\n", ["a folder, not a file"]),
        ("sample_name,reads\nx,a.bam\n", ["no attribute 'bam'", "reads"]),
        ("name,bam\nx,a.bam\n", ["sample_name"]),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, essentials: list[str]) -> None:
    with pytest.raises(UserError) as error:
        read_pep(sheet(tmp_path, text))
    for essential in [*essentials, "project_config.yaml"]:
        assert essential in str(error.value)


DERIVED_NAMES = "sample_modifiers:\n  derive:\n    attributes: [sample_name]\n    sources:\n      src: 's{group}'\n"


def test_names_can_be_derived(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,group,bam\nsrc,1,a.bam\nsrc,2,b.bam\n", DERIVED_NAMES)
    assert list(bams(read_pep(path))) == ["s1", "s2"]


def test_derived_names_that_collide_are_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,group,bam\nsrc,1,a.bam\nsrc,1,b.bam\n", DERIVED_NAMES)
    with pytest.raises(UserError, match="name"):
        read_pep(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "pep_version: 2.1.0\n", "a: [", "sample_table: nosuch.csv\npep_version: 2.1.0\n"]
)
def test_a_file_that_is_no_pep_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "project_config.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"project_config\.yaml"):
        read_pep(path)


def test_a_missing_pep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_pep(tmp_path / "project_config.yaml")


def test_the_table_keeps_everything(tmp_path: Path) -> None:
    samples = [
        {"sample_name": ["x"], "bam": ["a\tb.bam", 'c"d.bam'], "note": ["line"]},
        {"sample_name": ["y"], "bam": ["é;$'.bam"], "note": []},
    ]
    write_table(samples, tmp_path / "t.tsv")
    assert read_table(tmp_path / "t.tsv") == samples


def test_the_table_is_rewritten_only_if_it_changes(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,a.bam\n")
    out = tmp_path / "samples.tsv"
    main(["--pep", str(path), "--out", str(out)])
    first = out.stat().st_mtime_ns
    main(["--pep", str(path), "--out", str(out)])
    assert out.stat().st_mtime_ns == first
