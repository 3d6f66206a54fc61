"""Sample sheets: what becomes of them, and the mistakes that are told of."""

import os
from pathlib import Path

import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.preflight.sheet import Problem, by_kind, main, read_pep, read_samples, read_table, write_table


def sheet(folder: Path, text: str, config: str = "") -> Path:
    """Write a sheet, the files that it may name, and a project configuration."""
    (folder / "pep").mkdir(exist_ok=True)
    (folder / "pep" / "samples.csv").write_text(text)
    for name in ("a", "b", "c$d", "e f", "g{h}", "i'j", "k#l", "m[n]", "o*p"):
        (folder / "pep" / f"{name}.bam").touch()
    for name in "ab":
        (folder / "pep" / f"{name}.bed").touch()
    path = folder / "pep" / "project_config.yaml"
    path.write_text(f"pep_version: 2.1.0\nsample_table: samples.csv\n{config}")
    return path


def bams(samples: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    return {sample["sample_name"][0]: sample["bam"] for sample in samples}


def problems(path: Path, **names: str) -> list[tuple[str, str, str]]:
    """Return the problems of a sheet none of whose samples is good."""
    samples, found = read_pep(path, **names)
    assert samples == []
    return [(problem.kind, problem.sample, problem.text) for problem in found]


def test_paths_are_relative_to_the_peps_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet(tmp_path, f"sample_name,bam,peaks\nx,a.bam,a.bed\ny,../pep/b.bam,\nz,{tmp_path}/pep/k#l.bam,../pep/b.bed\n")
    monkeypatch.chdir(tmp_path)
    samples = read_samples(Path("pep/project_config.yaml"))
    assert bams(samples) == {"x": ["pep/a.bam"], "y": ["pep/b.bam"], "z": [f"{tmp_path}/pep/k#l.bam"]}
    assert [sample["peaks"] for sample in samples] == [["pep/a.bed"], [], ["pep/b.bed"]]


def test_a_path_may_lead_through_a_link_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,link/../a.bam\n")
    (tmp_path / "far" / "inside").mkdir(parents=True)
    (tmp_path / "far" / "a.bam").touch()
    (tmp_path / "pep" / "link").symlink_to(tmp_path / "far" / "inside")
    assert os.path.samefile(read_samples(path)[0]["bam"][0], tmp_path / "far" / "a.bam")


def test_attributes_are_renamed_and_stand_first(tmp_path: Path) -> None:
    path = sheet(tmp_path, "group,summits,peaks,reads,bam,sample_name\none,a.bed,gone,a.bam,gone,x\n")
    (sample,) = read_samples(path, bam="reads", peaks="summits")
    folder = tmp_path / "pep"
    expected = {"sample_name": ["x"], "bam": [f"{folder}/a.bam"], "peaks": [f"{folder}/a.bed"], "group": ["one"]}
    assert list(sample.items()) == list(expected.items())


def test_a_sheet_may_lack_peaks_or_have_none_to_look_at(tmp_path: Path) -> None:
    assert list(read_samples(sheet(tmp_path, "sample_name,group,bam\nx,one,a.bam\n"))[0]) == [
        "sample_name",
        "bam",
        "group",
    ]
    path = sheet(tmp_path, "sample_name,peaks,bam\nx,gone.bed,a.bam\n")
    assert read_samples(path, peaks="")[0]["peaks"] == ["gone.bed"]
    assert problems(path) == [("paths", "'x' (row 1)", f"peaks: no such file: {tmp_path}/pep/gone.bed")]


def test_samples_stay_in_the_order_of_the_sheet(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nz,a.bam\nm,gone.bam\na,b.bam\n")
    samples, found = read_pep(path)
    assert list(bams(samples)) == ["z", "a"]
    assert [problem.sample for problem in found] == ["'m' (row 2)"]


@pytest.mark.parametrize(
    ("word", "included"),
    [(word, True) for word in ("1", "true", "True", "TRUE", "yes", "on", "1.0", " 1 ")]
    + [(word, False) for word in ("0", "false", "FALSE", "no", "Off", "0.0", "", " ")],
)
def test_toggle(tmp_path: Path, word: str, included: bool) -> None:
    path = sheet(tmp_path, f"sample_name,bam,toggle\nx,a.bam,1\ny,b.bam,{word}\n")
    assert list(bams(read_samples(path))) == (["x", "y"] if included else ["x"])


def test_what_toggle_leaves_out_is_not_looked_at(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam,use\nx,a.bam,1\nx,a.bam,0\nan other,gone.bam,0\n,{x},\n")
    assert list(bams(read_samples(path, toggle="use"))) == ["x"]


def test_toggle_can_be_implied_renamed_and_ignored(tmp_path: Path) -> None:
    imply = "sample_modifiers:\n  imply:\n    - if: {quality: bad}\n      then: {toggle: 0}\n"
    path = sheet(tmp_path, "sample_name,bam,quality,toggle_2\nx,a.bam,good,0\ny,b.bam,bad,1\n", imply)
    assert list(bams(read_samples(path))) == ["x"]
    assert list(bams(read_samples(path, toggle="toggle_2"))) == ["y"]
    assert list(bams(read_samples(path, toggle=""))) == ["x", "y"]


def test_mistakes_with_toggle(tmp_path: Path) -> None:
    ((kind, sample, text),) = problems(sheet(tmp_path, "sample_name,bam,toggle\nx,a.bam,maybe\n"))
    assert (kind, sample) == ("toggle", "'x' (row 1)")
    assert "toggle is 'maybe'; write 1, true, yes or on" in text
    with pytest.raises(UserError, match="'toggle' leaves out all 2 samples"):
        read_samples(sheet(tmp_path, "sample_name,bam,toggle\nx,a.bam,0\ny,b.bam,\n"))


@pytest.mark.parametrize("column", ["Toggle", " toggle", '" ""toggle"""'])
def test_a_column_that_is_nearly_called_toggle_is_a_warning(
    tmp_path: Path, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = sheet(tmp_path, f"sample_name,bam,{column}\nx,a.bam,0\n")
    assert list(bams(read_samples(path))) == ["x"]
    assert "is not 'toggle'; rename the column or set samples.toggle" in capsys.readouterr().err


def test_names_that_differ_only_in_case_are_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(read_samples(sheet(tmp_path, "sample_name,bam\nwt,a.bam\nWT,b.bam\n"))) == 2
    assert "WT, wt" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["c$d", "e f", "i'j", "k#l", "m[n]", "o*p"])
def test_unusual_file_names_are_fine_if_the_file_exists(tmp_path: Path, name: str) -> None:
    assert Path(bams(read_samples(sheet(tmp_path, f"sample_name,bam\nx,{name}.bam\n")))["x"][0]).stem == name


def test_duplicate_names_are_named_with_their_rows(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,a.bam\ny,e f.bam\nx,b.bam\n")
    samples, found = read_pep(path)
    assert list(bams(samples)) == ["y"]
    assert [(problem.kind, problem.sample) for problem in found] == [("names", "'x' (row 1)"), ("names", "'x' (row 3)")]
    assert all("2 rows have this name: 1, 3; names must be unique" in problem.text for problem in found)


def test_a_row_that_stands_twice_is_one_mistake(tmp_path: Path) -> None:
    found = problems(sheet(tmp_path, "sample_name,bam\nx,a.bam\nx,a.bam\n"))
    assert [kind for kind, _, _ in found] == ["names", "names"]


def test_a_file_under_two_names_is_a_problem_of_both(tmp_path: Path) -> None:
    rows = f"x,a.bam\nz,b.bam\ny,{tmp_path}/pep/../pep/a.bam\n"
    samples, found = read_pep(sheet(tmp_path, f"sample_name,bam\n{rows}"))
    assert list(bams(samples)) == ["z"]
    assert [(problem.kind, problem.sample) for problem in found] == [
        ("duplicate bam", "'x' (row 1)"),
        ("duplicate bam", "'y' (row 3)"),
    ]
    assert "bam: also the file of 'y' (row 3)" in found[0].text
    assert "bam: also the file of 'x' (row 1)" in found[1].text


def test_a_file_twice_in_a_sample_is_a_problem(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,several\n", "subsample_table: sub.csv\n")
    path.with_name("sub.csv").write_text("sample_name,bam\nx,a.bam\nx,b.bam\nx,a.bam\n")
    assert problems(path) == [("duplicate bam", "'x' (row 1)", f"bam: given 2 times: {tmp_path}/pep/a.bam")]


def test_missing_files_are_not_duplicates_and_shared_peaks_are_fine(tmp_path: Path) -> None:
    found = problems(sheet(tmp_path, "sample_name,bam\nx,gone.bam\ny,gone.bam\n"))
    assert [kind for kind, _, _ in found] == ["paths", "paths"]
    assert len(read_samples(sheet(tmp_path, "sample_name,bam,peaks\nx,a.bam,a.bed\ny,b.bam,a.bed\n"))) == 2


@pytest.mark.parametrize(
    ("rows", "kind", "essentials"),
    [
        (",a.bam", "names", ["'' (row 1)", "no name", "'sample_name'"]),
        ("  ,a.bam", "names", ["(row 1)", "no name"]),
        ("x y,a.bam\na/b,b.bam", "names", ["'x y' (row 1)", "'a/b' (row 2)", "A-Z a-z 0-9 . _ -"]),
        ("a;b $(touch x) {MEM},a.bam", "names", ["a;b $(touch x) {MEM}", "A-Z a-z 0-9 . _ -"]),
        ('"x\ny",a.bam', "names", [r"x\ny", "A-Z a-z 0-9 . _ -"]),
        ("x\u00e9,a.bam", "names", ["'x\u00e9'", "A-Z a-z 0-9 . _ -"]),
        ("x ,a.bam", "names", ["'x '", "A-Z a-z 0-9 . _ -"]),
        ("x" * 201 + ",a.bam", "names", ["at most 200"]),
        ("region,a.bam", "names", ["must not be 'region'"]),
        ("x,none.bam\ny,nor.bam", "paths", ["'x' (row 1): bam: no such file", "/none.bam", "'y' (row 2)", "/nor.bam"]),
        ("x,", "paths", ["bam: is empty; give the path"]),
        ("x, ", "paths", ["bam: is empty"]),
        ("x,{id}.bam", "paths", ["{id} was not filled"]),
        ("x,$UNSET_9/a.bam", "paths", ["$UNSET_9 was not filled"]),
        ("x,${UNSET_9}/a.bam", "paths", ["${UNSET_9} was not filled"]),
        ("x,z*.bam", "paths", ["no file matches", "/z*.bam"]),
        ("x,g{h}.bam", "paths", ["Snakemake takes {h} for a wildcard", "g{h}.bam"]),
        ("x,../pep", "paths", ["a folder, not a file"]),
        ("x,a.bam ", "paths", ["no such file", "/a.bam '"]),
        ("x,broken.bam", "paths", ["a link to gone.bam, which is not there", "/broken.bam"]),
        ("x,pipe.bam", "paths", ["a device or pipe, not a file"]),
        ("x,a.bam/b.bam", "paths", ["no such file"]),
        ("x," + "n" * 300, "paths", ["File name too long"]),
        ('x,"a\nb.bam"', "paths", ["a path must not hold a line break"]),
    ],
)
def test_mistakes_are_named(tmp_path: Path, rows: str, kind: str, essentials: list[str]) -> None:
    path = sheet(tmp_path, f"sample_name,bam\n{rows}\n")
    (tmp_path / "pep" / "broken.bam").symlink_to("gone.bam")
    os.mkfifo(tmp_path / "pep" / "pipe.bam")
    assert {found for found, _, _ in problems(path)} == {kind}
    with pytest.raises(UserError) as error:
        read_samples(path)
    for essential in [*essentials, "project_config.yaml", f"{kind} ("]:
        assert essential in str(error.value)


@pytest.mark.parametrize(
    ("peaks", "essential"), [("gone.bed", "no such file"), ("{x}.bed", "{x} was not filled"), ("../pep", "a folder")]
)
def test_mistakes_with_peaks(tmp_path: Path, peaks: str, essential: str) -> None:
    ((kind, sample, text),) = problems(sheet(tmp_path, f"sample_name,bam,summits\nx,a.bam,{peaks}\n"), peaks="summits")
    assert (kind, sample) == ("paths", "'x' (row 1)")
    assert text.startswith("summits: ")
    assert essential in text


def test_a_file_that_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    ((_, _, text),) = problems(sheet(tmp_path, "sample_name,bam\nx,a.bam\n"))
    assert text == f"bam: not readable: {tmp_path}/pep/a.bam"


def test_a_sheet_without_bam_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no attribute 'bam'; set samples\.bam in the configuration.*'reads', 'note'"):
        read_samples(sheet(tmp_path, "sample_name,reads,note\nx,a.bam,\n"))


def test_a_sample_can_have_several_problems(tmp_path: Path) -> None:
    found = problems(sheet(tmp_path, "sample_name,bam,peaks,toggle\nx y,gone.bam,gone.bed,maybe\n"))
    assert [kind for kind, _, _ in found] == ["toggle", "names", "paths", "paths"]


def test_an_error_lists_the_problems_by_kind(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx y,a.bam\ng,gone.bam\nz,b.bam\nv w,none.bam\n")
    with pytest.raises(UserError) as error:
        read_samples(path)
    first, *lines = str(error.value).splitlines()
    assert first == f"{path}: 4 problems in a sheet of 4 samples:"
    assert [line[:16] for line in lines] == [
        "names (2):",
        "  'x y' (row 1):",
        "  'v w' (row 4):",
        "paths (2):",
        "  'g' (row 2): b",
        "  'v w' (row 4):",
    ]


def test_long_lists_are_cut() -> None:
    text = by_kind([Problem("names", f"'x{i}' (row {i})", "why") for i in range(50)])
    assert text.count("\n") == 22
    assert "names (50):" in text
    assert "… and 30 more" in text


DERIVED_NAMES = "sample_modifiers:\n  derive:\n    attributes: [sample_name]\n    sources:\n      src: 's{group}'\n"


def test_names_can_be_derived(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,group,bam\nsrc,1,a.bam\nsrc,2,b.bam\n", DERIVED_NAMES)
    assert list(bams(read_samples(path))) == ["s1", "s2"]


def test_derived_names_that_collide_are_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,group,bam\nsrc,1,a.bam\nsrc,1,b.bam\n", DERIVED_NAMES)
    with pytest.raises(UserError, match="'s1' .row 1.: 2 rows have this name: 1, 2"):
        read_samples(path)


def test_the_table_keeps_everything(tmp_path: Path) -> None:
    samples = [
        {"sample_name": ["x"], "bam": ["a\tb.bam", 'c"d.bam'], "note": ["line"]},
        {"sample_name": ["y"], "bam": ["é;$'.bam"], "note": []},
    ]
    write_table(samples, tmp_path / "t.tsv")
    assert read_table(tmp_path / "t.tsv") == samples


def test_a_line_break_within_a_value_becomes_a_blank(tmp_path: Path) -> None:
    write_table([{"sample_name": ["x"], "bam": ["a"], "note": ["one\r\ntwo", "three"]}], tmp_path / "t.tsv")
    assert read_table(tmp_path / "t.tsv")[0]["note"] == ["one two", "three"]


def test_the_table_is_rewritten_only_if_it_changes(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,a.bam\n")
    out = tmp_path / "samples.tsv"
    main(["--pep", str(path), "--out", str(out)])
    first = out.stat().st_mtime_ns
    main(["--pep", str(path), "--out", str(out)])
    assert out.stat().st_mtime_ns == first


def test_the_command_line_knows_all_attributes(tmp_path: Path) -> None:
    amend = "project_modifiers:\n  amend:\n    small: {sample_table: small.csv}\n"
    path = sheet(tmp_path, "sample_name,bam\n", amend)
    path.with_name("small.csv").write_text("sample_name,reads,summits,use\nx,a.bam,a.bed,1\ny,b.bam,b.bed,0\n")
    names = ["--bam", "reads", "--peaks", "summits", "--toggle", "use"]
    main(["--pep", str(path), "--amendments", "small", *names, "--out", str(tmp_path / "t.tsv")])
    assert (
        tmp_path / "t.tsv"
    ).read_text() == f"sample_name\tbam\tpeaks\tuse\nx\t{path.parent}/a.bam\t{path.parent}/a.bed\t1\n"
