"""What the tests of the plugin share: an environment, commands, stand-ins, and runs of Snakemake."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
# names of what tests need (slurm grid_engine …) that must not be skipped
REQUIRED = os.environ.get("DIVVY_COVERAGE_REQUIRE", "").split()
PROFILE = """\
executor: divvy
divvy-compute-package: default
jobs: 500
keep-going: true
rerun-incomplete: true
latency-wait: 5
"""


def need(available: bool, what: str, reason: str) -> None:
    """Skip the test if `what` is not there, but fail where DIVVY_COVERAGE_REQUIRE names it."""
    if not available:
        (pytest.fail if what in REQUIRED else pytest.skip)(f"{what}: {reason}")


def environment(**more: str) -> dict[str, str]:
    """An environment in which `snakemake` and `python` are those that run the tests."""
    clean = {k: v for k, v in os.environ.items() if k not in ("DIVCFG", "SNAKEMAKE_PROFILE")}
    return clean | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | more


def heed_ctrl_c() -> None:
    """Let a process heed SIGINT even where the tests run in the background of a shell, which makes them ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def command(*words: str | Path, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command; stdout holds stderr too."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def start(*words: str | Path, folder: Path, **env: str) -> subprocess.Popen[str]:
    """Start a command in the background; stdout holds stderr too."""
    return subprocess.Popen(
        [str(word) for word in words],
        cwd=folder,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_ctrl_c,
    )


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command printed, which has to have succeeded."""
    assert done.returncode == 0, done.stdout
    return done.stdout


def refuse(done: subprocess.CompletedProcess[str], *essentials: str) -> str:
    """Return what a command printed, which has to have failed with a message that holds all `essentials`."""
    assert done.returncode == 1, done.stdout
    missing = [essential for essential in essentials if essential not in done.stdout]
    assert not missing, f"not said: {missing}\n{done.stdout}"
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def write_profile(folder: Path) -> None:
    """Let `snakemake --profile divvy` work in `folder`."""
    (folder / "divvy").mkdir(exist_ok=True)
    (folder / "divvy" / "config.yaml").write_text(PROFILE)


def write_site(folder: Path, template: str = "{CODE}\n", command: str = "bash", **settings: str) -> list[str]:
    """Write a divvy configuration with one package, whose settings are YAML; return the options that choose it."""
    (folder / "template.sub").write_text(template)
    package = {"submission_template": "template.sub", "submission_command": command} | settings
    lines = "".join(f"    {name}: {value}\n" for name, value in package.items())
    (folder / "divvy.yaml").write_text(f"compute_packages:\n  p:\n{lines}")
    return ["--divvy-config", "divvy.yaml", "--divvy-compute-package", "p"]


def stand_in(folder: Path, name: str, script: str) -> None:
    """Write a command that does what `script` says and adds its arguments to <name>.calls."""
    path = folder / name
    path.write_text(f'#!/bin/bash\nprintf "%s\\n" "$*" >> {folder}/{name}.calls\n{script}\n')
    path.chmod(0o755)


def calls(folder: Path, name: str) -> list[str]:
    """Return the arguments of each call of a stand-in."""
    return (folder / f"{name}.calls").read_text().splitlines()


def is_alive(pid: int | str) -> bool:
    """Tell whether a process lives; one that nobody has waited for does not."""
    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def count_lines(path: Path) -> int:
    """Return how many lines a file has that may not exist yet."""
    return path.read_text().count("\n") if path.exists() else 0


def wait_until(ready: Callable[[], object], seconds: float = 90) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
