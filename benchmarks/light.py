"""What a controller costs with thousands of jobs: their Snakemake is a stub, so that little but the controller runs.

A job of Slurm runs the script that its executor has written, up to the call of Snakemake, in whose place
`stubs/stub_job.py` makes the outputs and writes the time into each. `floor` is an executor that runs nothing
(`stubs/snakemake_executor_plugin_floor`): what a controller takes with it is Snakemake's own. `stubs/run_controller.py`
notes when an executor says that a job has ended, and when Snakemake is done with it.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from slurm_runs import (
    HERE,
    OURS,
    PLUGIN,
    SLURM_PLUGIN,
    Executor,
    OneHostSlurm,
    empty_queue,
    environment,
    search_path,
    wait,
    write_wrappers,
)

STUBS = HERE / "stubs"
DEFAULT_CASES = [(10_000, 100), (2_000, 1)]  # jobs, and how many share a submission
QUERIES = ("squeue", "sacct", "scontrol")
TASKS = 50  # of an array of the slurm executor: their calls are one word of a command line, which holds 128 KB
FLOORS = 3  # runs of the floor, whose median counts
FEWEST = 10  # active submissions with which a number of files per active submission means something
SNAKEFILE = """\
rule all:
    input: expand("out/{{n}}.txt", n=range({jobs}))


rule job:
    output: "out/{{n}}.txt"
    resources: mem_mb=100, runtime=1
    shell: "true > {{output}}"
"""


class BigSlurm(OneHostSlurm):
    """A Slurm that holds more jobs than it does by default, and does not limit their memory."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, limits="linuxproc")

    def _tidy_up(self) -> None:
        """Leave the cgroups alone: it has none."""

    def _write_conf(self) -> None:
        super()._write_conf()
        with (self.root / "slurm.conf").open("a") as conf:
            conf.write("MaxJobCount=100000\nMaxArraySize=100001\n")


@dataclass(frozen=True)
class Sample:
    """What was seen at a time: files in the executor's state folders, and submissions so far."""

    time: float
    files: int
    submissions: int


@dataclass(frozen=True)
class LightRun:
    """What one run did: seconds of CPU, MB of memory, and times by the n of a job."""

    wall: float
    samples: Sequence[Sample] = ()
    calls: Counter[str] = field(default_factory=Counter)
    ends: dict[str, float] = field(default_factory=dict)  # when jobs ended
    noticed: dict[str, float] = field(default_factory=dict)  # when the executor said so
    taken: dict[str, float] = field(default_factory=dict)  # when Snakemake was done with them
    cpu: float = 0.0
    commands: float = 0.0  # CPU time of the commands that the controller ran
    memory: float = 0.0
    end: str = "ok"

    @property
    def queries(self) -> int:
        """How many times the scheduler was asked."""
        return sum(self.calls[name] for name in QUERIES)

    def lags(self, until: float = float("inf")) -> list[float]:
        """Return for how long jobs that ended before a time had ended when the executor said so."""
        return [self.noticed[n] - end for n, end in self.ends.items() if n in self.noticed and end < until]

    def last_submission(self) -> float:
        """Return when the last submission had been made, to the second."""
        return next((s.time for s in self.samples if s.submissions == self.calls["sbatch"]), 0.0)

    def active(self, sample: Sample, pack: int) -> int:
        """Return how many submissions had not been seen to end."""
        return sample.submissions - sum(noticed <= sample.time for noticed in self.noticed.values()) // pack


class Sampler(threading.Thread):
    """Counts files and submissions each second."""

    def __init__(self, folder: Path, calls: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.calls = folder, calls
        self.samples: list[Sample] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Take samples until told to end."""
        while not self.ended.wait(1):
            files = sum(1 for _ in self.folder.glob("*/**/*"))
            self.samples.append(Sample(time.time(), files, self.calls.read_text().split().count("sbatch")))


def light_executors(pack: int) -> list[Executor]:
    """Return the executors for jobs of which `pack` share a submission: the floor, ours, and slurm's with arrays."""
    packed = ["--set-resources", f"job:pack={pack}"] if pack > 1 else []
    arrays = ["--executor", "slurm", "--slurm-array-jobs", "all", "--slurm-array-limit", str(TASKS)]
    return [
        Executor("Snakemake alone", lambda folder: ["--executor", "floor", "--floor-batch", str(pack)]),
        Executor(f"divvy, pack={pack}" if packed else "divvy", lambda folder: [*OURS, *packed]),
        Executor(f"slurm, arrays of {TASKS}", lambda folder: arrays, SLURM_PLUGIN),
    ]


def write_stub(where: Path) -> Path:
    """Write what jobs run in the place of Python, which starts with nothing but the standard library."""
    python = where / "python"
    python.write_text(f"#!{sys.executable} -IS\n{(STUBS / 'stub_job.py').read_text()}")
    python.chmod(0o755)
    return python


def run_light(executor: Executor, jobs: int, folder: Path, timeout: float) -> LightRun:
    """Run the workflow once, in a folder of its own."""
    where = Path(tempfile.mkdtemp(prefix=f"{jobs}-{re.sub('[^a-z0-9]+', '-', executor.name)}-", dir=folder))
    (where / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs))
    calls, notes = where / "calls", where / "notes.json"
    calls.touch()
    write_wrappers(where / "wrappers", calls)
    # all at once: with the usual 100 jobs per second, Snakemake chooses among all the others each second, which takes
    # three times the CPU of all else with 4,000 jobs, and more with each
    options = ["--jobs", str(jobs), "--max-jobs-per-timespan", f"{jobs}/1s", "--latency-wait", "5"]
    program = [str(executor.python(folder)), str(STUBS / "run_controller.py"), str(write_stub(where)), str(notes)]
    path = str(STUBS) if executor.peer else f"{PLUGIN / 'src'}:{STUBS}"
    env = environment(PATH=f"{where / 'wrappers'}:{search_path()}", PYTHONPATH=path)
    sampler = Sampler(where / ".snakemake" / "divvy", calls)
    with (where / "snakemake.log").open("wb") as log:
        start = time.monotonic()
        process = subprocess.Popen(
            [*program, *options, *executor.options(where)],
            cwd=where,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        sampler.start()
        end, _ = wait(process, timeout)
        wall = time.monotonic() - start
    sampler.ended.set()
    sampler.join()
    ends = {str(n): float(path.read_text()) for n in range(jobs) if (path := where / "out" / f"{n}.txt").exists()}
    if end == "ok" and len(ends) < jobs:
        end = f"{jobs - len(ends)} outputs are missing"
    if end != "ok":
        print(f"{executor.name}, {jobs} jobs: {end}; see {where / 'snakemake.log'}", file=sys.stderr)
    noted = json.loads(notes.read_text()) if notes.exists() else {}
    return LightRun(wall, sampler.samples, Counter(calls.read_text().split()), ends, end=end, **noted)


def run_floor(executor: Executor, jobs: int, folder: Path, timeout: float) -> LightRun:
    """Run the floor several times; return the run whose CPU time is the median."""
    return sorted((run_light(executor, jobs, folder, timeout) for _ in range(FLOORS)), key=lambda run: run.cpu)[
        FLOORS // 2
    ]


def describe_files(run: LightRun, pack: int) -> str:
    """Return the largest number of files with that of active submissions then, and the largest ratio of both."""
    if not any(sample.files for sample in run.samples):
        return "– | –"
    counted = [(sample.files, run.active(sample, pack)) for sample in run.samples]
    files, active = max(counted)
    ratio = max((files / active for files, active in counted if active >= FEWEST), default=0.0)
    return f"{files} / {active} | {ratio:.1f}"


def describe_lags(run: LightRun) -> str:
    """Return how long the ends of jobs went unnoticed: median, largest, and largest while others were submitted."""
    lags, meanwhile = run.lags(), run.lags(run.last_submission())
    if not lags:
        return "– | – | – | –"
    taken = max(run.taken[n] - end for n, end in run.ends.items() if n in run.taken)
    busy = f"{max(meanwhile):.1f} ({len(meanwhile)} jobs)" if meanwhile else "–"
    return f"{median(lags):.1f} | {max(lags):.1f} | {busy} | {taken:.1f}"


def build_light_table(results: Sequence[tuple[int, int, Executor, LightRun]]) -> str:
    """Return the results as a Markdown table; the first run of each case is the floor."""
    head = (
        "jobs | executor | succeeded | wall s | controller CPU s | beyond Snakemake s | of Snakemake's | of wall "
        "| its commands' CPU s | peak MB | sbatch | queries | per 10 s | most files / active | files per active "
        "| lag s, median | largest | largest while submitting | until Snakemake is done"
    ).split("|")
    lines = [f"|{'|'.join(head)} |", "|---" * len(head) + "|"]
    floors: dict[tuple[int, int], LightRun] = {}
    for jobs, pack, executor, run in results:
        floor = floors.setdefault((jobs, pack), run)
        beyond = run.cpu - floor.cpu
        good = f"{len(run.ends)}" if run.end == "ok" else f"{len(run.ends)} ({run.end})"
        cost = "– | – | –" if run is floor else f"{beyond:.1f} | {beyond / floor.cpu:.0%} | {beyond / run.wall:.1%}"
        lines.append(
            f"| {jobs} | {executor.name} | {good} | {run.wall:.0f} | {run.cpu:.1f} | {cost} | {run.commands:.1f} "
            f"| {run.memory:.0f} | {run.calls['sbatch']} | {run.queries} | {run.queries / run.wall * 10:.2f} "
            f"| {describe_files(run, pack)} | {'– | – | – | –' if run is floor else describe_lags(run)} |"
        )
    return "\n".join(lines)


def compare_light(
    slurm: OneHostSlurm,
    cases: Sequence[tuple[int, int]],
    select: Callable[[Sequence[Executor]], list[Executor]],
    folder: Path,
    timeout: float,
) -> str:
    """Let the floor and the selected executors run all cases in turn; return the table."""
    results = []
    for jobs, pack in cases:
        floor, *others = light_executors(pack)
        results.append((jobs, pack, floor, run_floor(floor, jobs, folder, timeout)))
        for executor in select(others):
            results.append((jobs, pack, executor, run_light(executor, jobs, folder, timeout)))
            empty_queue(slurm)
            print(build_light_table(results).splitlines()[-1], file=sys.stderr)
    return build_light_table(results)
