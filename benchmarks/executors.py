"""Compare Snakemake's executors on one real Slurm: wall time, and what the submitting process costs.

Each executor runs the same workflow of jobs that do nothing, in turn, on a Slurm of two nodes on this machine that is
started for it. The controller is the `snakemake` process that submits: its CPU time is its own and that of all commands
it runs. Slurm's commands are counted by wrappers in the controller's PATH alone; jobs do not see them. The floor is what
the jobs cost without any executor, for each job is a Snakemake of its own. Peers that are not installed are left out;
`--install` puts each into a virtual environment of its own in the folder. With `--light`, jobs are stubs, and thousands
of them show what the controller costs (light.py).
"""

import argparse
import contextlib
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from light import BigSlurm, compare_light, light_executors
from slurm_runs import (
    COUNTED,
    OURS,
    SLURM_PLUGIN,
    Executor,
    OneHostSlurm,
    cpus,
    empty_queue,
    environment,
    install,
    is_installed,
    search_path,
    versions,
    wait,
    write_wrappers,
)

from one_host_slurm import unavailable

LARGEST_PACK = 120
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
    grouped = ["--groups", "job=together", "--group-components", f"together={TOGETHER}", "--cores", "1"]
    submit = "sbatch --parsable --cpus-per-task={threads} --mem={resources.mem_mb} --time={resources.runtime}"
    generic = ["--executor", "cluster-generic", "--cluster-generic-cancel-cmd", "scancel"]
    return [
        Executor("divvy", lambda folder: OURS),
        Executor(f"divvy, pack={TOGETHER}", lambda folder: [*OURS, "--set-resources", f"job:pack={TOGETHER}"]),
        Executor(f"divvy, groups of {TOGETHER}", lambda folder: [*OURS, *grouped]),
        Executor(
            "cluster-generic",
            lambda folder: [
                *generic,
                *("--cluster-generic-submit-cmd", f"{submit} --output={folder}/slurm-%j.log"),
                *("--cluster-generic-status-cmd", str(folder / "status.sh")),
            ],
            "snakemake-executor-plugin-cluster-generic",
        ),
        Executor("slurm", lambda folder: ["--executor", "slurm"], SLURM_PLUGIN),
        Executor(
            "slurm, arrays",
            lambda folder: ["--executor", "slurm", "--slurm-array-jobs", "all"],
            SLURM_PLUGIN,
        ),
    ]


def busy() -> float:
    """Return the CPU time of everything on this machine so far."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


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


def select(executors: Sequence[Executor], folder: Path, only: str) -> list[Executor]:
    """Return ours, and those of the others that are installed and whose names match a pattern."""
    wanted = [e for number, e in enumerate(executors) if number == 0 or re.search(only, e.name)]
    there = [executor for executor in wanted if is_installed(folder, executor)]
    for executor in wanted:
        if executor not in there:
            print(f"left out, not installed (--install does it): {executor.name}", file=sys.stderr)
    return there


def compare(slurm: OneHostSlurm, sizes: Sequence[int], there: Sequence[Executor], folder: Path, timeout: float) -> str:
    """Let all executors run all sizes in turn; return the table."""
    one = floor(folder, min(sizes), cpus(slurm))
    print(f"the jobs alone, {cpus(slurm)} at a time: {one.cpu:.2f} CPU s and {one.wall:.2f} s each", file=sys.stderr)
    results = []
    for jobs in sizes:
        for executor in there:
            result = run(executor, jobs, folder, timeout)
            empty_queue(slurm)
            results.append((executor, jobs, result))
            print(f"{executor.name}, {jobs} jobs: {result}", file=sys.stderr)
    return table(results, one)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench/executors"), help="for all files (%(default)s)")
    parser.add_argument("--jobs", type=int, nargs="+", help="sizes of the workflow (50 200; --light: 10000 2000)")
    parser.add_argument("--light", action="store_true", help="jobs are stubs: what thousands cost the controller")
    parser.add_argument(
        "--pack", type=int, nargs="+", help="jobs that share a submission, with --light, one for each size (100 1)"
    )
    parser.add_argument("--only", default="", help="only the executors whose names match this pattern, and ours")
    parser.add_argument("--timeout", type=float, help="seconds for one run (900; --light: 7200)")
    parser.add_argument("--install", action="store_true", help="install the peers' current versions into the folder")
    args = parser.parse_args(argv)
    if args.pack and max(args.pack) > LARGEST_PACK:
        parser.error(
            f"--pack {max(args.pack)}: jobs ask for a minute each, and this Slurm grants {LARGEST_PACK} minutes"
        )
    args.jobs = args.jobs or ([10_000, 2_000] if args.light else [50, 200])
    args.pack = args.pack or [100, 1]
    args.jobs *= len(args.pack) if args.light and len(args.jobs) == 1 else 1
    args.timeout = args.timeout or (7200 if args.light else 900)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: start Slurm, let all executors run in turn, and print the table."""
    args = parse(argv)
    for number in (signal.SIGINT, signal.SIGTERM):  # Slurm has to be stopped, also if this runs in the background
        signal.signal(number, signal.default_int_handler)
    if reason := unavailable():
        raise SystemExit(f"no Slurm can be started here: {reason}")
    folder = args.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    candidates = light_executors(1)[1:] if args.light else executors()
    for package in dict.fromkeys(
        e.peer for e in candidates if e.peer and re.search(args.only, e.name) and args.install
    ):
        install(folder, package)
    there = select(candidates, folder, args.only)
    with contextlib.ExitStack() as stack:
        kind = BigSlurm if args.light else OneHostSlurm
        slurm = stack.enter_context(kind(Path(tempfile.mkdtemp(prefix="slurm"))))
        stack.enter_context(slurm.default_place())  # jobs of the slurm executor do not hand on SLURM_CONF
        print(versions(folder, there), file=sys.stderr)
        if args.light:
            cases = list(zip(args.jobs, itertools.cycle(args.pack)))
            print(compare_light(slurm, cases, lambda each: select(each, folder, args.only), folder, args.timeout))
        else:
            print(compare(slurm, args.jobs, there, folder, args.timeout))


if __name__ == "__main__":
    main()
