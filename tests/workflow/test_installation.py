"""Both products as wheels in fresh environments: each is useful alone."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from helpers import CLONE, READS_OPTIONS, copy_clone, tiny_project

pytestmark = pytest.mark.slow
WORKFLOW = """\
rule all:
    input: "sum.txt"


rule number:
    output: "{n}.txt"
    shell: "echo {wildcards.n} > {output}"


rule sum:
    input: "1.txt", "2.txt"
    output: "sum.txt"
    shell: "cat {input} > {output}"
"""
ON_PYPI = {"python-isal": "isal"}


def run(*words: str | Path, folder: Path) -> str:
    """Run a command without anything of the environment that runs the tests."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels and the source distributions of both products."""
    folder = tmp_path_factory.mktemp("wheels")
    clone = copy_clone(folder / "clone")
    build = (
        "import sys; from hatchling.builders.{0} import {1}; print(list({1}(sys.argv[1]).build(directory=sys.argv[2])))"
    )
    for project in (clone, clone / "executor"):
        for kind, builder in (("wheel", "WheelBuilder"), ("sdist", "SdistBuilder")):
            code = build.format(kind, builder)
            subprocess.run([sys.executable, "-c", code, project, folder / "dist"], cwd=project, check=True)
    return folder / "dist"


def fresh_environment(folder: Path, *requirements: str | Path) -> Path:
    """Make an environment with these packages; return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", *requirements], check=True
    )
    return folder / "bin"


def test_the_plugin_alone_runs_a_foreign_workflow(wheels: Path, tmp_path: Path) -> None:
    (wheel,) = wheels.glob("snakemake_executor_plugin_divvy-*.whl")
    programs = fresh_environment(tmp_path / "env", wheel, "snakemake")
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    run(programs / "snakemake", "--executor", "divvy", "--jobs", "2", folder=tmp_path)
    assert (tmp_path / "sum.txt").read_text() == "1\n2\n"
    assert list((tmp_path / "logs" / "divvy" / "sum").glob("*.sub"))
    assert "divvy" not in run(
        programs / "python",
        "-c",
        "import pkgutil; print([m.name for m in pkgutil.iter_modules() if m.name == 'divvy_coverage'])",
        folder=tmp_path,
    )


def test_the_library_alone_counts_and_as_a_module_of_a_workflow_too(wheels: Path, tmp_path: Path) -> None:
    """The environment is what the environment file of the rules lists, as pip has it; Snakemake comes later."""
    listed = yaml.safe_load((CLONE / "workflow" / "envs" / "divvy-coverage.yaml").read_text())["dependencies"]
    inner = [each for one in listed if isinstance(one, dict) for each in one["pip"]]
    names = [*inner, *(one for one in listed if isinstance(one, str) and not one.startswith(("python ", "pip")))]
    requirements = [f"{ON_PYPI.get(name, name)}{range_}" for name, _, range_ in (each.partition(" ") for each in names)]
    programs = fresh_environment(tmp_path / "env", "--find-links", wheels, *requirements)
    tiny_project(tmp_path / "project")
    folder = tmp_path / "project"

    said = run(programs / "python", "-m", "divvy_coverage", "--help", folder=folder)
    assert "measure_coverage" in said
    assert "Count the alignments of one sample in every region" in said
    code = "import divvy_coverage as dc; print(dc.count_alignments('bam/b.bam', dc.read_regions('regions.bed'), dc.Counting('reads'))[0].tolist())"
    assert run(programs / "python", "-c", code, folder=folder) == "[2, 1]\n"
    outputs = ["--out", "b.bed", "--stats", "b.json"]
    command = [
        programs / "divvy-coverage",
        "measure_coverage",
        "--bam",
        "bam/b.bam",
        "--regions",
        "regions.bed",
        *outputs,
        *READS_OPTIONS,
    ]
    run(*command, folder=folder)
    assert (folder / "b.bed").read_text() == "chr1\t0\t1000\t2\nchr1\t120\t130\t1\n"

    run(programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", "snakemake", folder=folder)
    code = "from divvy_coverage import Project; print(Project('config/config.yaml').measure_coverage(progress=False).to_numpy().tolist())"
    assert run(programs / "python", "-c", code, folder=folder) == "[[1, 2], [0, 1]]\n"


def test_source_distributions_hold_their_own_tests_and_nothing_of_the_other_product(wheels: Path) -> None:
    (ours,) = wheels.glob("divvy_coverage-*.tar.gz")
    (plugin,) = wheels.glob("snakemake_executor_plugin_divvy-*.tar.gz")
    contents = {}
    for path in (ours, plugin):
        with tarfile.open(path) as archive:
            contents[path] = {name.partition("/")[2] for name in archive.getnames()}
    assert "tests/workflow/test_installation.py" in contents[ours]
    assert not [name for name in contents[ours] if name.startswith("executor") or "snakemake_executor_plugin" in name]
    assert [name for name in contents[plugin] if name.startswith("tests/test_")]
    assert not [
        name for name in contents[plugin] if "divvy_coverage" in name or name.startswith(("workflow", "scripts"))
    ]


def test_metadata_and_descriptions_are_fit_for_pypi(wheels: Path, tmp_path: Path) -> None:
    programs = fresh_environment(tmp_path / "env", "twine")
    files = [*wheels.glob("*.whl"), *wheels.glob("*.tar.gz")]
    assert len(files) == 4
    said = run(programs / "python", "-m", "twine", "check", "--strict", *files, folder=tmp_path)
    assert said.count("PASSED") == 4
