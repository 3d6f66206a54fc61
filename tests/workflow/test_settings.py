"""What another configuration makes anew: what depends on it, and nothing else."""

import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from helpers import MATRIX, refuse, snakemake, succeed, tiny_project, write_config

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("settings")]  # which share a run
FORMATS = ["csv.gz", "h5ad"]
REPORT = {"record_run": 1, "make_report": 1}  # of the configuration


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run; its configuration may be changed, but is only planned with."""
    folder = tmp_path_factory.mktemp("complete")
    write_project(folder)
    configure(folder)
    succeed(snakemake(folder, "--cores", "2"))
    return folder


def write_project(folder: Path) -> None:
    tiny_project(folder)
    (folder / "tss.bed").write_text("chr1\t50\t51\ta\t0\t+\n")


def configure(folder: Path, **sections: dict[str, Any]) -> None:
    write_config(
        folder,
        "samples.csv",
        {"peaks": "regions.bed"},
        **sections | {"matrix": {"formats": FORMATS} | sections.get("matrix", {})},
    )


def plan(folder: Path, *targets: str, **sections: dict[str, Any]) -> dict[str, int]:
    """Return how many jobs of each rule are planned with other settings; matrices by their kind."""
    configure(folder, **sections)
    printed = succeed(snakemake(folder, *targets, "--cores", "2", "--dry-run"))
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", printed, re.MULTILINE)
    kinds = [re.search("kind=(raw|norm)", block) for _, block in blocks]
    names = [f"{rule} {kind[1]}" if kind else rule for (rule, _), kind in zip(blocks, kinds, strict=True)]
    return {name: number for name, number in Counter(names).items() if name != "all"}


def test_the_same_settings_plan_nothing(complete: Path) -> None:
    assert plan(complete) == {}


@pytest.mark.parametrize("method", ["cpm", "median_of_ratios", "tmm", "quantile"])
def test_another_normalization_makes_nothing_anew_of_the_counts(complete: Path, method: str) -> None:
    planned = plan(complete, matrix={"normalization": method})
    assert planned == REPORT | {"fix_settings": 1, "compare_samples": 1, "collect_coverage norm": len(FORMATS)}


@pytest.mark.parametrize(
    ("section", "setting", "first"),
    [
        ("matrix", {"normalization": "cpm"}, "compare_samples"),
        ("matrix", {"library_size": "regions"}, "summarize_coverage"),
        ("statistics", {"mitochondrial_contigs": ["chr1"]}, "summarize_coverage"),
    ],
)
def test_results_without_the_records_of_snakemake_are_not_believed_of_other_settings(
    complete: Path, tmp_path: Path, section: str, setting: dict[str, Any], first: str
) -> None:
    copy = Path(shutil.copytree(complete, tmp_path / "copy", ignore=lambda *_: [".snakemake"], symlinks=True))
    assert plan(copy) == {}
    planned = plan(copy, **{section: setting})
    assert planned.keys() >= {"fix_settings", first, "compare_samples", "collect_coverage norm"}
    assert "measure_coverage" not in planned


def test_another_library_size_counts_nothing_again(complete: Path) -> None:
    planned = plan(complete, matrix={"library_size": "regions"})
    assert planned.keys() >= {"summarize_coverage", "compare_samples", "collect_coverage norm"}
    assert "measure_coverage" not in planned


def test_another_format_makes_its_files_and_no_others(complete: Path) -> None:
    planned = plan(complete, matrix={"formats": [*FORMATS, "mtx.gz"]})
    assert planned == REPORT | {"collect_coverage raw": 1, "collect_coverage norm": 1}


def test_only_the_file_that_is_missing_is_collected_again(complete: Path) -> None:
    lost = complete / "results/matrix/peaks.matrix_norm.csv.gz"
    kept = lost.rename(complete / "kept")
    assert plan(complete) == {"collect_coverage norm": 1}
    kept.rename(lost)


def test_other_filters_make_all_anew(complete: Path) -> None:
    matrices = {f"collect_coverage {kind}": len(FORMATS) for kind in ("raw", "norm")}
    others = {"fix_inputs": 1, "measure_coverage": 2, "summarize_coverage": 1, "compare_samples": 1}
    assert plan(complete, counting={"min_mapq": 3}) == REPORT | matrices | others


def test_a_shift_that_nothing_is_shifted_by_is_an_error(complete: Path) -> None:
    configure(complete, counting={"shift": [0, 0]})
    refuse(snakemake(complete, "--cores", "2", "--dry-run"), "counting.shift: moves insertions, but reads are counted")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"counting": {"unit": "insertions"}}, {"statistics": {"tss": "tss.bed"}}], ids=["insertions", "tss"]
)
def test_a_shift_of_what_is_counted_counts_again(tmp_path: Path, settings: dict[str, dict[str, Any]]) -> None:
    write_project(tmp_path)
    configure(tmp_path, **settings)
    succeed(snakemake(tmp_path, MATRIX, "--cores", "2"))
    assert plan(tmp_path, MATRIX, **settings) == {}
    shifted = {**settings, "counting": settings.get("counting", {}) | {"shift": [0, 0]}}
    assert plan(tmp_path, MATRIX, **shifted)["measure_coverage"] == 2
