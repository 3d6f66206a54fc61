"""Compare Snakemake's executors on one real Slurm: wall time, and what the submitting process costs.

Each executor runs the same workflow of jobs that do nothing, in turn, on a Slurm of two nodes on this machine that is
started for it. The controller is the `snakemake` process that submits: its CPU time is its own and that of all commands
it runs. Slurm's commands are counted by wrappers in the controller's PATH alone; jobs do not see them. The floor is what
the jobs cost without any executor, for each job is a Snakemake of its own. Peers that are not installed are left out;
`--install` puts each into a virtual environment of its own in the folder.
"""

import argparse
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLUGIN = HERE.parent / "executor"
sys.path.insert(0, str(PLUGIN / "tests"))

from one_host_slurm import OneHostSlurm, search_path, unavailable

SITES = PLUGIN / "src" / "snakemake_executor_plugin_divvy" / "sites" / "divvy_config.yaml"
COUNTED = ("sbatch", "squeue", "sacct", "scontrol")
OTHERS = ("scancel", "sinfo", "sacctmgr", "srun", "sstat", "sprio", "sshare")
TOGETHER = 25  # jobs of a pack or a group
COMMON = ["--jobs", "300", "--latency-wait", "5"]
SNAKEFILE = """\
rule all:
    input: expand("out/{{n}}.txt", n=range({jobs}))


rule job:
    output: "out/{{n}}.txt"
    resources: mem_mb=700, runtime=2
    shell: "touch {{output}}"
"""
# the call of a job, as executors write it
JOB = """\
-m snakemake --snakefile Snakefile --target-jobs job:n={n} --allowed-rules job --cores all --attempt 1 --force-use-threads
--force --target-files-omit-workdir-adjustment --max-inventory-time 0 --retries 0 --nocolor --no-hooks --nolock
--ignore-incomplete --rerun-triggers input code mtime params software-env --conda-frontend conda --shared-fs-usage
input-output storage-local-copies software-deployment software-deployment-cache persistence sources source-cache
--latency-wait 5 --scheduler ilp --default-resources base64//dG1wZGlyPXN5c3RlbV90bXBkaXI= --mode remote
"""
WRAPPER = """\
#!/bin/sh
echo {name} >> {calls}
PATH={path} exec {program} "$@"
"""
# the status command of cluster-generic, in the way of its examples, with as few processes as can be
STATUS = """\
#!/bin/sh
state=$(sacct --allocations --noheader --parsable2 --format=State --jobs="$1")
if [ -z "$state" ]; then  # not in the accounting yet
    state=$(scontrol --oneliner show job "$1")
    state=${state#*JobState=}
fi
case "$state" in
    COMPLETED*) echo success ;;
    BOOT_FAIL*|CANCELLED*|DEADLINE*|FAILED*|NODE_FAIL*|OUT_OF_MEMORY*|TIMEOUT*) echo failed ;;
    *) echo running ;;
esac
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


@dataclass(frozen=True)
class Result:
    """What one run did; times are in seconds."""

    wall: float
    cpu: float
    machine: float  # CPU time of everything on this machine meanwhile
    calls: Counter[str] = field(default_factory=Counter)
    outputs: int = 0
    end: str = "ok"


def executors() -> list[Executor]:
    """Return the executors; ours is the first."""
    ours = ["--executor", "divvy", "--divvy-config", str(SITES), "--divvy-compute-package", "slurm"]
    grouped = ["--groups", "job=together", "--group-components", f"together={TOGETHER}", "--cores", "1"]
    submit = "sbatch --parsable --cpus-per-task={threads} --mem={resources.mem_mb} --time={resources.runtime}"
    generic = ["--executor", "cluster-generic", "--cluster-generic-cancel-cmd", "scancel"]
    return [
        Executor("divvy", lambda folder: ours),
        Executor(f"divvy, pack={TOGETHER}", lambda folder: [*ours, "--set-resources", f"job:pack={TOGETHER}"]),
        Executor(f"divvy, groups of {TOGETHER}", lambda folder: [*ours, *grouped]),
        Executor(
            "cluster-generic",
            lambda folder: [
                *generic,
                *("--cluster-generic-submit-cmd", f"{submit} --output={folder}/slurm-%j.log"),
                *("--cluster-generic-status-cmd", str(folder / "status.sh")),
            ],
            "snakemake-executor-plugin-cluster-generic",
        ),
        Executor("slurm", lambda folder: ["--executor", "slurm"], "snakemake-executor-plugin-slurm"),
        Executor(
            "slurm, arrays",
            lambda folder: ["--executor", "slurm", "--slurm-array-jobs", "all"],
            "snakemake-executor-plugin-slurm",
        ),
    ]


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


def installed(folder: Path, executor: Executor) -> bool:
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


def busy() -> float:
    """Return the CPU time of everything on this machine so far."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


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


def run(executor: Executor, jobs: int, folder: Path, timeout: float) -> Result:
    """Run the workflow once, in a folder of its own."""
    where = Path(tempfile.mkdtemp(prefix=f"{jobs}-{re.sub('[^a-z0-9]+', '-', executor.name)}-", dir=folder))
    (where / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs))
    (where / "status.sh").write_text(STATUS)
    (where / "status.sh").chmod(0o755)
    calls = where / "calls"
    calls.touch()
    write_wrappers(where / "wrappers", calls)
    command = [str(executor.python(folder)), "-m", "snakemake", *COMMON, *executor.options(where)]
    env = environment(PATH=f"{where / 'wrappers'}:{search_path()}")
    with (where / "snakemake.log").open("wb") as log:
        before, start = busy(), time.monotonic()
        process = subprocess.Popen(
            command, cwd=where, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        end, cpu = wait(process, timeout)
        wall, machine = time.monotonic() - start, busy() - before
    outputs = sum((where / "out" / f"{n}.txt").exists() for n in range(jobs))
    if end == "ok" and outputs < jobs:
        end = f"{jobs - outputs} outputs are missing"
    if end != "ok":
        print(f"{executor.name}, {jobs} jobs: {end}; see {where / 'snakemake.log'}", file=sys.stderr)
    return Result(wall, cpu, machine, Counter(calls.read_text().split()), outputs, end)


def floor(folder: Path, jobs: int, slots: int) -> Result:
    """Run the calls of the jobs by xargs, as many at a time as Slurm would; return the times of one job."""
    where = Path(tempfile.mkdtemp(prefix="floor-", dir=folder))
    (where / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs))
    command = f"{shlex.quote(sys.executable)} {' '.join(JOB.split()).format(n='{}')} 2>&1"
    with (where / "snakemake.log").open("wb") as log:
        before, start = busy(), time.monotonic()
        process = subprocess.Popen(
            ["xargs", "-P", str(slots), "-I", "{}", "sh", "-c", command],
            cwd=where,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write("\n".join(map(str, range(jobs))).encode())
        end, cpu = wait(process, 600)
        wall, machine = time.monotonic() - start, busy() - before
    outputs = sum((where / "out" / f"{n}.txt").exists() for n in range(jobs))
    if end != "ok" or outputs < jobs:
        raise SystemExit(f"the jobs alone failed; see {where / 'snakemake.log'}")
    return Result(wall / jobs, cpu / jobs, machine / jobs)


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


def table(results: Sequence[tuple[Executor, int, Result]], one: Result) -> str:
    """Return the results as a Markdown table; `one` is a job alone."""
    lines = [
        "| jobs | executor | succeeded | wall s | wall / ours | controller CPU s | CPU / ours "
        f"| {' | '.join(COUNTED)} | others | all CPU s |",
        "|---" * (9 + len(COUNTED)) + "|",
    ]
    for jobs in dict.fromkeys(jobs for _, jobs, _ in results):
        rows = [(executor, result) for executor, number, result in results if number == jobs]
        ours = rows[0][1]
        blank = " | –" * len(COUNTED)
        lines.append(
            f"| {jobs} | its jobs alone | – | {one.wall * jobs:.1f} | {one.wall * jobs / ours.wall:.2f} "
            f"| – | –{blank} | – | {one.machine * jobs:.1f} |"
        )
        for executor, result in rows:
            others = result.calls.total() - sum(result.calls[name] for name in COUNTED)
            good = f"{result.outputs}" if result.end == "ok" else f"{result.outputs} ({result.end})"
            lines.append(
                f"| {jobs} | {executor.name} | {good} | {result.wall:.1f} | {result.wall / ours.wall:.2f} "
                f"| {result.cpu:.2f} | {result.cpu / ours.cpu:.2f} "
                f"| {' | '.join(str(result.calls[name]) for name in COUNTED)} | {others} | {result.machine:.1f} |"
            )
    return "\n".join(lines)


def versions(folder: Path, there: Sequence[Executor]) -> str:
    """Return what was compared."""
    names = {"snakemake", "snakemake-executor-plugin-divvy", "looper"} | {e.peer for e in there if e.peer}
    paths = [sysconfig.get_path("purelib"), *(str(path) for path in folder.glob("*/lib/python*/site-packages"))]
    found = {dist.name: dist.version for dist in distributions(path=paths) if dist.name in names}
    slurm = subprocess.run(["sbatch", "--version"], capture_output=True, text=True).stdout.strip()
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", slurm, *(f"{name} {version}" for name, version in sorted(found.items()))])


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: start Slurm, let all executors run in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench/executors"), help="for all files (%(default)s)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[50, 200], help="sizes of the workflow (%(default)s)")
    parser.add_argument("--only", default="", help="only the executors whose names match this pattern, and ours")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one run (%(default)s)")
    parser.add_argument("--install", action="store_true", help="install the peers' current versions into the folder")
    args = parser.parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM):  # Slurm has to be stopped, also if this runs in the background
        signal.signal(number, signal.default_int_handler)
    if reason := unavailable():
        raise SystemExit(f"no Slurm can be started here: {reason}")
    folder = args.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [e for number, e in enumerate(executors()) if number == 0 or re.search(args.only, e.name)]
    for package in dict.fromkeys(e.peer for e in wanted if e.peer and args.install):
        install(folder, package)
    there = [executor for executor in wanted if installed(folder, executor)]
    for executor in wanted:
        if executor not in there:
            print(f"left out, not installed (--install does it): {executor.name}", file=sys.stderr)
    results = []
    with contextlib.ExitStack() as stack:
        slurm = stack.enter_context(OneHostSlurm(Path(tempfile.mkdtemp(prefix="slurm"))))
        stack.enter_context(slurm.default_place())  # jobs of the slurm executor do not hand on SLURM_CONF
        print(versions(folder, there), file=sys.stderr)
        one = floor(folder, min(args.jobs), cpus(slurm))
        print(
            f"the jobs alone, {cpus(slurm)} at a time: {one.cpu:.2f} CPU s and {one.wall:.2f} s each", file=sys.stderr
        )
        for jobs in args.jobs:
            for executor in there:
                result = run(executor, jobs, folder, args.timeout)
                empty_queue(slurm)
                results.append((executor, jobs, result))
                print(f"{executor.name}, {jobs} jobs: {result}", file=sys.stderr)
    print(table(results, one))


if __name__ == "__main__":
    main()
