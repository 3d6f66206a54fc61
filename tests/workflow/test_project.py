"""The workflow from Python: the example of the README, resources, errors, and a progress bar."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import divvy_coverage
from divvy_coverage import Project, UserError, count_alignments, read_regions
from divvy_coverage.demo import generate_project
from divvy_coverage.project import name_resources
from helpers import CLONE, environment, tiny_project

SITES = CLONE / "executor" / "src" / "snakemake_executor_plugin_divvy" / "sites" / "divvy_config.yaml"


def readme_example() -> str:
    """Return the example of the README that runs the workflow from Python."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (CLONE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if "generate_project" in block]
    return code


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of two samples that has been counted; not to be changed."""
    found = generate_project(tmp_path_factory.mktemp("project") / "it's here", samples=2, regions=20, reads=400)
    found.measure_coverage(progress=False)
    return found


@pytest.mark.xdist_group("project")
def test_counting_from_python_gives_the_matrix_that_the_engine_gives(project: Project) -> None:
    matrix = project.collect_coverage(progress=False)
    assert list(matrix.columns) == ["control_1", "treated_1"]
    regions = read_regions(project.folder / "regions.bed")
    assert list(matrix.index) == regions.names()
    for name in matrix:
        counts, statistics = count_alignments(project.folder / "bam" / f"{name}.bam", regions)
        np.testing.assert_array_equal(matrix[name], counts)
        assert statistics["usable"] >= counts.max() > 0


@pytest.mark.xdist_group("project")
def test_a_region_set_that_does_not_exist_is_an_error_that_names_those_that_do(project: Project) -> None:
    with pytest.raises(UserError, match=r"expected one of peak_set .*found 'nothing'"):
        project.measure_coverage(region_set="nothing")


@pytest.mark.parametrize(
    ("mem", "time", "named"),
    [
        (None, None, {}),
        (24000, 60, {"mem_mb": 24000, "runtime": 60}),
        ("24000", "60", {"mem_mb": 24000, "runtime": 60}),
        ("24 GB", "01:00:00", {"mem_mb": 24000, "runtime": 60}),
        ("1.5G", "1:30", {"mem_mb": 1500, "runtime": 2}),
        ("500M", "00:00:01", {"mem_mb": 500, "runtime": 1}),
        ("2TB", "1-12", {"mem_mb": 2_000_000, "runtime": 2160}),
        (None, "2-00:30", {"runtime": 2910}),
        (None, "1-01:01:30", {"runtime": 1502}),
        (None, "100:00:00", {"runtime": 6000}),
    ],
)
def test_memory_and_time_as_people_write_them(mem: object, time: object, named: dict[str, int]) -> None:
    assert name_resources(mem, time, ["partition"]) == named  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "essential"),
    [
        ({"mem": "much"}, "mem: expected MB (24000), or a number of MB, GB or TB (\"24 GB\"), found 'much'"),
        ({"mem": -5}, "mem: expected MB"),
        ({"mem": "24 kB"}, "mem: expected MB"),
        ({"time": "1h"}, 'time: expected minutes (60), "HH:MM:SS" or "D-HH:MM:SS", found \'1h\''),
        ({"time": "1:2:3:4"}, "time: expected minutes"),
        ({"mem": 5, "mem_mb": 5}, "mem: is given as mem_mb, too; give one of the two"),
        ({"time": 5, "runtime": 5}, "time: is given as runtime, too; give one of the two"),
    ],
)
def test_memory_and_time_that_are_none(settings: dict[str, Any], essential: str, tmp_path: Path) -> None:
    tiny_project(tmp_path)
    with pytest.raises(UserError) as error:
        Project(tmp_path / "config" / "config.yaml").measure_coverage(**settings)
    assert str(error.value).startswith(essential)


def test_a_configuration_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml: expected a configuration file"):
        Project(tmp_path / "nothing.yaml")


def test_the_workflows_messages_are_those_of_the_exception(tmp_path: Path) -> None:
    tiny_project(tmp_path)
    (tmp_path / "bam" / "a.bam").unlink()
    with pytest.raises(UserError, match=r"no such file: bam/a\.bam") as error:
        Project(tmp_path / "config" / "config.yaml").measure_coverage(progress=False)
    assert "Building DAG" not in str(error.value)


@pytest.mark.slow
def test_what_was_not_counted_cannot_be_collected(tmp_path: Path) -> None:
    tiny_project(tmp_path)
    with pytest.raises(UserError, match=r"results/coverage/a/peaks\.npy"):
        Project(tmp_path / "config" / "config.yaml").collect_coverage(progress=False)


@pytest.mark.slow
def test_a_failed_jobs_own_log_is_in_the_exception(tmp_path: Path) -> None:
    tiny_project(tmp_path)
    bam = tmp_path / "bam" / "a.bam"
    content = bytearray(bam.read_bytes())
    content[-50] ^= 0xFF  # in the last block before the one that ends the file, where preflight does not look
    bam.write_bytes(content)
    with pytest.raises(UserError, match=r"checksum"):
        Project(tmp_path / "config" / "config.yaml").measure_coverage(progress=False)


@pytest.mark.xdist_group("project")
def test_another_project_in_the_folder_is_not_overwritten(project: Project) -> None:
    with pytest.raises(UserError, match="other options"):
        generate_project(project.folder, samples=3)
    assert repr(generate_project(project.folder, samples=2, regions=20, reads=400)) == repr(project)


def test_a_sheet_alone_is_simulated_without_files(tmp_path: Path) -> None:
    made = generate_project(tmp_path / "sheet", sample_input_files=False)
    assert not (made.folder / "bam").exists()
    assert (made.folder / "samples.csv").is_file()


@pytest.mark.slow
@pytest.mark.xdist_group("slurm")
def test_the_readmes_example_runs_from_any_folder(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    code = readme_example().replace("distributed=True", "distributed=True, package='slurm'")
    code = code.replace("mem=24000", "mem=300")  # nodes are small here, and the cohort may be too
    code = code.replace("sample_input_files=True", "samples=2, reads=2000")
    env = environment(**({"DIVCFG": str(SITES)} | request.getfixturevalue("slurm").env))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "100%" in done.stderr  # the bar in a terminal
    scripts = sorted(path.read_text() for path in (tmp_path / "demo/logs/divvy/measure_coverage").glob("*.sub"))
    assert any("#SBATCH --partition='longq'" in text for text in scripts)
    assert any("#SBATCH --mem='300'" in text for text in scripts)
    assert any(re.search("#SBATCH --time='0[48]:00:00'", text) for text in scripts)  # two jobs may share one
    assert any("#SBATCH --cpus-per-task='2'" in text for text in scripts)


@pytest.mark.slow
def test_a_notebook_shows_a_progress_bar_and_the_matrix(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    code = "from divvy_coverage.demo import generate_project\nan = generate_project(samples=2, regions=20, reads=400)"
    cells = [nbformat.v4.new_code_cell(text) for text in (code, "an.measure_coverage()")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(
        notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [output.get("data", {}) for output in notebook.cells[1].outputs]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown), shown
    assert any("treated_1" in data.get("text/html", "") for data in shown), shown


def test_the_public_names_are_those_of_the_documentation() -> None:
    documented = (CLONE / "README.md").read_text()
    for name in ("Project", "count_alignments", "read_regions", "build_consensus", "read_matrix"):
        assert name in divvy_coverage.__all__
        assert name in documented, name
