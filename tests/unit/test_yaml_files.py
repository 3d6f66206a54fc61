"""YAML is read strictly: of a key that stands twice, no one of the two is lost in silence."""

from pathlib import Path

import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.sheets.pep import read_pep
from divvy_coverage.sheets.yaml_files import read_yaml


def read(folder: Path, text: str, name: str = "c.yaml") -> object:
    (folder / name).write_text(text)
    return read_yaml(folder / name)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("counting:\n  unit: reads\nx: 1\ncounting:\n  min_mapq: 3\n", ["'counting' in line 1 and in line 4"]),
        ("regions:\n  a: {bed: x}\n  b: {bed: y}\n  a: {bed: z}\n", ["'a' in line 2 and in line 4"]),
        ("regions:\n  a: {bed: x, contigs: c, bed: y}\n", ["'bed' in line 2 and in line 2"]),
        ('a: 1\n"a": 2\n', ["'a' in line 1 and in line 2"]),
        ('5: 1\n"5": 2\n', ["'5' in line 1 and in line 2"]),
        ("a: 1\na: 1\na: 1\n", ["'a' in line 1 and in line 2", "'a' in line 1 and in line 3"]),
        ("- {x: 1}\n- y: 1\n  y: 2\n", ["'y' in line 2 and in line 3"]),
        ("a: &a\n  x: 1\n  x: 2\nb: *a\nc: {<<: *a}\n", ["'x' in line 2 and in line 3"]),
        ('{"a": {\n\t"x": 1,\n\t"x": 2\n}}', ["'x' in line 2 and in line 3"]),
        ("? {k: 1, k: 2}\n: 1\n", ["'k' in line 1 and in line 1"]),
        ("b: {z: 1,\n z: 2}\na: 1\na: 2\n", ["'z' in line 1 and in line 2", "'a' in line 3 and in line 4"]),
    ],
)
def test_a_key_that_stands_twice_is_an_error_with_both_lines(tmp_path: Path, text: str, found: list[str]) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    first, *lines, last = str(error.value).splitlines()
    assert first.startswith(f"{tmp_path}/c.yaml: keys that stand twice")
    assert [line.strip() for line in lines] == found
    assert last == "join what belongs together, and remove the rest"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", None),
        ("\ufeffa: 1\nb: [{a: 1}, {a: 2}]\n", {"a": 1, "b": [{"a": 1}, {"a": 2}]}),
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n", {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}),
        ("A: 1\na: 2\n", {"A": 1, "a": 2}),
        ("1: a\n1.0e+0: b\n", {1: "b"}),
        ('\t{\n\t"a": "x y",\t"b": [\t]}', {"a": "x y", "b": []}),
        ("a: 'x\ty'\n", {"a": "x\ty"}),
    ],
)
def test_other_files_are_read_as_they_are(tmp_path: Path, text: str, content: object) -> None:
    assert read(tmp_path, text) == content


SOURCES = "sample_modifiers:\n  derive:\n    attributes: [bam]\n    sources:\n      s: '{sample_name}.bam'\n"


@pytest.mark.parametrize(
    ("pep", "part", "essential"),
    [
        (SOURCES + "      s: 'other/{sample_name}.bam'\n", "", "pep.yaml: keys that stand twice"),
        ("sample_table: other.csv\n", "", "'sample_table' in line 2 and in line 3"),
        ("project_modifiers: {import: [part.yaml]}\n", "sample_modifiers: {append: {a: 1, a: 2}}\n", "part.yaml: keys"),
        (
            "project_modifiers: {amend: {x: {sample_table: a}, x: {sample_table: b}}}\n",
            "",
            "'x' in line 3 and in line 3",
        ),
    ],
)
def test_a_pep_must_not_have_a_key_twice(tmp_path: Path, pep: str, part: str, essential: str) -> None:
    (tmp_path / "s.csv").write_text("sample_name,bam\nx,s\n")
    (tmp_path / "part.yaml").write_text(part)
    (tmp_path / "pep.yaml").write_text("pep_version: 2.1.0\nsample_table: s.csv\n" + pep)
    with pytest.raises(UserError, match=essential):
        read_pep(tmp_path / "pep.yaml")
