"""Real schedulers behind one face, for tests that hold for each of them."""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from plugin_helpers import environment, start
from snakemake_executor_plugin_divvy.__main__ import SITES as FOLDER

SITES = FOLDER / "divvy_config.yaml"
QUICK = ["--latency-wait", "2", "--seconds-between-status-checks", "2"]


@dataclass
class Cluster:
    """A scheduler that runs here, and the words of its commands."""

    package: str
    env: dict[str, str]
    queue: Callable[[], list[str]]
    tell: Callable[..., str]  # runs one of its commands
    cancel: str
    held: str  # submission command of jobs that stay in the queue

    def start(self, folder: Path, *options: str, config: Path = SITES, path: Path | None = None) -> subprocess.Popen:
        """Start a run in the background; `path` goes first in PATH."""
        folders = [*([str(path)] if path else []), environment()["PATH"], self.env.get("PATH", "")]
        env = self.env | {"PATH": os.pathsep.join(folders)}
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
    """Return a shell directive; braces are Snakemake's."""
    return "    shell: r'''\n" + "\n".join(lines) + "\n'''\n"
