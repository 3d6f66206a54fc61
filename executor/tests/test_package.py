"""The package: what it imports, its command line, and what is in its wheel and sdist."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import snakemake_executor_plugin_divvy as plugin
from plugin_helpers import PROJECT, command, succeed
from snakemake_executor_plugin_divvy.__main__ import main

SOURCE = Path(plugin.__file__).parent
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
FOREIGN = {"divvy_coverage", "pandas", "numpy"}
TEMPLATES = {"apptainer_slurm", "grid_engine", "local", "lsf", "pbs", "slurm", "torque"}


def imports(module: Path) -> set[str]:
    """Return the top-level packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((SOURCE / module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_imports_the_workflow_or_what_it_needs(module: Path) -> None:
    third_party = imports(module) - set(sys.stdlib_module_names) - {"snakemake_executor_plugin_divvy"}
    assert not third_party & FOREIGN
    interfaces = {f"snakemake_interface_{name}" for name in ("common", "executor_plugins", "logger_plugins")}
    assert third_party <= {"humanfriendly", "looper", "psutil", "snakemake", "yaml", *interfaces}


def test_importing_the_plugin_stays_light() -> None:
    """Every Snakemake process imports it, including that of each job."""
    heavy = {"looper", "peppy", "snakemake", *FOREIGN}
    code = f"import sys, snakemake_executor_plugin_divvy; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- command line


def test_the_folder_of_the_site_templates_can_be_found_and_copied(tmp_path: Path) -> None:
    line = f'cp -r "$({sys.executable} -m snakemake_executor_plugin_divvy sites)" divvy_sites'
    succeed(command("bash", "-c", line, folder=tmp_path))
    config = yaml.safe_load((tmp_path / "divvy_sites" / "divvy_config.yaml").read_text())
    assert {path.stem for path in (tmp_path / "divvy_sites" / "templates").iterdir()} == TEMPLATES
    for package in config["compute_packages"].values():
        assert (tmp_path / "divvy_sites" / package["submission_template"]).is_file()


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["sites", "--help"], 0), ([], 2), (["site"], 2)])
def test_the_command_line_explains_itself(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    said = capsys.readouterr()
    assert "python -m snakemake_executor_plugin_divvy" in (said.err if status else said.out)


# --- distributions


def relative_files(*folders: str) -> set[str]:
    """Return the files of the project in these folders, without the caches that running it leaves."""
    found = (path.relative_to(PROJECT) for folder in folders for path in (PROJECT / folder).rglob("*"))
    return {path.as_posix() for path in found if (PROJECT / path).is_file() and not is_cache(path)}


def is_cache(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def test_the_wheel_holds_the_plugin_with_its_templates_and_nothing_else(tmp_path: Path) -> None:
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--wheel-dir", tmp_path]
    succeed(command(sys.executable, "-m", "pip", "wheel", *options, PROJECT, folder=tmp_path))
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"snakemake_executor_plugin_divvy-{plugin.__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    packaged = {name for name in names if ".dist-info/" not in name}
    assert packaged == {name.removeprefix("src/") for name in relative_files("src")}
    assert {Path(name).stem for name in packaged if name.endswith(".sub")} == TEMPLATES
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_sdist_holds_the_plugins_own_files_and_nothing_else(tmp_path: Path) -> None:
    code = f"from hatchling.build import build_sdist; build_sdist({str(tmp_path)!r})"
    succeed(command(sys.executable, "-c", code, folder=PROJECT))
    (sdist,) = tmp_path.glob("*.tar.gz")
    stem = f"snakemake_executor_plugin_divvy-{plugin.__version__}"
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"{stem}/") for name in archive.getnames()}
    top = {"PKG-INFO", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"}
    assert names == top | relative_files("src", "docs", "tests")
