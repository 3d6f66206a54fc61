"""The documents: every command in them runs, and every key and file that they name exists."""

import dataclasses
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers import CLONE, command, copy_clone, environment, need, succeed, tracked
from libraries import list_spans

BLOCK = re.compile(
    r"^(?:<!-- needs: (?P<needs>\w+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
# commands that run elsewhere: installation and tests are what runs this test; and comparing executors takes too long
ELSEWHERE = {
    *("make test", "make test-slow", "make check", "make readers", "make bench"),
    'make bench-executors BENCH="--install --jobs 8"',
}


def blocks(document: str) -> list[tuple[str, str, str]]:
    """Return (what it needs, language, code) of each code block of a document."""
    return [(m["needs"] or "", m["language"], m["code"]) for m in BLOCK.finditer((CLONE / document).read_text())]


def commands(code: str) -> str:
    lines = [line for line in code.splitlines() if line.split("#")[0].strip() not in ELSEWHERE]
    return "\n".join(lines) + "\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the project with the environment that runs the tests."""
    folder = tmp_path / "clone"
    copy_clone(folder)
    (folder / ".venv").symlink_to(CLONE / ".venv")
    (tmp_path / "home").mkdir()
    return folder


def run_in_one_shell(folder: Path, script: str, env: dict[str, str]) -> str:
    variables = {"HOME": str(folder.parent / "home")} | env
    return succeed(command("bash", "-euo", "pipefail", "-c", script, folder=folder, timeout=400, **variables))


@pytest.mark.slow
@pytest.mark.xdist_group("slurm")
def test_every_command_of_the_readmes_runs(clone: Path, request: pytest.FixtureRequest) -> None:
    need((CLONE / ".venv" / "installed").exists(), "venv", "the tests do not run from `make install`'s environment")
    env = {}
    code = ""
    for needs, language, block in blocks("README.md"):
        if needs == "slurm":
            env = request.getfixturevalue("slurm").env
        if language == "sh":
            block = block.replace("mem_mb=24000", "mem_mb=600")  # the one host's nodes have less
            code += commands(block).replace("python scripts/", f"cd {clone}\npython scripts/")
            if "make run" in block:  # with the demo that it makes
                code += "".join(commands(other) for _, kind, other in blocks("config/README.md") if kind == "sh")
        if language == "python" and "generate_project" not in block:  # which test_project runs
            code += f"python - <<'PYTHON'\n{block}assert matrix.shape == (1000, 3) and len(samples) == 3\nPYTHON\n"
        if language == "r":
            need(bool(shutil.which("Rscript")), "r", "no Rscript")
            code += f"cat > code.R <<'R'\n{block}stopifnot(dim(dds) == c(1000, 3), GenomicRanges::start(regions)[1] > 0)\nR\nRscript --vanilla code.R\n"
    printed = run_in_one_shell(clone, code, env | {"PATH": environment()["PATH"] + ":/usr/sbin"})
    assert "matrix:      results/matrix/peak_set.matrix_raw.csv.gz" in printed
    assert f"report:      {clone}/results/report.html" in printed
    assert (clone / "results/report.html").is_file()
    assert (clone.parent / "home/my_cohort/results/matrix/peak_set.matrix_raw.parquet").is_file()
    assert len((clone / "control_1.bed").read_text().splitlines()) == 1000


def benchmark(name: str) -> str:
    """Return the command of the benchmarks' README that runs a script or make target."""
    (code,) = (code for _, language, code in blocks("benchmarks/README.md") if language == "sh" and name in code)
    return code


@pytest.mark.slow
def test_the_benchmark_of_counting_runs(clone: Path) -> None:
    printed = run_in_one_shell(clone, benchmark("make bench BENCH"), {})
    assert re.search(r"\| measure_coverage\.py, reads \|.*\| 1\.00 \|.*\| all \|", printed)
    rows = re.findall(r"^\| (?:featureCounts|bedtools|ngs_toolkit|measure_coverage\.py).*", printed, re.MULTILINE)
    assert len(rows) >= 5
    others = ("three region sets", "two reads", "featureCounts -T1, fragments")
    for row in rows:
        assert row.endswith("| all |") or any(name in row for name in others), row
    if "| featureCounts -T1, fragments |" in printed:  # it counts no pair whose mates lie on both sides of a region
        (folder,) = (clone / "bench").iterdir()
        theirs = [int(line.split("\t")[6]) for line in (folder / "f3.txt").read_text().splitlines()[2:]]
        ours = [int(line.split("\t")[3]) for line in (folder / "3.bed").read_text().splitlines()]
        assert ours != theirs
        assert np.array_equal(np.subtract(ours, theirs), count_pairs_around(folder))


def count_pairs_around(folder: Path) -> list[int]:
    """Return in how many pairs that the benchmark counts a region lies between the mates, overlapping neither."""
    gaps: dict[str, list[tuple[int, int]]] = {}
    for contig, start, end in list_spans(folder / "reads.bam", folder):
        gaps.setdefault(contig, []).append((start + 50, end - 50))  # mates have 50 bases
    arrays = {contig: np.array(both).T for contig, both in gaps.items()}
    rows = [line.split("\t")[:3] for line in (folder / "regions.bed").read_text().splitlines()]
    return [int(((arrays[c][0] <= int(s)) & (int(e) <= arrays[c][1])).sum()) for c, s, e in rows]


@pytest.mark.slow
def test_the_benchmark_of_scale_runs(clone: Path) -> None:
    printed = run_in_one_shell(clone, benchmark("make bench-scale"), {})
    assert "exponents of CPU s" in printed
    assert (clone / "bench/scale/quick/scale.svg").is_file()


def test_the_contributing_guide_names_make_targets_that_exist() -> None:
    makefile = (CLONE / "Makefile").read_text()
    for document in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\bmake ([a-z-]+)\b", (CLONE / document).read_text()):
            if target not in ("and", "git", "a"):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), (document, target)


def leaves(schema: dict, prefix: str = "") -> dict[str, object]:
    """Return the keys of a schema with their defaults."""
    found: dict[str, object] = {}
    for key, sub in schema.get("properties", {}).items():
        found |= leaves(sub, f"{prefix}{key}.") or {f"{prefix}{key}": sub.get("default", "(required)")}
    if isinstance(schema.get("additionalProperties"), dict):
        found |= {prefix.rstrip("."): "(required)"} | leaves(schema["additionalProperties"], f"{prefix}<name>.")
    return found


def test_every_key_is_documented_with_its_default() -> None:
    schema = yaml.safe_load((CLONE / "workflow/schemas/config.schema.yaml").read_text())
    documented = dict(
        re.findall(r"^\| `([\w.<>]+)` \| (.+?) \|", (CLONE / "config/README.md").read_text(), re.MULTILINE)
    )
    for key, default in leaves(schema).items():
        text = (
            default
            if default == "(required)"
            else f"`{yaml.safe_dump(default, default_flow_style=True).split(chr(10))[0]}`"
        )
        assert documented.get(key) == text, key


def test_the_shipped_configuration_has_the_defaults() -> None:
    schema = yaml.safe_load((CLONE / "workflow/schemas/config.schema.yaml").read_text())
    config = yaml.safe_load((CLONE / "config/config.yaml").read_text())
    for key, default in leaves(schema).items():
        if default != "(required)" and "<name>" not in key:
            value = config
            for part in key.split("."):
                value = value[part]
            assert value == default, key


def test_links_to_files_lead_somewhere() -> None:
    for document in ("README.md", "CONTRIBUTING.md", "config/README.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", (CLONE / document).read_text()):
            assert (CLONE / document).parent.joinpath(target).exists(), (document, target)


def test_the_options_of_the_executor_that_are_named_exist() -> None:
    from snakemake_executor_plugin_divvy import ExecutorSettings

    options = {f"divvy-{each.name.replace('_', '-')}" for each in dataclasses.fields(ExecutorSettings)}
    for document in ("README.md", "CHANGELOG.md"):
        assert set(re.findall(r"--(divvy-[\w-]+)", (CLONE / document).read_text())) <= options


def test_the_conda_environment_has_the_ranges_of_pyproject() -> None:
    import tomllib

    ranges = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]["dependencies"]
    split = (re.match(r"([\w-]+)(.*)", each) for each in ranges)
    wanted = {m[1]: m[2] for m in split if m}
    found = yaml.safe_load((CLONE / "workflow/envs/divvy-coverage.yaml").read_text())["dependencies"]
    for each in found:
        name, _, range_ = each.partition(" ") if isinstance(each, str) else ("pip", "", "")
        if name not in ("python", "pip"):
            assert range_ == wanted[name.removeprefix("python-")], name


def test_nothing_names_the_folder_of_this_machine() -> None:
    for name in tracked():
        path = CLONE / name
        if path.is_file() and os.path.getsize(path) < 1_000_000:
            assert str(CLONE) not in path.read_text(errors="ignore"), name
