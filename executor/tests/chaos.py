"""Run workflows on a real Slurm while things go wrong, and check that every job was done once and none was forgotten.

    python executor/tests/chaos.py --seeds 0-99 --at-once 4

A seed is a workflow of 60 jobs, some of which fail at first, and a schedule of faults: the controller is killed and
started again, slurmctld is away, a job of the run is canceled, the disk of the working folder is full, Slurm's commands
time out. It needs root and the programs of Slurm (see one_host_slurm.py). What a failed seed leaves behind is kept.
"""

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from chaos_run import Fault, Outages, Run
from chaos_workflow import (
    count_starts,
    find_wrong_outputs,
    find_wrong_starts,
    make_jobs,
    read_notes,
    write_workflow,
)
from one_host_slurm import OneHostSlurm, unavailable
from overlaps import describe_overlaps, list_allocations

DISK = "48m"
SHOWN = 10  # problems of a seed
WEIGHTS = {"kill": 4, "outage": 2, "cancel": 3, "full disk": 2, "timeouts": 2}
SECONDS = {
    "kill": (0.0, 6.0),
    "outage": (5.0, 30.0),
    "cancel": (0.0, 0.0),
    "full disk": (2.0, 8.0),
    "timeouts": (5.0, 20.0),
}


@dataclass(frozen=True)
class Result:
    """What became of a seed; `problems` is empty if all is well."""

    seed: int
    schedule: Sequence[Fault]
    problems: Sequence[str]
    happened: Sequence[str]
    starts: int
    seconds: float
    folder: Path

    def __str__(self) -> str:
        faults = "; ".join(map(str, self.schedule))
        line = f"seed {self.seed}: {'FAILED' if self.problems else 'good'}, {self.seconds:.0f} s, {self.starts} starts"
        if not self.problems:
            return f"{line}; {faults}"
        more = [f"… and {len(self.problems) - SHOWN} more"] if len(self.problems) > SHOWN else []
        return "\n    ".join(
            [line, *self.problems[:SHOWN], *more, f"faults: {faults}", *self.happened, f"kept: {self.folder}"]
        )


def make_schedule(chance: random.Random, outage: tuple[float, float] = SECONDS["outage"]) -> list[Fault]:
    """Return faults in order; some come while the one before still lasts."""
    kinds = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=chance.randint(2, 5))
    after = sorted(chance.randint(0, 55) for _ in kinds)
    for number in range(1, len(after)):
        if chance.random() < 0.3:
            after[number] = after[number - 1]
    seconds = SECONDS | {"outage": outage}
    return [
        Fault(kind, start, round(chance.uniform(0, 3), 1), round(chance.uniform(*seconds[kind]), 1))
        for kind, start in zip(kinds, after, strict=True)
    ]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Let a new folder be a small disk."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def run_seed(outages: Outages, seed: int, folder: Path, outage: tuple[float, float]) -> Result:
    """Run the workflow of a seed; its folder is left behind only if something was wrong."""
    begin = time.monotonic()
    chance = random.Random(seed)
    jobs, schedule = make_jobs(chance), make_schedule(chance, outage)
    notes, work = folder / f"seed-{seed}", folder / f"seed-{seed}" / "work"
    notes.mkdir(parents=True)
    run = Run(outages, work, notes, chance)
    with small_disk(work):
        write_workflow(work, notes, jobs)
        try:
            problems = run.go_through(schedule)
        finally:
            run.end_lasting()
        problems += run.find_forgotten()
        problems += find_wrong_outputs(work, jobs)
        problems += find_wrong_starts(read_notes(notes), list(jobs), run.is_excused)
        problems += describe_overlaps(outages.slurm, work, 60)
        starts = count_starts(notes)
        if problems:
            shutil.copytree(work, notes / "kept", symlinks=True)
            allocations = "\n".join(map(str, list_allocations(outages.slurm, work)))
            (notes / "allocations").write_text(f"{allocations}\n")
    result = Result(seed, schedule, problems, run.happened, starts, time.monotonic() - begin, notes)
    if not problems:
        shutil.rmtree(notes)
    return result


def run_seeds(
    slurm: OneHostSlurm,
    seeds: Sequence[int],
    at_once: int,
    folder: Path,
    outage: tuple[float, float] = SECONDS["outage"],
) -> Iterator[Result]:
    """Run seeds, several at once on the same Slurm; yield what became of each as soon as it is known."""
    outages = Outages(slurm)
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(run_seed, outages, seed, folder, outage) for seed in seeds]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def read_seeds(text: str) -> list[int]:
    """Return the numbers in a list of ranges.

    >>> read_seeds("7,0-2")
    [7, 0, 1, 2]
    """
    ranges = [part.partition("-") for part in text.split(",")]
    return [seed for first, _, last in ranges for seed in range(int(first), int(last or first) + 1)]


def read_range(text: str) -> tuple[float, float]:
    """Return the ends of a range such as 5-30."""
    first, _, last = text.partition("-")
    return float(first), float(last or first)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the seeds that are asked for; return 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=read_seeds, default=read_seeds("0-9"), help="such as 0-99 or 7,9 (default 0-9)")
    parser.add_argument("--at-once", type=int, default=4, help="seeds at once on the one Slurm (default 4)")
    parser.add_argument("--outage", type=read_range, default=SECONDS["outage"], help="seconds of outages (5-30)")
    parser.add_argument("--folder", type=Path, help="for what is kept of failed seeds (default: a temporary one)")
    options = parser.parse_args(argv)
    if reason := unavailable():
        parser.error(f"no Slurm can be started here: {reason}")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    server = folder / "slurm"
    server.mkdir(parents=True)
    failed = 0
    with OneHostSlurm(server) as slurm:
        for result in run_seeds(slurm, options.seeds, options.at_once, folder, options.outage):
            print(result, flush=True)
            failed += bool(result.problems)
    shutil.rmtree(server)
    print(f"{len(options.seeds) - failed} of {len(options.seeds)} seeds are good")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
