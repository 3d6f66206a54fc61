"""Sample sheets and the table of samples: what becomes of a sheet, and which mistakes are found."""

import os
from pathlib import Path

import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.problems import Problem, list_by_kind, read_problems, select_errors, write_problems
from divvy_coverage.samples import Sample, read_samples, write_samples
from divvy_coverage.sheets.paths import fill_path
from divvy_coverage.sheets.sheet import read_sheet
from helpers import resolve_sheet


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


def bams(samples: list[Sample]) -> dict[str, list[str]]:
    return {sample.name: [*sample.files] for sample in samples}


def problems(path: Path, **names: str) -> list[tuple[str, str, str]]:
    """Return the errors of a sheet none of whose samples is good."""
    samples, found = read_sheet(path, **names)
    assert samples == []
    return [(problem.kind, problem.place, problem.text) for problem in select_errors(found)]


def warnings(path: Path) -> list[str]:
    """Return the warnings of a sheet without errors, none of which is of a single sample."""
    found = read_sheet(path)[1]
    assert {(problem.severity, problem.sample, problem.row) for problem in found} <= {("warning", "", None)}
    return [problem.text for problem in found]


def test_paths_are_relative_to_the_peps_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet(tmp_path, f"sample_name,bam,peaks\nx,a.bam,a.bed\ny,../pep/b.bam,\nz,{tmp_path}/pep/k#l.bam,../pep/b.bed\n")
    monkeypatch.chdir(tmp_path)
    samples = resolve_sheet(Path("pep/project_config.yaml"))
    assert bams(samples) == {"x": ["pep/a.bam"], "y": ["pep/b.bam"], "z": [f"{tmp_path}/pep/k#l.bam"]}
    assert [sample.peaks for sample in samples] == [["pep/a.bed"], [], ["pep/b.bed"]]


def test_a_path_may_lead_through_a_link_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,link/../a.bam\n")
    (tmp_path / "far" / "inside").mkdir(parents=True)
    (tmp_path / "far" / "a.bam").touch()
    (tmp_path / "pep" / "link").symlink_to(tmp_path / "far" / "inside")
    assert os.path.samefile(resolve_sheet(path)[0].files[0], tmp_path / "far" / "a.bam")


def test_attributes_are_renamed_and_stand_first(tmp_path: Path) -> None:
    path = sheet(tmp_path, "group,summits,peaks,reads,bam,sample_name\none,a.bed,gone,a.bam,gone,x\n")
    (sample,) = resolve_sheet(path, bam="reads", peaks="summits")
    folder = tmp_path / "pep"
    expected = {"sample_name": ["x"], "bam": [f"{folder}/a.bam"], "peaks": [f"{folder}/a.bed"], "group": ["one"]}
    assert list(sample.get_columns().items()) == list(expected.items())


def test_a_sheet_may_lack_peaks_or_have_none_to_look_at(tmp_path: Path) -> None:
    (sample,) = resolve_sheet(sheet(tmp_path, "sample_name,group,bam\nx,one,a.bam\n"))
    assert sample.peaks is None
    assert list(sample.get_columns()) == ["sample_name", "bam", "group"]
    (sample,) = resolve_sheet(sheet(tmp_path, "sample_name,peaks,bam\nx,,a.bam\n"))
    assert sample.peaks == []
    assert list(sample.get_columns()) == ["sample_name", "bam", "peaks"]
    path = sheet(tmp_path, "sample_name,peaks,bam\nx,gone.bed,a.bam\n")
    (sample,) = resolve_sheet(path, peaks="")
    assert (sample.peaks, sample.attributes["peaks"]) == (None, ["gone.bed"])
    assert problems(path) == [("paths", "'x' (row 1)", f"peaks: no such file: {tmp_path}/pep/gone.bed")]


def test_samples_stay_in_the_order_of_the_sheet(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nz,a.bam\nm,gone.bam\na,b.bam\n")
    samples, found = read_sheet(path)
    assert list(bams(samples)) == ["z", "a"]
    assert [(problem.sample, problem.row, problem.place) for problem in found] == [("m", 2, "'m' (row 2)")]
    assert [sample.row for sample in samples] == [1, 3]


@pytest.mark.parametrize(
    ("word", "included"),
    [(word, True) for word in ("1", "true", "True", "TRUE", "yes", "on", "1.0", " 1 ")]
    + [(word, False) for word in ("0", "false", "FALSE", "no", "Off", "0.0", "", " ")],
)
def test_toggle(tmp_path: Path, word: str, included: bool) -> None:
    path = sheet(tmp_path, f"sample_name,bam,toggle\nx,a.bam,1\ny,b.bam,{word}\n")
    assert list(bams(resolve_sheet(path))) == (["x", "y"] if included else ["x"])


def test_what_toggle_excludes_is_not_looked_at(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam,use\nx,a.bam,1\nx,a.bam,0\nan other,gone.bam,0\n,{x},\n")
    assert list(bams(resolve_sheet(path, toggle="use"))) == ["x"]


def test_toggle_can_be_implied_renamed_and_ignored(tmp_path: Path) -> None:
    imply = "sample_modifiers:\n  imply:\n    - if: {quality: bad}\n      then: {toggle: 0}\n"
    path = sheet(tmp_path, "sample_name,bam,quality,toggle_2\nx,a.bam,good,0\ny,b.bam,bad,1\n", imply)
    assert list(bams(resolve_sheet(path))) == ["x"]
    assert list(bams(resolve_sheet(path, toggle="toggle_2"))) == ["y"]
    assert list(bams(resolve_sheet(path, toggle=""))) == ["x", "y"]


def test_mistakes_with_toggle(tmp_path: Path) -> None:
    ((kind, sample, text),) = problems(sheet(tmp_path, "sample_name,bam,toggle\nx,a.bam,maybe\n"))
    assert (kind, sample) == ("toggle", "'x' (row 1)")
    assert "toggle is 'maybe'; write 1, true, yes or on" in text
    with pytest.raises(UserError, match="'toggle' excludes all 2 samples"):
        resolve_sheet(sheet(tmp_path, "sample_name,bam,toggle\nx,a.bam,0\ny,b.bam,\n"))


@pytest.mark.parametrize("column", ["Toggle", "TOGGLE", '" ""toggle"""'])
def test_a_column_that_is_nearly_called_toggle_is_a_warning(tmp_path: Path, column: str) -> None:
    path = sheet(tmp_path, f"sample_name,bam,{column}\nx,a.bam,0\n")
    assert list(bams(resolve_sheet(path))) == ["x"]
    (warning,) = warnings(path)
    assert "is not 'toggle'; rename the column or set samples.toggle" in warning


def test_a_column_that_is_nearly_called_peaks_is_a_warning(tmp_path: Path) -> None:
    (warning,) = warnings(sheet(tmp_path, "sample_name,bam,Peaks\nx,a.bam,a.bed\n"))
    assert "'Peaks' is not 'peaks'; rename the column or set samples.peaks" in warning


def test_blanks_around_values_are_no_part_of_them(tmp_path: Path) -> None:
    constant = "sample_modifiers:\n  append: {batch: ' 1\u00a0'}\n"
    path = sheet(tmp_path, "sample_name,group , bam\nx\u00a0,\u2003ctl ,a.bam \ny,ctl,\tb.bam\n", constant)
    samples, found = read_sheet(path)
    assert found == []
    assert [sample.name for sample in samples] == ["x", "y"]
    assert [sample.attributes for sample in samples] == [{"group": ["ctl"], "batch": ["1"]}] * 2
    assert list(bams(samples).values()) == [[f"{tmp_path}/pep/a.bam"], [f"{tmp_path}/pep/b.bam"]]


@pytest.mark.parametrize(
    ("first", "second"),
    [("ctl", "Ctl"), ("wild type", "wild  type"), ("wild type", "wildtype"), ("stra\u00dfe", "STRASSE")],
)
def test_values_that_differ_only_in_case_or_blanks_are_a_warning(tmp_path: Path, first: str, second: str) -> None:
    text = f"sample_name,bam,group,toggle\nx,a.bam,{first},yes\ny,b.bam,{second},Yes\nz,e f.bam,other,YES\n"
    (warning,) = warnings(sheet(tmp_path, text))
    assert "group: values that differ only in case or blanks are different values: " in warning
    assert repr(first) in warning
    assert repr(second) in warning


def test_columns_that_begin_with_an_underscore_are_kept(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,_batch,bam\nx,1,a.bam\n", "sample_modifiers:\n  append: {_lab: here}\n")
    (sample,) = resolve_sheet(path)
    assert sample.attributes == {"_batch": ["1"], "_lab": ["here"]}


def test_columns_that_are_left_out_are_a_warning(tmp_path: Path) -> None:
    text = "id,sample_name,bam,bam_dedup,peaks,summits,\nx,Patient one,gone.bam,a.bam,gone.bed,a.bed,1\n"
    samples, found = read_sheet(sheet(tmp_path, text, "sample_table_index: id\n"), bam="bam_dedup", peaks="summits")
    assert (samples[0].name, list(samples[0].get_columns())) == ("x", ["sample_name", "bam", "peaks"])
    columns = [("sample_name", "id"), ("bam", "bam_dedup"), ("peaks", "summits")]
    for (own, source), problem in zip(columns, found, strict=False):
        assert (problem.severity, problem.kind) == ("warning", "columns")
        assert f"{own!r} is left out, as results call {source!r} so; rename the column to keep it" in problem.text
    assert "samples.csv: column 7 has no name and is left out; name it" in found[3].text
    assert len(found) == 4


def test_names_that_differ_only_in_case_are_a_warning(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nwt,a.bam\nWT,b.bam\n")
    assert len(resolve_sheet(path)) == 2
    (warning,) = warnings(path)
    assert "'WT', 'wt'" in warning


@pytest.mark.parametrize("name", ["c$d", "e f", "i'j", "k#l", "m[n]", "o*p"])
def test_unusual_file_names_are_fine_if_the_file_exists(tmp_path: Path, name: str) -> None:
    assert Path(bams(resolve_sheet(sheet(tmp_path, f"sample_name,bam\nx,{name}.bam\n")))["x"][0]).stem == name


def test_duplicate_names_are_named_with_their_rows(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,a.bam\ny,e f.bam\nx,b.bam\n")
    samples, found = read_sheet(path)
    assert list(bams(samples)) == ["y"]
    assert [(problem.kind, problem.place) for problem in found] == [("names", "'x' (row 1)"), ("names", "'x' (row 3)")]
    assert all("2 rows have this name: 1, 3; names must be unique" in problem.text for problem in found)


def test_a_row_that_stands_twice_is_one_mistake(tmp_path: Path) -> None:
    found = problems(sheet(tmp_path, "sample_name,bam\nx,a.bam\nx,a.bam\n"))
    assert [kind for kind, _, _ in found] == ["names", "names"]


def test_a_file_under_two_names_is_a_problem_of_both(tmp_path: Path) -> None:
    rows = f"x,a.bam\nz,b.bam\ny,{tmp_path}/pep/../pep/a.bam\n"
    samples, found = read_sheet(sheet(tmp_path, f"sample_name,bam\n{rows}"))
    assert list(bams(samples)) == ["z"]
    assert [(problem.kind, problem.place) for problem in found] == [
        ("duplicate bam", "'x' (row 1)"),
        ("duplicate bam", "'y' (row 3)"),
    ]
    assert "bam: also the file of 'y' (row 3)" in found[0].text
    assert "bam: also the file of 'x' (row 1)" in found[1].text


def test_a_file_twice_in_a_sample_is_a_problem(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,several\n", "subsample_table: sub.csv\n")
    path.with_name("sub.csv").write_text("sample_name,bam\nx,a.bam\nx,b.bam\nx,a.bam\n")
    assert problems(path) == [("duplicate bam", "'x' (row 1)", f"bam: given 2 times: {tmp_path}/pep/a.bam")]


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx,a.bam\ny,link.bam\n")
    path.with_name("link.bam").symlink_to("a.bam")
    assert problems(path) == [
        ("duplicate bam", f"'{name}' (row {row})", f"bam: also the file of '{other}' (row {other_row}); {rest}")
        for name, row, other, other_row, rest in (
            ("x", 1, "y", 2, f"a file belongs to one sample: {tmp_path}/pep/a.bam"),
            ("y", 2, "x", 1, f"a file belongs to one sample: {tmp_path}/pep/link.bam"),
        )
    ]


def test_missing_files_are_not_duplicates_and_shared_peaks_are_fine(tmp_path: Path) -> None:
    found = problems(sheet(tmp_path, "sample_name,bam\nx,gone.bam\ny,gone.bam\n"))
    assert [kind for kind, _, _ in found] == ["paths", "paths"]
    assert len(resolve_sheet(sheet(tmp_path, "sample_name,bam,peaks\nx,a.bam,a.bed\ny,b.bam,a.bed\n"))) == 2


@pytest.mark.parametrize(
    ("rows", "kind", "essentials"),
    [
        (",a.bam", "names", ["'' (row 1)", "no name", "'sample_name'"]),
        ("  ,a.bam", "names", ["(row 1)", "no name"]),
        ("x y,a.bam\na/b,b.bam", "names", ["'x y' (row 1)", "'a/b' (row 2)", "A-Z a-z 0-9 . _ -"]),
        ("a;b $(touch x) {MEM},a.bam", "names", ["a;b $(touch x) {MEM}", "A-Z a-z 0-9 . _ -"]),
        ("x\u00e9,a.bam", "names", ["'x\u00e9'", "A-Z a-z 0-9 . _ -"]),
        ("x" * 201 + ",a.bam", "names", ["at most 200"]),
        (".,a.bam\n..,b.bam", "names", ["'.' (row 1)", "'..' (row 2)", "nor be . or .."]),
        ("-x,a.bam\n--out,b.bam", "names", ["'-x' (row 1)", "'--out' (row 2)", "must neither begin with -"]),
        ("region,a.bam", "names", ["must not be called 'region'"]),
        ("x,none.bam\ny,nor.bam", "paths", ["'x' (row 1): bam: no such file", "/none.bam", "'y' (row 2)", "/nor.bam"]),
        ("x,", "paths", ["bam: is empty; give the path"]),
        ("x, ", "paths", ["bam: is empty"]),
        ("x,{id}.bam", "paths", ["{id} was not filled"]),
        ("x,$UNSET_9/a.bam", "paths", ["$UNSET_9 was not filled"]),
        ("x,${UNSET_9}/a.bam", "paths", ["${UNSET_9} was not filled"]),
        ("x,z*.bam", "paths", ["no file matches", "/z*.bam"]),
        ("x,a\tb.bam", "paths", ["a path must not hold a tab or a line break", r"a\tb.bam"]),
        ("x,g{h}.bam", "paths", ["Snakemake takes {h} for a wildcard", "g{h}.bam"]),
        ("x,../pep", "paths", ["a folder, not a file"]),
        ("x,broken.bam", "paths", ["a link to gone.bam, which is not there", "/broken.bam"]),
        ("x,pipe.bam", "paths", ["a device or pipe, not a file"]),
        ("x,a.bam/b.bam", "paths", ["no such file"]),
        ("x," + "n" * 300, "paths", ["File name too long"]),
    ],
)
def test_mistakes_are_named(tmp_path: Path, rows: str, kind: str, essentials: list[str]) -> None:
    path = sheet(tmp_path, f"sample_name,bam\n{rows}\n")
    (tmp_path / "pep" / "broken.bam").symlink_to("gone.bam")
    os.mkfifo(tmp_path / "pep" / "pipe.bam")
    assert {found for found, _, _ in problems(path)} == {kind}
    with pytest.raises(UserError) as error:
        resolve_sheet(path)
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
        resolve_sheet(sheet(tmp_path, "sample_name,reads,note\nx,a.bam,\n"))


def test_a_sample_can_have_several_problems(tmp_path: Path) -> None:
    found = problems(sheet(tmp_path, "sample_name,bam,peaks,toggle\nx y,gone.bam,gone.bed,maybe\n"))
    assert [kind for kind, _, _ in found] == ["toggle", "names", "paths", "paths"]


def test_an_error_lists_the_problems_list_by_kind(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,bam\nx y,a.bam\ng,gone.bam\nz,b.bam\nv w,none.bam\n")
    with pytest.raises(UserError) as error:
        resolve_sheet(path)
    first, *lines = str(error.value).splitlines()
    assert first == f"{path}:"
    assert [line[:16] for line in lines] == [
        "names (2):",
        "  'x y' (row 1):",
        "  'v w' (row 4):",
        "paths (2):",
        "  'g' (row 2): b",
        "  'v w' (row 4):",
    ]


def test_long_lists_are_cut() -> None:
    text = list_by_kind([Problem(f"x{i}", i, "names", "error", "why") for i in range(50)])
    assert text.count("\n") == 22
    assert "names (50):" in text
    assert "… and 30 more" in text


DERIVED_NAMES = "sample_modifiers:\n  derive:\n    attributes: [sample_name]\n    sources:\n      src: 's{group}'\n"


def test_names_can_be_derived(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,group,bam\nsrc,1,a.bam\nsrc,2,b.bam\n", DERIVED_NAMES)
    assert list(bams(resolve_sheet(path))) == ["s1", "s2"]


def test_derived_names_that_collide_are_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path, "sample_name,group,bam\nsrc,1,a.bam\nsrc,1,b.bam\n", DERIVED_NAMES)
    with pytest.raises(UserError, match="'s1' .row 1.: 2 rows have this name: 1, 2"):
        resolve_sheet(path)


def test_the_table_keeps_everything(tmp_path: Path) -> None:
    samples = [
        Sample("x", ["a b.bam", 'c"d.bam'], ["a.bed"], {"note": ["line"]}),
        Sample("y", ["é;$'.bam"], [], {"note": []}),
    ]
    write_samples(samples, tmp_path / "t.tsv")
    assert read_samples(tmp_path / "t.tsv") == samples


def test_the_table_has_peaks_if_the_sheet_has(tmp_path: Path) -> None:
    for peaks, columns in ((None, "sample_name\tbam\tnote\n"), ([], "sample_name\tbam\tpeaks\tnote\n")):
        samples = [Sample("x", ["a.bam"], peaks, {"note": ["1"]})]
        write_samples(samples, tmp_path / "t.tsv")
        assert (tmp_path / "t.tsv").read_text().startswith(columns)
        assert read_samples(tmp_path / "t.tsv") == samples


def test_attributes_that_only_some_samples_have_are_empty_in_the_others(tmp_path: Path) -> None:
    write_samples([Sample("x", ["a"], None, {"note": ["1"]}), Sample("y", ["b"], None, {"age": ["2"]})], tmp_path / "t")
    assert (tmp_path / "t").read_text() == "sample_name\tbam\tnote\tage\nx\ta\t1\t\ny\tb\t\t2\n"


def test_a_line_break_within_a_value_becomes_a_blank(tmp_path: Path) -> None:
    write_samples([Sample("x", ["a"], None, {"note": ["one\r\ntwo", "three"]})], tmp_path / "t.tsv")
    assert read_samples(tmp_path / "t.tsv")[0].attributes["note"] == ["one two", "three"]


def test_the_table_is_rewritten_only_if_it_changes(tmp_path: Path) -> None:
    samples = resolve_sheet(sheet(tmp_path, "sample_name,bam\nx,a.bam\n"))
    out = tmp_path / "samples.tsv"
    write_samples(samples, out)
    first = out.stat()
    write_samples(samples, out)
    assert (out.stat().st_mtime_ns, out.stat().st_ino) == (first.st_mtime_ns, first.st_ino)


def test_names_of_all_attributes_and_amendments_can_be_given(tmp_path: Path) -> None:
    amend = "project_modifiers:\n  amend:\n    small: {sample_table: small.csv}\n"
    path = sheet(tmp_path, "sample_name,bam\n", amend)
    path.with_name("small.csv").write_text("sample_name,reads,summits,use\nx,a.bam,a.bed,1\ny,b.bam,b.bed,0\n")
    write_samples(resolve_sheet(path, ["small"], bam="reads", peaks="summits", toggle="use"), tmp_path / "t.tsv")
    assert (
        tmp_path / "t.tsv"
    ).read_text() == f"sample_name\tbam\tpeaks\tuse\nx\t{path.parent}/a.bam\t{path.parent}/a.bed\t1\n"


def test_a_table_needs_only_names(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("group\tsample_name\none\tx\n\n\ty\n")
    assert read_samples(tmp_path / "t.tsv") == [
        Sample("x", attributes={"group": ["one"]}, files=[]),
        Sample("y", attributes={"group": []}, files=[]),
    ]


@pytest.mark.parametrize(
    ("content", "essential"),
    [
        (b"", "an empty file"),
        (b"name\tbam\nx\ta.bam\n", "expected the columns sample_name, found name, bam"),
        (b"sample_name\tbam\nx\ta.bam\ny\tb.bam\tc\n", "line 3: expected 2 fields as in the header, found 3"),
        (b"sample_name\nx\n..\n", r"line 3: not a valid name: '\.\.'; names may hold only"),
        (b"sample_name\n/x\n", "line 2: not a valid name: '/x'"),
        (b"sample_name\n--out\n", "line 2: not a valid name: '--out'"),
        (b'sample_name\n"x\ny"\n', r"line 3: not a valid name: 'x\\ny'"),
        (b'sample_name\tgroup\nx\t"a\ny\tb\n', "not a table of samples: unexpected end of data"),
        (b'sample_name\tgroup\nx\t"a\ny\t"b\n', "not a table of samples: '\t' expected after"),
        (b'sample_name\tgroup\nx\t"a\ny\tb"\nz\tc\n', r"line 3: a quote around several fields: 'a\\ny\\tb'; run"),
        (b"bam\tsample_name\na.bam\n", "line 2: expected 2 fields as in the header, found 1"),
        (b"sample_name\n\xff\n", "not a table of samples"),
        (b"sample_name\n" + b"x" * 200_000, "not a table of samples"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, content: bytes, essential: str) -> None:
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(UserError, match=essential) as error:
        read_samples(tmp_path / "t.tsv")
    assert str(error.value).startswith(f"{tmp_path}/t.tsv: ")


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a table of samples"):
        read_samples(tmp_path / "gone.tsv")


def test_problems_become_a_table(tmp_path: Path) -> None:
    path = tmp_path / "problems.tsv"
    write_problems(
        [Problem("x", 3, "names", "error", "two\n  lines"), Problem("", None, "peaks", "error", "tab\there")], path
    )
    assert path.read_text() == "sample_name\trow\tkind\tproblem\nx\t3\tnames\ttwo lines\n\t\tpeaks\ttab here\n"
    assert read_problems(path) == [
        {"sample_name": "x", "row": "3", "kind": "names", "problem": "two lines"},
        {"sample_name": "", "row": "", "kind": "peaks", "problem": "tab here"},
    ]
    first = path.stat().st_mtime_ns
    write_problems(
        [Problem("x", 3, "names", "error", "two lines"), Problem("", None, "peaks", "error", "tab here")], path
    )
    assert path.stat().st_mtime_ns == first
    write_problems([], path)
    assert path.read_text() == "sample_name\trow\tkind\tproblem\n"
    assert read_problems(path) == read_problems(tmp_path / "gone.tsv") == []


def test_another_table_of_problems_is_refused(tmp_path: Path) -> None:
    (tmp_path / "problems.tsv").write_text("sample\tkind\treason\n")
    with pytest.raises(UserError, match="expected the columns sample_name, row, kind, problem"):
        read_problems(tmp_path / "problems.tsv")


@pytest.mark.parametrize(
    ("sample", "row", "expected"),
    [("x", 3, "'x' (row 3): why"), ("", 3, "'' (row 3): why"), ("x", None, "'x': why"), ("", None, "why")],
)
def test_messages_name_a_sample_and_its_row(sample: str, row: int | None, expected: str) -> None:
    assert str(Problem(sample, row, "names", "error", "why")) == expected


def test_paths_of_the_configuration_are_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HERE", "h")
    (tmp_path / "a$b").touch()
    filled = {
        "x": "x",
        "~/x": f"{tmp_path}/x",
        "$HERE/x": "h/x",
        "~/${HERE}x": f"{tmp_path}/hx",
        "~/a$b": f"{tmp_path}/a$b",
    }
    assert {path: fill_path(path) for path in filled} == filled
    with pytest.raises(UserError, match=r"^\$UNSET_9 is not set, or write the path without it: \$UNSET_9/x$"):
        fill_path("$UNSET_9/x")
