"""The workflow as a part of another one: as a module from a git repository, as snakedeploy writes it, and moved."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers import (
    CLONE,
    MATRIX,
    NOTHING,
    READS,
    copy_clone,
    jobs,
    planned_jobs,
    read_matrix,
    snakemake,
    succeed,
    tiny_project,
    write_config,
)

MODULE = """\
module coverage:
    snakefile:
        gitfile({repository!r}, path="workflow/Snakefile", commit={commit!r})
    config:
        config["coverage"]
    prefix:
        "parts/coverage"


use rule * from coverage as coverage_*
"""
DEPLOYED = """\
from snakemake.utils import min_version

min_version("9.11")


configfile: "config/config.yaml"


module divvy_coverage:
    snakefile:
        gitfile({repository!r}, path="workflow/Snakefile", commit={commit!r})
    config:
        config


use rule * from divvy_coverage
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A git repository with the project, and its commit."""
    folder = copy_clone(tmp_path_factory.mktemp("repository") / "it's a clone")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-C", str(folder)]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    return str(folder), commit


@pytest.mark.slow
def test_a_workflow_that_imports_ours_from_a_commit_runs_it_under_a_prefix(
    repository: tuple[str, str], project: Path
) -> None:
    """Relative paths in its configuration and its sheet are those of the sheet, and not under the prefix."""
    (project / "Snakefile").write_text(MODULE.format(repository=repository[0], commit=repository[1]))
    (project / "tss.bed").write_text("chr1\t50\t51\ta\t0\t+\n")
    config = {"assay": "atac", "pep": "samples.csv", "regions": {"peaks": {"bed": "regions.bed"}}}
    config |= {"statistics": {"tss": "tss.bed"}, "counting": READS}
    (project / "config.json").write_text(json.dumps({"coverage": config}))
    options = ["--cores", "2", "--configfile", "config.json"]
    printed = succeed(snakemake(project, *options, snakefile=project / "Snakefile"))
    assert jobs(printed, "coverage_measure_coverage") == 2
    results = project / "parts" / "coverage" / "results"
    assert read_matrix(project / "parts/coverage" / MATRIX)[2].tolist() == [[1, 2], [0, 1]]
    assert (results / "report.html").is_file()
    record = json.loads((results / "provenance.json").read_text())
    assert record["config"]["pep"] == config["pep"]
    assert "--configfile config.json" in record["command"]
    assert not (project / "results").exists()
    assert NOTHING in succeed(snakemake(project, *options, snakefile=project / "Snakefile"))


@pytest.mark.slow
def test_the_snakefile_that_snakedeploy_writes_works(repository: tuple[str, str], tmp_path: Path) -> None:
    tiny_project(tmp_path)
    snakefile = tmp_path / "workflow" / "Snakefile"
    snakefile.parent.mkdir()
    snakefile.write_text(DEPLOYED.format(repository=repository[0], commit=repository[1]))
    succeed(snakemake(tmp_path, MATRIX, "--profile", "divvy", snakefile=snakefile))
    assert read_matrix(tmp_path / MATRIX)[2].tolist() == [[1, 2], [0, 1]]


@pytest.mark.slow
def test_a_moved_clone_runs_nothing_again_and_an_edited_one_what_depends_on_it(tmp_path: Path) -> None:
    clone, project = copy_clone(tmp_path / "clone"), tmp_path / "project"
    tiny_project(project)

    def run(*options: str) -> str:
        return succeed(snakemake(project, MATRIX, "--cores", "2", *options, snakefile=clone / "workflow" / "Snakefile"))

    def planned(folder: str, file: str) -> tuple[int, int, int]:
        path = clone / folder / file
        before = path.read_text()
        path.write_text(before + "\n# a remark\n")
        printed = run("--dry-run", "--quiet", "host")
        path.write_text(before)
        return tuple(
            planned_jobs(printed, rule) for rule in ("measure_coverage", "summarize_coverage", "collect_coverage")
        )

    assert jobs(run()) == 2
    clone = clone.rename(tmp_path / "moved")
    assert NOTHING in run()
    library = "src/divvy_coverage"
    assert planned(f"{library}/sheets", "sheet.py") == (0, 0, 0)
    assert planned(f"{library}/report", "page.py") == (0, 0, 0)
    assert planned(library, "errors.py") == (0, 0, 0)
    assert planned(f"{library}/matrix", "factors.py") == (0, 1, 1)
    assert planned(f"{library}/quality", "complexity.py") == (0, 1, 1)
    assert planned(f"{library}/counting/compiled", "constants.py") == (2, 1, 1)
    assert planned("scripts", "measure_coverage.py") == (2, 1, 1)


@pytest.mark.slow
def test_jobs_import_the_library_of_the_clone_whose_rules_run(tmp_path: Path) -> None:
    clone, project = copy_clone(tmp_path / "clone"), tmp_path / "project"
    tiny_project(project)
    (clone / "src/divvy_coverage/counting/evidence.py").write_text("raise SystemExit('the library of the clone')\n")
    done = snakemake(
        project, MATRIX, "--cores", "2", "--show-failed-logs", snakefile=clone / "workflow" / "Snakefile", PYTHONPATH=""
    )
    assert done.returncode == 1
    assert "the library of the clone" in done.stdout


def test_a_project_folder_passes_the_linter(tmp_path: Path) -> None:
    import new_project
    from divvy_coverage.command_line import run

    assert run(new_project.main, [str(tmp_path / "my cohort"), "--assay", "chip"]) == 0
    done = snakemake(tmp_path / "my cohort", "--lint", snakefile=tmp_path / "my cohort/workflow/Snakefile")
    assert "Congratulations" in succeed(done)


def test_without_the_library_the_workflow_says_what_to_install(tmp_path: Path) -> None:
    tiny_project(tmp_path)
    shutil.copytree(CLONE / "workflow", tmp_path / "workflow")
    write_config(tmp_path, "samples.csv", {"peaks": "regions.bed"})
    (tmp_path / "divvy_coverage.py").write_text("raise ImportError('as if it were not installed')\n")
    done = snakemake(tmp_path, "--cores", "1", snakefile=tmp_path / "workflow" / "Snakefile", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "not installed" in done.stdout
    assert "divvy-coverage.yaml" in done.stdout
