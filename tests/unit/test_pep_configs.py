"""What would hang or fill the memory when a PEP is read is refused first: pipes, circles of imports, aliases."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.samples import read_samples
from divvy_coverage.sheets.pep import read_pep
from helpers import command, refuse, resolve_sheet, write_bam

SECONDS = 30  # far more than a refusal takes
TABLE = "sample_name,bam\nx,a.bam\n"
HEAD = "pep_version: 2.1.0\nsample_table: samples.csv\n"
LEVELS = "bcdefghi"


def give_up(*_: object) -> None:
    raise TimeoutError(f"not refused within {SECONDS} seconds")


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """Let a test fail that takes too long."""
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def write(folder: Path, **texts: str) -> Path:
    """Write files (a__csv is a.csv), and a sample table; return the path of the configuration, pep.yaml."""
    for name, text in {"samples__csv": TABLE, **texts}.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder / "pep.yaml"


def refused(pep: Path, *essentials: str) -> None:
    with pytest.raises(UserError) as error:
        resolve_sheet(pep)
    for essential in essentials:
        assert essential in str(error.value)


@pytest.mark.parametrize("name", ["sheet.csv", "pep.yaml"])
def test_a_pipe_is_no_sheet(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    refused(tmp_path / name, f"{name}: a pipe or a device", "a PEP (YAML) or a sample sheet")


@pytest.mark.parametrize(
    "config",
    [
        "sample_table: pipe.csv\n",
        HEAD + "subsample_table: pipe.csv\n",
        HEAD + "subsample_table: [samples.csv, $HERE/pipe.csv]\n",
        HEAD + "project_modifiers: {amend: {other: {sample_table: pipe.csv}}}\n",
        HEAD + "project_modifiers: {import: [pipe.csv]}\n",
        HEAD + "project_modifiers: {import: [part.yaml]}\n",
    ],
)
def test_a_pipe_is_no_part_of_a_pep(tmp_path: Path, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", str(tmp_path))
    os.mkfifo(tmp_path / "pipe.csv")
    refused(
        write(tmp_path, pep__yaml=config, part__yaml="sample_table: pipe.csv\n"), "pipe.csv: expected a file", "a pipe"
    )


def test_a_pipe_is_no_table_of_samples(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: expected a table, found a pipe or a device"):
        read_samples(tmp_path / "pipe")


def test_a_pipe_is_no_region_set(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: expected a file, found a pipe or a device; give the path of a file"):
        read_regions(tmp_path / "pipe")


@pytest.mark.parametrize("option", ["--bam", "--regions", "--tss"])
def test_counting_does_not_wait_for_a_pipe(tmp_path: Path, option: str) -> None:
    write_bam(tmp_path / "a.bam", {"chr1": 1000}, [])
    (tmp_path / "r.bed").write_text("chr1\t0\t10\n")
    os.mkfifo(tmp_path / "pipe")
    options = {"--bam": "a.bam", "--regions": "r.bed", "--out": "a.npy", "--stats": "a.json"} | {option: "pipe"}
    words = [word for pair in options.items() for word in pair]
    done = command("python", "-m", "divvy_coverage", "measure_coverage", *words, folder=tmp_path, timeout=60)
    refuse(done, "error: pipe: expected", "found a pipe or a device")
    assert not (tmp_path / "a.npy").exists()


def test_what_imports_itself_is_refused_with_the_circle(tmp_path: Path) -> None:
    pep = write(
        tmp_path,
        pep__yaml=HEAD + "project_modifiers: {import: [one.yaml]}\n",
        one__yaml="project_modifiers: {import: [two.yaml]}\n",
        two__yaml="project_modifiers: {import: [here/one.yaml]}\n",
    )
    (tmp_path / "here").symlink_to(tmp_path)
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    refused(pep, "is imported in a circle", f"{two} imports {one}")


def test_a_circle_through_a_link_is_one(tmp_path: Path) -> None:
    pep = write(tmp_path, pep__yaml=HEAD + "project_modifiers: {import: [link.yaml]}\n")
    (tmp_path / "link.yaml").symlink_to(pep)
    refused(pep, f"{pep} imports {pep}", "remove one of these imports")


def test_imports_that_multiply_are_refused(tmp_path: Path) -> None:
    parts = {
        f"part{n}__yaml": f"project_modifiers: {{import: [part{n + 1}.yaml, part{n + 1}.yaml]}}\n" for n in range(40)
    }
    refused(write(tmp_path, pep__yaml=HEAD + "project_modifiers: {import: [part0.yaml]}\n", **parts), "more than 100")


def test_the_same_part_may_be_imported_twice(tmp_path: Path) -> None:
    pep = write(
        tmp_path,
        pep__yaml=HEAD + "project_modifiers: {import: [one.yaml, two.yaml]}\n",
        one__yaml="project_modifiers: {import: [part.yaml]}\n",
        two__yaml="project_modifiers: {import: [part.yaml]}\n",
        part__yaml="sample_modifiers: {append: {group: g}}\n",
    )
    assert [row.attributes["group"] for row in read_pep(pep).rows] == [["g"]]


def multiply(alias: str) -> str:
    """Return YAML whose aliases stand for a billion values; `alias` uses those of the level below, called {0}."""
    levels = "".join(f"{level}: &{level} {alias.format(chr(ord(level) - 1))}\n" for level in LEVELS)
    return "a: &a {x: 1}\n" + levels


@pytest.mark.parametrize(
    "alias",
    [
        "[*{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}]",
        "{{<<: [*{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}, *{0}]}}",
    ],
    ids=["lists", "merged mappings"],
)
@pytest.mark.parametrize("imported", [False, True], ids=["at the top", "imported"])
def test_aliases_that_multiply_are_refused(tmp_path: Path, alias: str, imported: bool) -> None:
    bomb = multiply(alias)
    pep = write(tmp_path, pep__yaml=HEAD + "project_modifiers: {import: [part.yaml]}\n", part__yaml=bomb)
    if not imported:
        pep.write_text(HEAD + bomb)
    name = "part.yaml" if imported else "pep.yaml"
    refused(pep, f"{name}: its aliases stand for more than 1,000,000 values", "write out what is meant")


def test_aliases_may_be_used_as_they_are_meant(tmp_path: Path) -> None:
    text = "modifiers: &one {append: {group: g}}\nsample_modifiers: {<<: *one}\n"
    assert [row.attributes["group"] for row in read_pep(write(tmp_path, pep__yaml=HEAD + text)).rows] == [["g"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]\n", "its aliases stand for more than"),
        ("deep: " + "[" * 900 + "]" * 900, "is nested too deeply"),
        ("date: 2024-13-45\n", "is not valid YAML: month must be in 1..12"),
        (f"number: {'9' * 5000}\n", "is not valid YAML: Exceeds the limit"),
    ],
    ids=["within itself", "nested", "a date", "a number"],
)
def test_what_yaml_cannot_hold(tmp_path: Path, text: str, said: str) -> None:
    refused(write(tmp_path, pep__yaml=HEAD + text), "pep.yaml: ", said)
