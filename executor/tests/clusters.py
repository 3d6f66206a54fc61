"""Real schedulers behind one face, for tests that hold for each of them."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from one_host_sge import OneHostGridEngine
from one_host_slurm import OneHostSlurm
from plugin_helpers import count_lines, environment, start
from snakemake_executor_plugin_divvy.__main__ import SITES as FOLDER

SITES = FOLDER / "divvy_config.yaml"
SLURM = pytest.param("slurm", marks=pytest.mark.xdist_group("slurm"))
GRID_ENGINE = pytest.param("grid_engine", marks=pytest.mark.xdist_group("grid_engine"))
on_slurm = pytest.mark.parametrize("cluster", [SLURM], indirect=True)
on_grid_engine = pytest.mark.parametrize("cluster", [GRID_ENGINE], indirect=True)
STARTS = "echo start >> starts.{wildcards.n}"
ALONE = "exec 9>> .running.{wildcards.n}; flock --nonblock 9 || echo {wildcards.n} >> .twins"
INTERCEPTED = """\
#!/bin/bash
real() {{ env PATH="${{PATH#*:}}" {name} "$@"; }}
exec 8>> {path}.calls
flock 8
printf '%s\\n' "${{*//$'\\n'/ }}" >&8
call=$(wc -l < {path}.calls)
exec 8>&-
trap 'echo "$?" >> {path}.statuses' EXIT
{lines}
"""
QUICK = ["--latency-wait", "2", "--seconds-between-status-checks", "2"]


@dataclass
class Cluster:
    """A scheduler that runs here, and the words of its commands."""

    package: str
    server: OneHostSlurm | OneHostGridEngine
    submit: str
    query: str
    cancel: str
    held: str  # submission command of jobs that stay in the queue

    def queue(self) -> list[str]:
        """Return the ids of the jobs in the queue."""
        return self.server.queue()

    def tell(self, *command: str) -> str:
        """Run one of its commands; return what it printed, "" on failure."""
        return self.server.run(*command)

    def start(self, folder: Path, *options: str, config: Path = SITES, path: Path | None = None) -> subprocess.Popen:
        """Start a run in the background; `path` goes first in PATH."""
        folders = [*([str(path)] if path else []), environment()["PATH"], self.server.env.get("PATH", "")]
        env = self.server.env | {"PATH": os.pathsep.join(folders)}
        package = ["--divvy-config", str(config), "--divvy-compute-package", self.package]
        call = ["snakemake", "--executor", "divvy", "--jobs", "300", *package, *QUICK, *options]
        return start(*call, folder=folder, **env)

    def run(self, folder: Path, *options: str, config: Path = SITES, path: Path | None = None) -> tuple[int, str]:
        """Run to the end; return the exit status and what was said."""
        return finish(self.start(folder, *options, config=config, path=path))

    def config(self, folder: Path, command: str) -> Path:
        """Write a divvy configuration like the one that comes with the plugin, with another submission command."""
        config = yaml.safe_load(SITES.read_text())
        package = config["compute_packages"][self.package]
        package["submission_template"] = str(SITES.parent / package["submission_template"])
        package["submission_command"] = command
        path = folder / "divvy_config.yaml"
        path.write_text(yaml.safe_dump({"compute_packages": {self.package: package}}))
        return path


def finish(process: subprocess.Popen, seconds: float = 240) -> tuple[int, str]:
    """Wait for a run; return its exit status and what it said."""
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        raise AssertionError(f"no end after {seconds} s:\n{said}") from None
    return process.returncode, said


def said_with(process: subprocess.Popen, words: str) -> str:
    """Read what a run says up to the first line with these words; return that line."""
    said = [""]
    while words not in said[-1]:
        said.append(process.stdout.readline())
        assert said[-1], "".join(said)
    return said[-1]


def workflow(folder: Path, rules: str, targets: Sequence[object] = (0,)) -> None:
    """Write a Snakefile that makes <target>.txt for all targets; `rules` is the body of the rule `job`."""
    folder.mkdir(parents=True, exist_ok=True)
    head = f"rule all:\n    input: expand('{{n}}.txt', n={list(targets)!r})\n\n\nrule job:\n    output: '{{n}}.txt'\n"
    (folder / "Snakefile").write_text(head + rules)


def shell(*lines: str) -> str:
    """Return a shell directive; braces are Snakemake's.

    What it runs holds a lock as long as any process of it lives, so that two at once are noted (`list_twins`).
    """
    return "    shell: r'''\n" + "\n".join([ALONE, *lines]) + "\n'''\n"


def intercept(folder: Path, name: str, *lines: str) -> Path:
    """Put a script in front of a scheduler's command; return the folder that goes first in PATH.

    The script is bash; in it `real` is the command itself, `$call` the number of the call, from 1 on. Exit statuses are
    noted for `exit_statuses`.
    """
    path = folder / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(INTERCEPTED.format(path=path, name=name, lines="\n".join(lines)))
    path.chmod(0o755)
    return path.parent


def exit_statuses(folder: Path, name: str) -> list[int]:
    """Return the exit status of each call of an intercepted command that has ended."""
    path = folder / "bin" / f"{name}.statuses"
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def count_calls(folder: Path, name: str) -> int:
    """Return how often an intercepted command was called."""
    return count_lines(folder / "bin" / f"{name}.calls")


def list_twins(folder: Path) -> list[str]:
    """Return the jobs of workflows in a folder or below that ran twice at the same time."""
    return [line for note in folder.rglob(".twins") for line in note.read_text().split()]


def starts(folder: Path) -> dict[str, int]:
    """Return how often each job started, as the line STARTS notes."""
    return {path.suffix[1:]: count_lines(path) for path in folder.glob("starts.*")}


def outputs(folder: Path) -> set[str]:
    """Return the targets that are there."""
    return {path.stem for path in folder.glob("*.txt")}
