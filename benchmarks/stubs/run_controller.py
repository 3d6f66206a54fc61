"""Run Snakemake as `python -m snakemake` does, let its jobs use another Python, and note what it took.

Usage: run_controller.py PYTHON_OF_THE_JOBS NOTES [arguments of snakemake]
"""

import atexit
import json
import resource
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import snakemake.cli  # noqa: F401, first, for the modules of Snakemake import each other
from snakemake.dag import DAG
from snakemake.scheduling.job_scheduler import JobScheduler

noticed: dict[str, float] = {}  # when the executor told Snakemake that a job has ended, by n
taken: dict[str, float] = {}  # when Snakemake was done with it


def note(times: dict[str, float], job: Any) -> None:
    """Note that something happened to a job now."""
    if job.name == "job":
        times[job.wildcards_dict["n"]] = time.time()


def watch_jobs() -> None:
    """Let Snakemake note the times of its jobs."""
    proceed, finish = JobScheduler._proceed, DAG.finish

    def note_noticed(scheduler: JobScheduler, job: Any) -> None:
        note(noticed, job)
        proceed(scheduler, job)

    async def note_taken(dag: DAG, job: Any, *args: Any, **options: Any) -> None:
        await finish(dag, job, *args, **options)
        note(taken, job)

    JobScheduler._proceed, DAG.finish = note_noticed, note_taken


def write_notes(path: Path) -> Callable[[], None]:
    """Return a function that writes what this process and its commands took so far, in seconds and MB."""

    def write() -> None:
        own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        usage = {
            "cpu": own.ru_utime + own.ru_stime,
            "commands": others.ru_utime + others.ru_stime,
            "memory": own.ru_maxrss / 1024,
        }
        path.write_text(json.dumps({**usage, "noticed": noticed, "taken": taken}))

    return write


if __name__ == "__main__":
    python, notes = sys.argv[1:3]
    del sys.argv[1:3]
    watch_jobs()
    atexit.register(write_notes(Path(notes)))
    sys.executable = python
    runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
