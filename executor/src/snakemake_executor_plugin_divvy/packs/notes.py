"""What a pack notes about its jobs: a line when one starts, and a line with its exit status when it has ended.

The lines follow the first one of the submission's start file, which the job script writes anew whenever the scheduler
starts it: notes are always about the last start. Nothing else tells what became of a job, for its outputs may be there
although it failed.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

TRIES, WAIT = 120, 5  # how often, and with how many seconds in between, a full disk is tried again


def name_job(job: JobExecutorInterface) -> str:
    """Return what a job is called in notes: its rule and wildcards, which are the same in all processes."""
    return json.dumps([[target.rulename, target.wildcards_dict] for target in job.get_target_spec()], sort_keys=True)


def write_note(path: Path, job: JobExecutorInterface, status: int | None = None) -> None:
    """Note in the start file `path` that a job starts or, with its exit status, that it has ended.

    A full disk is waited for: a job whose end cannot be noted would be made again. OSError if the file is gone.
    """
    line = json.dumps([name_job(job), status]) + "\n"
    for tries in range(TRIES, 0, -1):
        try:
            file = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                if os.write(file, line.encode()) == len(line):
                    return
            finally:
                os.close(file)
        except OSError:
            if tries == 1 or not path.exists():
                raise
        line = "\n" + line.lstrip()  # ends what may stand there of it
        time.sleep(WAIT)
    raise OSError(f"{path}: cannot be written to")


def read_notes(path: Path) -> dict[str, int | None]:
    """Return the jobs that have started, by their names in notes, with their exit statuses; None for one without."""
    notes: dict[str, int | None] = {}
    try:
        lines = path.read_text().splitlines()[1:]
    except OSError:
        return notes
    for line in lines:
        try:
            name, status = json.loads(line)
        except ValueError:
            continue  # of a pack that was killed while it wrote
        notes[name] = status
    return notes


def find_outcome(notes: Mapping[str, int | None], job: JobExecutorInterface) -> str:
    """Tell what became of a job, whose pack has ended: it is `done`, it has only `started`, or it is `waiting`."""
    name = name_job(job)
    if name not in notes:
        return "waiting"
    return "done" if notes[name] == 0 else "started"


def find_outcomes(path: Path, jobs: Sequence[JobExecutorInterface]) -> list[str]:
    """Tell what became of jobs of a pack, which has ended with the start file `path`.

    One that got to none of them would be submitted forever: then it is as if all had started.
    """
    notes = read_notes(path)
    outcomes = [find_outcome(notes, job) for job in jobs]
    return ["started"] * len(jobs) if set(outcomes) == {"waiting"} else outcomes
