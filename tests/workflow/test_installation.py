"""Both products as wheels in fresh environments: each is useful alone."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from helpers import CLONE, READS_OPTIONS, copy_clone, tiny_project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]  # which share the wheels
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


def make_environment(folder: Path) -> Path:
    """Make an environment; return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin"


def install(programs: Path, *requirements: str | Path) -> None:
    """Install packages into an environment."""
    words = [programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", *requirements]
    subprocess.run(words, check=True)


def test_each_product_is_useful_alone(wheels: Path, tmp_path: Path) -> None:
    """In an environment with first the one and then the other, as making them takes longest."""
    programs = make_environment(tmp_path / "env")
    check_library(programs, wheels, tmp_path / "project")
    run(programs / "python", "-m", "pip", "uninstall", "--quiet", "--yes", "divvy-coverage", folder=tmp_path)
    (wheel,) = wheels.glob("snakemake_executor_plugin_divvy-*.whl")
    install(programs, wheel)
    check_plugin(programs, tmp_path / "workflow")


def check_library(programs: Path, wheels: Path, folder: Path) -> None:
    """Use the library where what the environment file of the rules lists is there, as pip has it; Snakemake comes later."""
    listed = yaml.safe_load((CLONE / "workflow" / "envs" / "divvy-coverage.yaml").read_text())["dependencies"]
    inner = [each for one in listed if isinstance(one, dict) for each in one["pip"]]
    names = [*inner, *(one for one in listed if isinstance(one, str) and not one.startswith(("python ", "pip")))]
    requirements = [f"{ON_PYPI.get(name, name)}{range_}" for name, _, range_ in (each.partition(" ") for each in names)]
    install(programs, "--find-links", wheels, *requirements)
    tiny_project(folder)

    said = run(programs / "python", "-m", "divvy_coverage", "--help", folder=folder)
    assert "measure_coverage" in said
    assert "Count the alignments of one sample in every region" in said
    code = "import divvy_coverage as dc; print(dc.count_alignments('bam/b.bam', dc.read_regions('regions.bed'), dc.Counting('reads'))[0].tolist())"
    assert run(programs / "python", "-c", code, folder=folder) == "[2, 1]\n"
    outputs = ["--out", "b.bed", "--stats", "b.json"]
    inputs = ["--bam", "bam/b.bam", "--regions", "regions.bed"]
    run(programs / "divvy-coverage", "measure_coverage", *inputs, *outputs, *READS_OPTIONS, folder=folder)
    assert (folder / "b.bed").read_text() == "chr1\t0\t1000\t2\nchr1\t120\t130\t1\n"

    install(programs, "snakemake")
    code = "from divvy_coverage import Project; print(Project('config/config.yaml').measure_coverage(progress=False).to_numpy().tolist())"
    assert run(programs / "python", "-c", code, folder=folder) == "[[1, 2], [0, 1]]\n"


def check_plugin(programs: Path, folder: Path) -> None:
    """Run a foreign workflow where nothing of ours is."""
    code = "import pkgutil; print(sorted(m.name for m in pkgutil.iter_modules() if 'divvy' in m.name))"
    folder.mkdir()
    assert run(programs / "python", "-c", code, folder=folder) == "['snakemake_executor_plugin_divvy']\n"
    (folder / "Snakefile").write_text(WORKFLOW)
    run(programs / "snakemake", "--executor", "divvy", "--jobs", "2", folder=folder)
    assert (folder / "sum.txt").read_text() == "1\n2\n"
    assert list((folder / "logs" / "divvy" / "sum").glob("*.sub"))


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
    programs = make_environment(tmp_path / "env")
    install(programs, "twine")
    files = [*wheels.glob("*.whl"), *wheels.glob("*.tar.gz")]
    assert len(files) == 4
    said = run(programs / "python", "-m", "twine", "check", "--strict", *files, folder=tmp_path)
    assert said.count("PASSED") == 4
