"""All checks of the inputs together: what stops a run, what excludes a sample, and what is written."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pysam
import pytest

import preflight
from divvy_coverage.alignments.headers import Header
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.inputs import read_inputs
from divvy_coverage.counting.options import SETTINGS
from divvy_coverage.errors import UserError
from divvy_coverage.preflight import filters
from divvy_coverage.preflight.checks import CheckedInputs, check_inputs
from divvy_coverage.preflight.folders import Folders
from divvy_coverage.problems import read_problems
from helpers import CLONE, command, succeed, write_bam, write_sheet

CONTIGS = {"chr1": 10_000}
PEAKS = {"a": "chr1\t100\t200\n", "b": "chr1\t150\t300\n", "c": "chr1\t5000\t5100\n"}
CONSENSUS = {"source": "peaks", "extension": 250, "min_samples": 1, "group": ""}
FOLDERS = Folders(Path("plan"), Path("results"), Path("cache"))
TABLES = ("samples.tsv", "excluded_samples.tsv", "warnings.tsv")

Run = Callable[..., CheckedInputs]


@pytest.fixture(scope="module")
def bam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BAM file with one contig."""
    path = tmp_path_factory.mktemp("bam") / "sound.bam"
    write_bam(path, CONTIGS, [("r", 0, "chr1", 5, "50M", 60)])
    return path


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Check the samples a, b and c with their peaks, over given regions; keywords change the configuration."""
    monkeypatch.chdir(tmp_path)
    for name, lines in PEAKS.items():
        write_bam(Path(f"{name}.bam"), CONTIGS, [(name, 0, "chr1", 5, "50M", 60)])
        Path(f"{name}.bed").write_text(lines)
    Path("regions.bed").write_text("chr1\t0\t1000\n")
    sheet("abc")

    def run(permissive: bool = False, **region_sets: dict[str, Any]) -> CheckedInputs:
        shutil.rmtree("plan", ignore_errors=True)
        return check_inputs(config(permissive, region_sets or {"given": {"bed": "regions.bed"}}), FOLDERS)

    return run


def config(permissive: bool, region_sets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    defaults = {"bed": "", "consensus": CONSENSUS, "blacklist": "", "contigs": ""}
    return {
        "pep": "samples.csv",
        "amendments": [],
        "samples": {"bam": "bam", "peaks": "peaks", "toggle": "toggle", "label": "label"},
        "permissive": permissive,
        "absent_contigs": "error",
        "regions": {name: defaults | settings for name, settings in region_sets.items()},
        "assay": "atac",
        "blacklist": "",
        "counting": {"unit": "auto"} | dict.fromkeys(SETTINGS[1:]),
        "statistics": {"mitochondrial_contigs": None, "tss": ""},
        "reference": "",
        "matrix": {"library_size": "usable", "normalization": "log2cpm"},
    }


def sheet(names: Sequence[str], column: str = "peaks") -> None:
    write_sheet(Path("samples.csv"), [{"sample_name": n, "bam": f"{n}.bam", column: f"{n}.bed"} for n in names])


def excluded() -> list[tuple[str, str, str]]:
    """Return sample, row and kind of each row of the table of excluded samples."""
    return [(row["sample_name"], row["row"], row["kind"]) for row in read_problems(Path("plan/excluded_samples.tsv"))]


def test_sound_inputs_give_the_tables_that_jobs_read(check: Run) -> None:
    checked = check()
    assert [sample.name for sample in checked.samples] == ["a", "b", "c"]
    assert (checked.errors, checked.warnings, checked.list_messages(Path("results"))) == ([], [], [])
    assert Path("plan/samples.tsv").read_text().splitlines()[:2] == ["sample_name\tbam\tpeaks", "a\ta.bam\ta.bed"]
    assert Path("plan/warnings.tsv").read_text() == "sample_name\trow\tkind\tproblem\n"
    assert not Path("plan/excluded_samples.tsv").exists()
    assert Path("plan/regions/given.bed").read_text() == "chr1\t0\t1000\n"


def test_an_empty_column_of_peaks_stays_in_the_table(check: Run) -> None:
    for name in PEAKS:
        Path(f"{name}.bed").unlink()
    write_sheet(Path("samples.csv"), [{"sample_name": "a", "bam": "a.bam", "peaks": "", "group": "x"}])
    check()
    assert Path("plan/samples.tsv").read_text() == "sample_name\tbam\tpeaks\tgroup\na\ta.bam\t\tx\n"


def start() -> None:
    """Put the plan into the results, as a run does when it starts."""
    shutil.rmtree("results", ignore_errors=True)
    shutil.copytree("plan", "results")


def test_the_same_inputs_give_the_same_plan_and_nothing_is_changed_in_the_results(check: Run) -> None:
    Path("b.bam").unlink()
    Path("regions.bed").write_text("chr1\t0\t1000\n" * 2)
    sets = {"given": {"bed": "regions.bed"}, "made": {}}

    def contents() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path("plan").rglob("*") if path.is_file()}

    differing = check(permissive=True, **sets).differing
    assert not Path("results").exists()
    first = contents()
    assert first.keys() == {
        *(
            *TABLES,
            "inputs.json",
            "summarize.json",
            "normalize.json",
            "given.npz",
            "given.bed",
            "made.npz",
            "made.bed",
            "made.support.parquet",
        )
    }
    assert {Path(name).name for name in differing} == first.keys() - {"excluded_samples.tsv"}
    start()
    assert check(permissive=True, **sets).differing == []
    assert contents() == first


@pytest.mark.parametrize(
    ("name", "differing"),
    [
        ("samples.tsv", "samples.tsv"),
        ("excluded_samples.tsv", "samples.tsv"),  # who writes one writes the other
        ("warnings.tsv", "warnings.tsv"),
        ("regions/made.npz", "regions/made.npz"),
        ("regions/made.bed", "regions/made.bed"),
        ("regions/made.support.parquet", "regions/made.support.parquet"),
    ],
)
def test_a_result_that_is_edited_lost_or_too_much_is_told_by_its_content(check: Run, name: str, differing: str) -> None:
    check(made={})
    start()
    Path("results", name).write_bytes(b"chr1\t0\t1\n")
    assert check(made={}).differing == [differing]
    Path("results", name).unlink()
    assert check(made={}).differing == ([] if name == "excluded_samples.tsv" else [differing])


def break_four_samples(bam: Path) -> None:
    """Give samples mistakes that are found at different stages; `c` and `f` are sound."""
    Path("a.bam").write_bytes(bam.read_bytes()[:-28])
    Path("b.bam").unlink()
    write_bam(Path("d.bam"), {"1": 10_000}, [])
    for name in "ef":
        write_bam(Path(f"{name}.bam"), CONTIGS, [(name, 0, "chr1", 5, "50M", 60)])
    names = {"a": "a", "b": "b", "d": "d", "h h": "e", "c": "c", "f": "f"}
    write_sheet(Path("samples.csv"), [{"sample_name": name, "bam": f"{file}.bam"} for name, file in names.items()])


def test_all_errors_are_listed_by_kind_and_nothing_is_started(check: Run, bam: Path) -> None:
    break_four_samples(bam)
    with pytest.raises(UserError) as error:
        check()
    first, *lines = str(error.value).splitlines()
    assert "4 problems with 4 samples" in first
    assert "`permissive: true`" in first
    assert [line for line in lines if not line.startswith(" ")] == [
        "names (1):",
        "paths (1):",
        "alignment files (1):",
        "genome (1):",
    ]
    for place in ("'h h' (row 4)", "'b' (row 2)", "'a' (row 1)", "'d' (row 3)"):
        assert f"\n  {place}: " in str(error.value)
    assert not any(Path("plan", name).exists() for name in TABLES)


def test_permissive_excludes_samples_and_lists_them_by_their_names(check: Run, bam: Path) -> None:
    break_four_samples(bam)
    checked = check(permissive=True)
    assert [sample.name for sample in checked.samples] == ["c", "f"]
    expected = [("h h", "4", "names"), ("b", "2", "paths"), ("a", "1", "alignment files"), ("d", "3", "genome")]
    assert excluded() == expected
    (message,) = checked.list_messages(Path("results"))
    assert message.startswith("4 samples excluded, 2 remain; results/excluded_samples.tsv")
    assert "'d' (row 3): d.bam" in message
    assert read_problems(Path("plan/warnings.tsv")) == []
    sheet("c")
    check(permissive=True)
    assert not Path("plan/excluded_samples.tsv").exists()


def test_permissive_stops_if_no_sample_is_left(check: Run) -> None:
    sheet(["gone", "nor"])
    with pytest.raises(UserError, match=r"every sample has a problem, so none is left[\s\S]*gone\.bam"):
        check(permissive=True)


def test_a_sample_that_is_excluded_for_its_peaks_has_no_part_in_other_region_sets(check: Run) -> None:
    Path("b.bed").write_text("chr1\t10\t5\n")
    checked = check(permissive=True, given={"bed": "regions.bed"}, made={})
    assert [sample.name for sample in checked.samples] == ["a", "c"]
    assert excluded() == [("b", "2", "peaks")]
    assert Path("plan/regions/made.bed").read_text() == "chr1\t100\t200\nchr1\t5000\t5100\n"


@pytest.mark.parametrize("permissive", [False, True])
def test_what_is_wrong_with_all_region_sets_is_told_at_once_and_never_excludes_samples(
    check: Run, permissive: bool
) -> None:
    Path("b.bam").unlink()
    Path("bad.bed").write_text("chr1\t5\t5\nchr1\t6\t5\n")
    with pytest.raises(UserError) as error:
        check(
            permissive,
            gone={"bed": "gone.bed"},
            bad={"bed": "bad.bed"},
            few={"consensus": CONSENSUS | {"min_samples": 3}},
        )
    message = str(error.value)
    for essential in (
        "4 problems",
        "regions (3)",
        "gone.bed: cannot be read",
        "bad.bed: expected",
        "line 2: start > end",
        "regions.few: min",
    ):
        assert essential in message
    assert "permissive" not in message  # it would not help
    assert "\n      line 1: " in message  # below the problem that it belongs to
    assert not Path("plan/samples.tsv").exists()


def test_filters_that_would_count_nothing_stop_a_run_and_exclude_no_sample(check: Run) -> None:
    settings = config(True, {"given": {"bed": "regions.bed"}})
    settings["counting"] |= {"require_flags": 0x400, "exclude_flags": 0x400, "shift": [4, -5]}
    with pytest.raises(UserError, match=r"counting \(1\):\n  counting\.require_flags: 1024 has flags \(1024: dup"):
        check_inputs(settings, FOLDERS)
    assert not Path("plan/samples.tsv").exists()


@pytest.mark.parametrize(
    ("row", "essential"),
    [
        ("chr2\t0\t10", "lacks 1 of the region set's contigs: chr2"),
        ("1\t0\t10", "the regions lack the prefix 'chr'"),
        ("chr1\t20000\t20010", "another genome build"),
    ],
)
def test_regions_of_another_genome_are_a_problem_of_each_sample(check: Run, row: str, essential: str) -> None:
    Path("regions.bed").write_text(f"{row}\n")
    with pytest.raises(UserError) as error:
        check()
    assert "3 problems with 3 samples" in str(error.value)
    assert "\nregions (3):\n  'a' (row 1): a.bam: " in str(error.value)
    assert str(error.value).count(essential) == 3


@pytest.mark.parametrize(
    ("content", "essentials"),
    [
        ("", ["at least one peak"]),
        ("chr1\t10\t5\n", ["line 1", "start > end"]),
        ("chr1\t10\n", ["line 1"]),
    ],
)
def test_peak_files_that_cannot_be_used(check: Run, content: str, essentials: list[str]) -> None:
    Path("b.bed").write_text(content)
    with pytest.raises(UserError) as error:
        check(made={})
    for essential in ("peaks (1)", "'b' (row 2): b.bed: ", *essentials):
        assert essential in str(error.value)


def test_whole_peaks_have_no_summits(check: Run) -> None:
    with pytest.raises(UserError, match=r"peaks \(3\):\n  'a' \(row 1\): a\.bed: [\s\S]*set source: peaks"):
        check(made={"consensus": CONSENSUS | {"source": "summits"}})


def test_one_file_under_two_names(check: Run) -> None:
    write_sheet(Path("samples.csv"), [{"sample_name": name, "bam": "a.bam"} for name in ("one", "two")])
    with pytest.raises(UserError) as error:
        check()
    for essential in ("duplicate bam (2)", "'one' (row 1)", "'two' (row 2)", "a.bam"):
        assert essential in str(error.value)


def test_all_bad_samples_are_named(check: Run) -> None:
    names = [f"gone_{i}" for i in range(5)]
    sheet(names)
    with pytest.raises(UserError) as error:
        check()
    for essential in (*names, "no such file", "10 problems with 5 samples"):
        assert essential in str(error.value)


def test_warnings_are_rows_of_a_table_and_stop_nothing(check: Run) -> None:
    Path("regions.bed").write_text("chr1\t0\t20000\nchr1\t0\t20000\n")
    sheet("abc", "Peaks")
    checked = check(given={"bed": "regions.bed"})
    assert len(checked.samples) == 3
    rows = read_problems(Path("plan/warnings.tsv"))
    assert [(row["sample_name"], row["row"], row["kind"]) for row in rows] == [
        ("", "", "columns"),
        ("", "", "regions"),
        ("", "", "regions"),
    ]
    assert "'Peaks' is not 'peaks'" in rows[0]["problem"]
    assert "1 exact duplicates" in rows[1]["problem"]
    assert rows[2]["problem"].startswith("3 samples (a, b, c): 1 regions end beyond")
    assert [warning.text for warning in checked.warnings] == [row["problem"] for row in rows]
    assert checked.list_messages(Path("results")) == [row["problem"] for row in rows]


def test_warnings_of_a_consensus_are_kept_also_if_it_is_not_made_anew(
    check: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sheet(
        Path("samples.csv"), [{"sample_name": n, "bam": f"{n}.bam", "peaks": "a.bed" * (n == "a")} for n in "abc"]
    )
    first = check(made={}).warnings
    start()
    assert [warning.kind for warning in first] == ["peaks"]
    assert "2 of 3 samples have no peaks" in first[0].text
    with monkeypatch.context() as patch:
        patch.setattr("divvy_coverage.peaks.sample_peaks.read_sample_peaks", None)  # nothing is read again
        assert check(made={}).warnings == first
    Path("cache/made.consensus.json").write_text('{"warnings": ["old"]}')
    assert check(made={}).warnings == first


@pytest.mark.parametrize("name", ["made", "given"])
def test_a_blacklist_with_other_names_of_contigs_is_an_error(check: Run, name: str) -> None:
    Path("blacklist.bed").write_text("1\t0\t10\n")
    settings = {"blacklist": "blacklist.bed", "bed": "regions.bed" * (name == "given")}
    with pytest.raises(
        UserError, match=r"blacklist\.bed: none of the contigs of the blacklisted regions \(1\).* lack the prefix 'chr'"
    ):
        check(**{name: settings})


def test_regions_of_both_kinds_are_selected_by_contigs_and_blacklist(check: Run) -> None:
    Path("regions.bed").write_text("chr1\t0\t1000\nchr1\t1000\t1010\nchr1\t2000\t2010\n")
    Path("blacklist.bed").write_text("chr1\t999\t1000\n")
    checked = check(given={"bed": "regions.bed", "blacklist": "blacklist.bed"})
    assert Path("plan/regions/given.bed").read_text() == "chr1\t1000\t1010\nchr1\t2000\t2010\n"
    assert [warning.text for warning in checked.warnings] == [
        "regions.bed: 1 regions were removed, by contigs or a blacklist; 2 regions remain"
    ]
    settings = config(False, {"given": {"bed": "regions.bed"}}) | {"blacklist": "blacklist.bed"}
    check_inputs(settings, FOLDERS)
    assert Path("plan/regions/given.bed").read_text() == "chr1\t1000\t1010\nchr1\t2000\t2010\n"
    with pytest.raises(UserError, match=r"regions\.given: .*found none of 3; change contigs"):
        check(given={"bed": "regions.bed", "contigs": "chr[2-9]"})


def pair(name: str) -> None:
    """Make a sample paired-end."""
    mates = [(name, 99, "chr1", 100, "50M", 60), (name, 147, "chr1", 200, "50M", 60)]
    write_bam(Path(f"{name}.bam"), CONTIGS, mates, mates=True)


def count(**settings: Any) -> CheckedInputs:
    """Check the inputs with settings of counting, and of the assay."""
    whole = config(False, {"given": {"bed": "regions.bed"}})
    whole["assay"] = settings.pop("assay", "atac")
    whole["counting"] |= settings
    return check_inputs(whole, FOLDERS)


def test_what_is_counted_follows_the_assay_and_the_files(check: Run) -> None:
    assert count().counting.unit == "insertions"
    assert count(assay="chip").counting.unit == "reads"
    for name in "abc":
        pair(name)
    atac, cutandrun = count().counting, count(assay="cutandrun", min_mapq=5).counting
    assert (atac.unit, atac.min_mapq, atac.exclude_flags, atac.fragment_length) == ("fragments", 30, 3844, (0, 2000))
    assert "chrM" in atac.exclude_contigs
    assert (cutandrun.unit, cutandrun.min_mapq, cutandrun.exclude_flags) == ("fragments", 5, 2820)
    assert read_inputs(Path("plan/inputs.json")).counting == cutandrun.describe() | {"blacklist": None}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"unit": "fragments"}, "unit: fragments are made of both mates of a pair, but the alignments are single-end"),
        (
            {"fragment_length": [0, 100]},
            "fragment_length: applies to the units fragments and paired_insertions, not to",
        ),
        ({"unit": "insertions", "extend": 200}, "extend: applies to the unit reads, not to insertions"),
        ({"assay": "chip", "shift": [4, -5]}, "shift: moves insertions, but reads are counted"),
        ({"exclude_contigs": ["chrM"]}, "exclude_contigs: no file has chrM; the files have chr1"),
        ({"unit": "reads", "require_flags": 4}, "require_flags: 4 has flags (4: unmapped) that exclude_flags"),
    ],
)
def test_settings_that_cannot_apply_are_errors(check: Run, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError) as error:
        count(**settings)
    assert f"counting.{problem}" in str(error.value)


def test_single_and_paired_end_samples_are_not_counted_together(check: Run) -> None:
    pair("b")
    with pytest.raises(UserError) as error:
        count()
    lines = [line for line in str(error.value).splitlines() if "single-end" in line]
    assert [line.split()[0].strip("'") for line in lines] == ["a", "c"], lines
    assert "1 samples (b) are paired-end" in lines[0]
    assert count(unit="reads").counting.unit == "reads"
    with pytest.raises(UserError, match="extend: is for single-end reads, but the alignments are paired-end"):
        count(unit="reads", extend=100)


def test_an_error_lists_the_warnings_too(check: Run) -> None:
    Path("b.bam").unlink()
    sheet("abc", "Peaks")
    with pytest.raises(UserError) as error:
        check()
    assert str(error.value).splitlines()[-1].startswith("warning: samples.csv: 'Peaks' is not 'peaks'")


@pytest.mark.parametrize("lost", ["made.npz", "made.bed", "made.support.parquet", "cache"])
def test_what_is_lost_of_a_consensus_is_made_again(check: Run, lost: str) -> None:
    def read() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path("plan/regions").iterdir()}

    check(made={})
    made = read()
    assert made.keys() == {"made.npz", "made.bed", "made.support.parquet"}
    start()
    if lost == "cache":
        shutil.rmtree(lost)
    else:
        Path("results/regions", lost).unlink()
    check(made={})
    assert read() == made


def test_a_consensus_keeps_only_the_contigs_that_are_wanted(check: Run) -> None:
    with pytest.raises(UserError, match=r"regions\.made: contigs: expected an expression .* which have chr1"):
        check(made={"contigs": "[0-9]+"})
    check(made={"contigs": "chr[0-9]+"})
    assert Path("plan/regions/made.bed").read_text() == "chr1\t100\t300\nchr1\t5000\t5100\n"


def test_peaks_that_the_configuration_does_not_name_are_not_used(check: Run) -> None:
    settings = config(False, {"made": {}})
    settings["samples"]["peaks"] = ""
    with pytest.raises(UserError, match=r"regions\.made: no sample has peaks to make regions of"):
        check_inputs(settings, FOLDERS)


def test_the_command_line_prints_each_warning_on_a_line(check: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("regions.bed").write_text("chr1\t0\t20000\nchr1\t0\t20000\n")
    Path("config.json").write_text(json.dumps(config(False, {"given": {"bed": "regions.bed"}})))
    words = ["--config", "config.json", "--plan", "plan", "--results", "results", "--cache", "cache"]
    preflight.main(words)
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.partition(": ")[0] for line in said.err.splitlines()] == ["warning", "warning"]
    for content in ("{", "[]"):
        Path("config.json").write_text(content)
        with pytest.raises(UserError, match=r"config\.json: expected a configuration as JSON"):
            preflight.main(words)


def test_a_plain_table_and_given_regions_are_checked_without_any_large_library(check: Run) -> None:
    """Which take a second of each run's start."""
    Path("config.json").write_text(json.dumps(config(False, {"given": {"bed": "regions.bed"}})))
    words = ["--config", "config.json", "--plan", "plan", "--results", "results", "--cache", "cache"]
    names = ("numba", "pandas", "peppy", "pyarrow", "pysam")
    code = f"import sys, preflight; preflight.main({words}); print([name for name in {names} if name in sys.modules])"
    assert succeed(command(sys.executable, "-c", code, folder=Path(), PYTHONPATH=str(CLONE / "scripts"))) == "[]\n"
    assert Path("plan/samples.tsv").exists()


def change(name: str, alter: Callable[[pysam.AlignedSegment], None]) -> None:
    """Change each alignment of a sample's file."""
    with pysam.AlignmentFile(f"{name}.bam") as file:
        reads, header = list(file), file.header
    with pysam.AlignmentFile(f"{name}.bam", "wb", header=header) as file:
        for read in reads:
            alter(read)
            file.write(read)


@pytest.mark.parametrize(
    ("attribute", "value", "problem"),
    [
        ("next_reference_id", -1, "their mates are on no contig or on another one (RNEXT)"),
        ("next_reference_start", -1, "their mates have no position (PNEXT)"),
    ],
)
def test_proper_pairs_that_cannot_be_any_are_an_error(check: Run, attribute: str, value: int, problem: str) -> None:
    for name in "abc":
        pair(name)
    change("b", lambda read: setattr(read, attribute, value))
    with pytest.raises(UserError) as error:
        check()
    assert f"'b' (row 2): b.bam: its first alignments are proper pairs by their flags (0x2), but {problem}" in str(
        error.value
    )
    assert "samtools fixmate" in str(error.value)
    assert "(1):" in str(error.value)
    assert count(unit="insertions").counting.unit == "insertions"


def test_a_file_with_one_mate_of_each_pair_is_an_error(check: Run) -> None:
    for name in "abc":
        mates = [(f"{name}{n // 2}", (99, 147)[n % 2], "chr1", 100 + n, "50M", 60) for n in range(200)]
        write_bam(Path(f"{name}.bam"), CONTIGS, mates, mates=True)
    check()
    write_bam(Path("b.bam"), CONTIGS, mates, mates=True)
    with pysam.AlignmentFile("c.bam") as file, pysam.AlignmentFile("b.bam", "wb", header=file.header) as out:
        for read in file:
            if read.is_read1:
                out.write(read)
    with pytest.raises(UserError, match=r"b\.bam: .* but none is the other mate of another \(flags 0x40, 0x80\)"):
        check()


def test_a_hard_link_is_the_same_file(check: Run) -> None:
    Path("b.bam").unlink()
    Path("b.bam").hardlink_to("a.bam")
    with pytest.raises(UserError) as error:
        check()
    assert "'a' (row 1): bam: also the file of 'b' (row 2); a file belongs to one sample: a.bam" in str(error.value)
    assert "'b' (row 2): bam: also the file of 'a' (row 1); a file belongs to one sample: b.bam" in str(error.value)


def test_a_file_that_is_seen_through_two_mounts_is_one(check: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root can bind a file to another name with the same device, this one pretends that the device is another."""
    real = os.stat
    Path("b.bam").unlink()
    Path("b.bam").hardlink_to("a.bam")

    def stat(path: Any, *args: Any, **options: Any) -> os.stat_result:
        found = real(path, *args, **options)
        if str(path) != "b.bam":
            return found
        fields = {name: getattr(found, name) for name in dir(found) if name.startswith("st_")}
        return SimpleNamespace(**fields | {"st_dev": found.st_dev + 1})  # type: ignore[return-value]

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(
        UserError, match=r"'b' \(row 2\): b\.bam: is the same file as a\.bam of 'a'; a file belongs to one"
    ):
        check()


def test_copies_are_a_warning(check: Run) -> None:
    for name in "bc":
        shutil.copy("a.bam", f"{name}.bam")
    (warning,) = check().warnings
    assert str(warning) == "files that seem to be copies of a.bam (a): b.bam (b), c.bam (c)"


@pytest.mark.parametrize(
    ("sites", "essentials"),
    [
        (
            "1\t50\t51\ta\t0\t+\n",
            ["none of the contigs of the start sites (1) is in the header", "lack the prefix 'chr'"],
        ),
        ("chr1\t20000\t20001\ta\t0\t-\n", ["1 start sites are beyond the end", "chr1:20000, but chr1 has 10000 bp"]),
        ("chr1\t50\t51\n", ["line 1: no strand + or - in column 6", "give start sites with + or -"]),
        ("", ["expected at least one transcription start site"]),
    ],
)
def test_start_sites_that_do_not_fit_are_an_error(check: Run, sites: str, essentials: list[str]) -> None:
    Path("tss.bed").write_text(sites)
    settings = config(False, {"given": {"bed": "regions.bed"}})
    settings["statistics"]["tss"] = "tss.bed"
    with pytest.raises(UserError) as error:
        check_inputs(settings, FOLDERS)
    for essential in ["1 problem with the inputs", "start sites (1):\n  tss.bed: ", *essentials]:
        assert essential in str(error.value)
    Path("tss.bed").write_text("chr1\t9999\t10000\ta\t0\t+\nchrX\t9\t10\tb\t0\t+\n")
    check_inputs(settings, FOLDERS)


@pytest.mark.parametrize(("section", "name"), [("", "blacklist"), ("statistics", "tss"), ("", "reference")])
def test_other_files_that_are_not_there_are_an_error(check: Run, section: str, name: str) -> None:
    settings = config(False, {"given": {"bed": "regions.bed"}})
    (settings[section] if section else settings)[name] = "gone"
    with pytest.raises(UserError, match=rf"paths \(1\):\n  {section}{'.' * bool(section)}{name}: no such file: gone"):
        check_inputs(settings, FOLDERS)


def test_files_from_the_future_are_an_error(check: Run) -> None:
    """Snakemake takes what is older than its input for damaged."""
    later = time.time() + 3600
    for name in ("a.bam", "b.bed"):
        os.utime(name, (later, later))
    Path("link.bam").symlink_to("c.bam")
    os.utime("link.bam", (later, later), follow_symlinks=False)
    rows = [{"sample_name": n, "bam": "link.bam" if n == "c" else f"{n}.bam", "peaks": f"{n}.bed"} for n in "abc"]
    write_sheet(Path("samples.csv"), rows)
    with pytest.raises(UserError) as error:
        check()
    assert str(error.value).count("changed in the future (") == 3
    assert "so Snakemake would remove what is made of it; `touch` it: a.bam" in str(error.value)


def write_reads(name: str, *kinds: tuple[int, int, str, int]) -> None:
    """Write single-end reads: how many there are, with a flag, on a contig, with a mapping quality."""
    places = [(flag, contig, quality) for number, flag, contig, quality in kinds for _ in range(number)]
    reads = [(f"r{i}", flag, contig, i % 9000, "50M", quality) for i, (flag, contig, quality) in enumerate(places)]
    write_bam(Path(f"{name}.bam"), CONTIGS | {"chrM": 10_000}, reads)


LATE = filters.FEW + 500


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ([(300, 0, "chr1", 42)], "300 have a mapping quality below 43, at most 42"),
        ([(LATE, 0, "chr1", 42)], f"{LATE} have a mapping quality below 43, at most 42"),
        ([(LATE, 0, "chr1", 42), (1, 0, "chr1", 43)], ""),
        ([(1, 0, "chr1", 43), (LATE, 0, "chr1", 42)], ""),
        ([(200, 0x400, "chr1", 60)], "200 have flags that are excluded, or lack some that are required"),
        ([(20, 0x400, "chr1", 60), (3, 0, "chr1", 5)], "3 have a mapping quality below 43, at most 5; 20 have flags"),
        ([(200, 0, "chrM", 60), (100, 0, "chr1", 5)], ""),
        ([(100, 0, "chrM", 60), (200, 0, "chr1", 5)], "200 have a mapping quality below 43, at most 5"),
        ([], ""),
    ],
)
def test_filters_that_keep_nothing_are_a_warning(
    check: Run, kinds: list[tuple[int, int, str, int]], found: str
) -> None:
    write_reads("a", (1, 0, "chr1", 60))
    write_reads("b", *kinds)
    for options in ("-b -o b.bam2", "-h -o b.sam", "-C --output-fmt-option no_ref=1 -o b.cram"):
        file = options.split()[-1]
        pysam.view(*options.split(), "b.bam", catch_stdout=False)
        write_sheet(Path("samples.csv"), [{"sample_name": "a", "bam": "a.bam"}, {"sample_name": "b", "bam": file}])
        warnings = count(min_mapq=43).warnings
        assert [f"is kept of {file} ({found}" in each.text for each in warnings] == ([True] if found else [])
        assert count(min_mapq=43, unit="reads").warnings == warnings
        assert count(min_mapq=0, exclude_flags=4).warnings == []


def test_pairs_that_are_no_proper_ones_are_not_kept(check: Run) -> None:
    for name in "abc":
        pair(name)
    change("b", lambda read: setattr(read, "is_proper_pair", False))
    (warning,) = count(min_mapq=0).warnings
    assert "is kept of b.bam (2 have flags that are excluded, or lack some that are required); if" in warning.text
    assert count(min_mapq=0, unit="insertions").warnings == []


def test_of_a_filter_that_keeps_nothing_of_many_files_a_few_are_named(check: Run) -> None:
    names = [f"s{number}" for number in range(20)]
    for name in names:
        write_reads(name, (3, 0, "chr1", 60))
    write_sheet(Path("samples.csv"), [{"sample_name": name, "bam": f"{name}.bam"} for name in names])
    (warning,) = [each for each in count(min_mapq=255).warnings if each.kind == "counting"]
    assert warning.text.count("3 have a mapping quality below 255, at most 60") == filters.EXAMPLES
    assert "), and maybe others; if that is not meant" in warning.text


def test_files_of_which_something_is_kept_are_not_looked_at_again(check: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def explain(header: Header, counting: Counting, number: int) -> str:
        looked.append(header.path.name)
        return real(header, counting, number)

    real = filters._explain_nothing
    monkeypatch.setattr(filters, "_explain_nothing", explain)
    settings = {"min_mapq": 61}
    write_reads("b", (1, 0, "chr1", 61))
    for expected in (["a.bam", "a.bam", "b.bam", "c.bam", "c.bam"], ["a.bam", "a.bam", "c.bam", "c.bam"]):
        looked.clear()
        count(**settings)
        assert sorted(looked) == expected
    write_reads("b", (1, 0, "chr1", 62))
    looked.clear()
    count(**settings)
    assert "b.bam" in looked
    count(min_mapq=0)
    looked.clear()
    count(min_mapq=0)
    assert looked == []
