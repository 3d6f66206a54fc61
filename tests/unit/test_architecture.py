"""The architecture: which part may import which, what rules depend on, and how large a room may be."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from helpers import CLONE

LIBRARY = CLONE / "src" / "divvy_coverage"
PLUGIN = CLONE / "executor" / "src" / "snakemake_executor_plugin_divvy"
RULES = "".join(path.read_text() for path in sorted((CLONE / "workflow" / "rules").glob("*.smk")))

# what each part may import besides itself: arrows run one way
MAY_IMPORT = {
    "intervals": set(),
    "alignments": {"intervals"},
    "counting": {"intervals", "alignments"},
    "quality": {"counting"},
    "peaks": {"intervals", "samples"},
    "sheets": {"intervals", "samples"},
    "preflight": {"sheets", "intervals", "alignments", "counting", "peaks", "samples"},
    "matrix": {"intervals", "counting", "quality", "samples"},
    "report": {"intervals", "counting", "quality", "matrix", "samples"},
    "demo": {"project"},
    "project": {"matrix", "sheets"},
}
# results do not depend on these: types, messages, and files that are whole or absent
NO_PART_IN_RESULTS = {
    *("", "arrays", "command_line", "errors", "files", "installation", "naming", "problems", "progress", "results"),
}


def modules(path: Path) -> set[Path]:
    """Return the files of the library that a file imports, within functions and for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    inside = [LIBRARY.joinpath(*name.split(".")[1:]) for name in found if name.split(".")[0] == "divvy_coverage"]
    return {file for path in inside for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()}


def part(path: Path) -> str:
    """Return the part of the library that a file belongs to: a folder, or a module beside the folders."""
    name = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
    return "" if name == "__init__" else name


def files(name: str) -> list[Path]:
    """Return the files of a part of the library."""
    return [path for path in sorted(LIBRARY.rglob("*.py")) if part(path) == name]


@cache
def needed(path: Path) -> frozenset[str]:
    """Return the parts of the library that a file imports, directly or not."""
    found: set[Path] = set()
    waiting = modules(path)
    while waiting:
        file = waiting.pop()
        found.add(file)
        if file == LIBRARY / "__init__.py":
            continue  # its names are imported when they are used
        waiting |= modules(file) - found
    return frozenset(map(part, found))


def rules_with_code() -> dict[str, tuple[str, set[str]]]:
    """Return of each rule the script that it calls, and the parts of the library that it says it depends on."""
    found = {}
    for name, block in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", RULES, re.MULTILINE | re.DOTALL):
        called = "".join(re.findall(r"python -m divvy_coverage (\w+)", block))
        if not called:
            continue
        (arguments,) = re.findall(r"code=package\((.*?)\)", block, re.DOTALL)
        script, *parts = re.findall(r'"([\w/]+)"', arguments)
        assert script == f"scripts/{called}", name
        found[name] = (called, set(parts))
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_run_one_way(folder: str) -> None:
    for path in files(folder):
        assert set(map(part, modules(path))) - {folder} - NO_PART_IN_RESULTS <= MAY_IMPORT[folder], path


def test_every_folder_of_the_library_has_its_place() -> None:
    folders = {path.name for path in LIBRARY.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= MAY_IMPORT.keys()


def test_compiled_code_is_made_of_files_of_one_folder() -> None:
    """By whose content it is known whether what was compiled is still valid."""
    folder = LIBRARY / "counting" / "compiled"
    for path in folder.glob("*.py"):
        assert {file.parent for file in modules(path)} <= {folder}, path


@pytest.mark.parametrize("rule", rules_with_code())
def test_a_rule_depends_on_all_that_makes_its_results_and_on_nothing_else(rule: str) -> None:
    script, named = rules_with_code()[rule]
    assert named == needed(CLONE / "scripts" / f"{script}.py") - NO_PART_IN_RESULTS


def test_counts_say_by_which_code_they_were_counted() -> None:
    from divvy_coverage.counting.origin import CODE

    script, parts = rules_with_code()["measure_coverage"]
    assert {*CODE} == {f"scripts/{script}", *parts}


def test_nothing_but_the_plugin_imports_snakemake() -> None:
    for path in [*LIBRARY.rglob("*.py"), *(CLONE / "scripts").glob("*.py")]:
        assert not re.search(r"^\s*(?:import|from) snakemake", path.read_text(), re.MULTILINE), path


def test_the_plugin_imports_nothing_of_the_workflow() -> None:
    for path in PLUGIN.rglob("*.py"):
        assert not re.search(r"\bdivvy_coverage\b", path.read_text()), path


def test_importing_the_library_is_quick_and_imports_neither_numba_nor_pandas() -> None:
    code = (
        "import sys, time; start = time.process_time(); import divvy_coverage, divvy_coverage.demo; "
        "print(time.process_time() - start, *({'numba', 'pandas', 'numpy', 'pysam'} & sys.modules.keys()))"
    )
    seconds, *heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not heavy
    assert float(seconds) < 0.1


def test_all_public_names_exist_and_are_documented() -> None:
    import divvy_coverage

    for name in divvy_coverage.__all__:
        assert getattr(divvy_coverage, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        divvy_coverage.nothing  # noqa: B018


def test_importing_a_module_changes_nothing_for_others() -> None:
    """Environment, warnings, logging of libraries and modules of other names stay as they were."""
    modules = [
        ".".join(path.relative_to(CLONE / "src").with_suffix("").parts) for path in sorted(LIBRARY.rglob("*.py"))
    ]
    modules = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    code = f"""
import os, sys, warnings
import altair, numba, numpy, pandas, peppy, pysam
before = dict(os.environ), list(warnings.filters), pysam.get_verbosity(), altair.data_transformers.options
import importlib
for name in {modules!r}:
    importlib.import_module(name)
after = dict(os.environ), list(warnings.filters), pysam.get_verbosity(), altair.data_transformers.options
assert before == after, (before, after)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def sources() -> list[Path]:
    folders = [LIBRARY, CLONE / "scripts", PLUGIN]
    return [path for folder in folders for path in folder.rglob("*") if path.suffix in (".py", ".smk")]


def test_a_file_is_one_room_and_a_folder_is_one_house() -> None:
    for path in sources():
        assert path.read_text().count("\n") <= 310, path
    for folder in {path.parent for path in sources()}:
        assert len(list(folder.glob("*.py"))) <= 13, folder


def test_command_lines_are_thin() -> None:
    for path in (CLONE / "scripts").glob("*.py"):
        assert path.read_text().count("\n") <= 90, path


def test_the_environment_of_the_rules_has_all_that_is_imported() -> None:
    of_packages = {"yaml": "pyyaml", "isal": "python-isal", "vl_convert": "vl-convert-python"}
    names = set()
    for path in [*LIBRARY.rglob("*.py"), *(CLONE / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    imported = {of_packages.get(name, name) for name in names - sys.stdlib_module_names}
    listed = yaml.safe_load((CLONE / "workflow" / "envs" / "divvy-coverage.yaml").read_text())["dependencies"]
    inner = [each for one in listed if isinstance(one, dict) for each in one["pip"]]
    found = {each.split()[0] for each in [*inner, *(one for one in listed if isinstance(one, str))]}
    assert found - {"python", "pip"} == {name.replace("divvy_coverage", "divvy-coverage") for name in imported}


def test_versions_stand_once() -> None:
    import divvy_coverage

    env = (CLONE / "workflow" / "envs" / "divvy-coverage.yaml").read_text()
    assert f"divvy-coverage =={divvy_coverage.__version__}" in env
    assert f"version: {divvy_coverage.__version__}\n" in (CLONE / "CITATION.cff").read_text()
