"""What jobs and files are called: for people to find them by, and valid wherever these names go.

None of these names tells jobs apart, as different wildcards may look the same once they are cleaned or shortened.
Submissions are told apart by the run and a number.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_divvy.schedulers import Scheduler

START = Path.cwd()  # where the user is; Snakemake goes to the folder of --directory or workdir later
LONGEST_NAME = 80  # of the wildcards of a pack; beyond it, the first and a number stand for all
UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")
# what Snakemake puts before the rules of a group that nobody has named (pipes, services): another one in each run
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}_")


def make_safe_name(text: str, length: int = 100) -> str:
    """Return `text` with only letters, digits and . _ = + - in it, for file and job names.

    >>> make_safe_name("sample=a b/c")
    'sample=a_b_c'
    """
    return UNSAFE.sub("_", text).strip("_")[:length] or "_"


def name_rule(job: JobExecutorInterface) -> str:
    """Return the name of a job's rule; of a group, its id and its rules."""
    return RANDOM_ID.sub("", job.name, count=1) if job.is_group() else str(job.name)


def name_jobs(jobs: Sequence[JobExecutorInterface]) -> str:
    """Return what people look for jobs by: their wildcards, or the rule's name if there are none."""
    names = [".".join(map(str, [] if job.is_group() else job.wildcards)) for job in jobs]
    together = "+".join(names)
    short = together if len(together) < LONGEST_NAME else f"{names[0]}+{len(names) - 1}"
    return make_safe_name(short or name_rule(jobs[0]))


def name_submission(jobs: Sequence[JobExecutorInterface], scheduler: Scheduler) -> str:
    """Return the name under which a scheduler lists jobs that share a submission: JOBNAME of a template."""
    parts = dict.fromkeys([make_safe_name(name_rule(jobs[0])), name_jobs(jobs)])
    name = ".".join(parts).replace("=", "_")
    if scheduler.letter_first and not name[0].isalpha():
        name = f"job_{name}"
    return name[: scheduler.longest_name]


def show_path(path: Path) -> str:
    """Return a path as messages show it: relative to where the program was started if it is inside."""
    path = path.absolute()
    return str(path.relative_to(START) if path.is_relative_to(START) else path)


def write_path(path: Path, scheduler: Scheduler) -> str:
    """Return a path as it is written where nobody need quote it: relative if anybody would see more in it than a path.

    A path in which the scheduler fills in patterns, wherever it is written, stays whole, to be escaped.
    """
    is_plain = re.fullmatch(scheduler.plain_path, str(path)) or any(each in str(path) for each in scheduler.escapes)
    return str(path) if is_plain else os.path.relpath(path)


def escape(path: str, scheduler: Scheduler) -> str:
    """Return a path in which a scheduler fills in nothing, for its directives."""
    return "".join(scheduler.escapes.get(character, character) for character in path)


def find_filled_in(folder: Path, scheduler: Scheduler) -> str:
    """Return the part of a folder's path for which a scheduler puts something else, whatever is done; "" if none."""
    found = re.search(scheduler.fills_in, str(folder))
    return found.group() if found else ""
