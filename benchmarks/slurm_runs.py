"""Runs of Snakemake on one real Slurm: what the comparisons of executors have in common."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parent / "executor"
sys.path.insert(0, str(PLUGIN / "tests"))

from one_host_slurm import OneHostSlurm, search_path

SITES = PLUGIN / "src" / "snakemake_executor_plugin_divvy" / "sites" / "divvy_config.yaml"
SLURM_PLUGIN = "snakemake-executor-plugin-slurm"
OURS = ["--executor", "divvy", "--divvy-config", str(SITES), "--divvy-compute-package", "slurm"]
COUNTED = ("sbatch", "squeue", "sacct", "scontrol")
OTHERS = ("scancel", "sinfo", "sacctmgr", "srun", "sstat", "sprio", "sshare")
WRAPPER = """\
#!/bin/sh
echo {name} >> {calls}
PATH={path} exec {program} "$@"
"""


@dataclass(frozen=True)
class Executor:
    """An executor of Snakemake with its options; `peer` is the package it comes in, "" if it is ours."""

    name: str
    options: Callable[[Path], list[str]]  # takes the folder of the run
    peer: str = ""

    def python(self, folder: Path) -> Path:
        """Return the Python that has it."""
        return folder / self.peer / "bin" / "python" if self.peer else Path(sys.executable)


def install(folder: Path, package: str) -> None:
    """Put a peer into an environment of its own that sees this one's packages, but not our plugin."""
    python = folder / package / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder / package)], check=True)
    inside = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", inside], check=True, capture_output=True, text=True).stdout.strip()
    # editable installations, such as ours, stand in .pth files, which are not read in a folder named by one
    Path(site, "project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", package], check=True
    )


def is_installed(folder: Path, executor: Executor) -> bool:
    """Whether a peer is there, and Snakemake loads it."""
    python = executor.python(folder)
    return (
        python.exists() and not subprocess.run([python, "-m", "snakemake", "--version"], capture_output=True).returncode
    )


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a user: bytecode is kept, and nothing of Slurm's or divvy's is set."""
    foreign = re.compile(r"SLURM_|DIVCFG$|SNAKEMAKE_|PYTHON(DONTWRITEBYTECODE|PATH)$")
    return {name: value for name, value in os.environ.items() if not foreign.match(name)} | more


def write_wrappers(folder: Path, calls: Path) -> None:
    """Write wrappers of Slurm's commands that count, and take themselves out of the PATH that jobs inherit."""
    folder.mkdir()
    for name in (*COUNTED, *OTHERS):
        if program := shutil.which(name, path=search_path()):
            words = {"calls": str(calls), "path": search_path(), "program": program}
            wrapper = folder / name
            wrapper.write_text(WRAPPER.format(name=name, **{key: shlex.quote(word) for key, word in words.items()}))
            wrapper.chmod(0o755)


def wait(process: subprocess.Popen[bytes], seconds: float) -> tuple[str, float]:
    """Wait for a process, not longer than that; return how it ended, and its CPU time with its children's."""
    late = threading.Event()

    def end() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    said = f"not done after {seconds:g} s" if late.is_set() else f"exit status {process.returncode}"
    return "ok" if process.returncode == 0 else said, usage.ru_utime + usage.ru_stime


def cpus(slurm: OneHostSlurm) -> int:
    """Return how many CPUs Slurm has, which are more than there are."""
    return int(slurm.run("sinfo", "--noheader", "--format=%C").strip().rpartition("/")[2])


def empty_queue(slurm: OneHostSlurm) -> None:
    """Cancel what a run has left, and wait until nothing is in the queue."""
    end = time.monotonic() + 120
    while queue := slurm.queue():
        if time.monotonic() > end:
            raise SystemExit(f"jobs that do not leave the queue: {' '.join(queue)}")
        slurm.run("scancel", "--user", str(os.geteuid()))
        time.sleep(0.5)


def versions(folder: Path, there: Sequence[Executor]) -> str:
    """Return what was compared."""
    names = {"snakemake", "snakemake-executor-plugin-divvy", "looper"} | {e.peer for e in there if e.peer}
    paths = [sysconfig.get_path("purelib"), *(str(path) for path in folder.glob("*/lib/python*/site-packages"))]
    found = {dist.name: dist.version for dist in distributions(path=paths) if dist.name in names}
    slurm = subprocess.run(["sbatch", "--version"], capture_output=True, text=True).stdout.strip()
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", slurm, *(f"{name} {version}" for name, version in sorted(found.items()))])
