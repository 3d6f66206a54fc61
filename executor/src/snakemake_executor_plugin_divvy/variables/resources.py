"""What jobs ask for, as it was written: Snakemake reads resources of its command line and profiles as Python.

So `--set-resources a:partition=open` is a function of Python, `2024-1-2` is 2021, and `0123` is 123. It also rounds
numbers to whole ones, and a run time of 90 s to one minute.
"""

import builtins
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from humanfriendly import InvalidTimespan, parse_timespan
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

from snakemake_executor_plugin_divvy.variables.written import list_texts, may_be_read_as

WORD = re.compile(r"[\w.:/+-]+")  # what nobody writes as Python, unless there is a name in it that Snakemake defines
NAME = re.compile(r"[^\W\d]\w*")
NAMES = {"wildcards", "input", "attempt", "threads", "system_tmpdir"}
MEASURED = re.compile(r"_.*|(mem|disk)(_mi?b)?|runtime|tmpdir|pack")  # what is a number however it is written


def read_resources(job: JobExecutorInterface) -> dict[str, Any]:
    """Return the resources of a job or group: words as they were written, and `runtime` in minutes, rounded up."""
    resources = dict(job.resources.items())
    jobs = list(job) if job.is_group() else [job]
    for each in jobs:
        for name, word in _find_words(each):
            if resources.get(name) == each.resources[name]:
                resources[name] = word
    if isinstance(resources.get("runtime"), int):
        resources["runtime"] = _round_up(resources["runtime"], jobs)
    return resources


def find_functions(job: JobExecutorInterface) -> list[str]:
    """Return the resources, as `name=word`, that are functions of Python, with which Snakemake cannot go on."""
    given = [(each, name) for each in (job if job.is_group() else [job]) for name in each.rule.resources]
    words = {f"{name}={word}": word for each, name in given if (word := _get_expression(each, name))}
    return [text for text, word in words.items() if word not in NAMES and callable(_get_namespace().get(word))]


def find_read_as_python(job: JobExecutorInterface) -> list[str]:
    """Return the resources, as `name=word`, whose words are names that Snakemake defines, such as `threads`."""
    if job.is_group():
        return []
    return [f"{name}={word}" for name, _ in job.resources.items() if (word := _get_expression(job, name)) in NAMES]


@lru_cache(1)
def _get_namespace() -> dict[str, Any]:
    """Return what the names in an expression mean, but for those that depend on the job."""
    from snakemake.ioutils import register_in_globals

    namespace = dict(vars(builtins))
    register_in_globals(namespace)
    return namespace


def _find_words(job: Any) -> Iterator[tuple[str, str]]:
    """Yield the resources of a job that were given as words of which Snakemake has made something else."""
    for name, value in job.resources.items():
        read = _get_expression(job, name) or (value if not MEASURED.fullmatch(name) else "")
        texts = _list_texts(job.rule, name) if read != "" else []
        word = next((text for text in texts if may_be_read_as(text, read)), str(read))
        if WORD.fullmatch(word) and str(value) != word and not NAMES.intersection(NAME.findall(word)):
            yield name, word


def _get_expression(job: Any, name: str) -> str:
    """Return the expression by which a resource is given; "" if there is none, or it is that of a measure."""
    expression = getattr(job.rule.resources.get(name), "raw", None)  # the oldest versions have none
    return expression if isinstance(expression, str) and not MEASURED.fullmatch(name) else ""


def _list_texts(rule: Any, name: str) -> list[str]:
    """Return the texts on the command line and in profiles that may stand for a resource of a rule."""
    return list_texts(rule.name, name, or_default=name not in _get_own(rule))


def _get_own(rule: Any) -> dict[str, Any]:
    """Return the resources that a rule has in the workflow."""
    return rule.ruleinfo.resources[1] if rule.ruleinfo.resources else {}


# --- run times


def _round_up(minutes: int, jobs: list[Any]) -> int:
    """Return the run time of a job, or of the jobs of a group, which Snakemake has rounded."""
    pairs: list[tuple[int, int]] = [(each.resources.get("runtime", 0), _read_minutes(each)) for each in jobs]
    added = sum(exact - rounded for rounded, exact in pairs)
    # jobs of a group also run side by side, so as much as all of them need may be too much
    factor = max((exact / rounded for rounded, exact in pairs if rounded), default=1.0)
    side_by_side = math.ceil(minutes * factor) + sum(exact for rounded, exact in pairs if not rounded)
    return max(1, min(minutes + added, side_by_side))


def _read_minutes(job: Any) -> int:
    """Return the run time of a job in minutes, rounded up; at least what Snakemake says."""
    rounded: int = job.resources.get("runtime", 0)
    exact = float(rounded)
    for value in _list_run_times(job):
        with suppress(ValueError, TypeError, InvalidTimespan):  # what Snakemake has understood is not to fail here
            read, meant = _parse_minutes(value)
            if abs(read - rounded) < 1:
                exact = max(exact, meant)
    return math.ceil(round(exact, 6))


def _list_run_times(job: Any) -> list[Any]:
    """Return the run times that a job may have been given, one of which Snakemake has rounded."""
    rule = job.rule
    if evaluate := getattr(rule.resources.get("runtime"), "_evaluator", None):
        more = {"input": job.input, "attempt": job.attempt, "threads": job.threads, "rulename": rule.name}
        with suppress(Exception):  # of a user's function that gives a value only once
            return [
                rule.apply_input_function(evaluate, job.wildcards_dict, async_run=rule.workflow.async_run, **more)[0]
            ]
    return [_get_own(rule).get("runtime", 0), *_list_texts(rule, "runtime")]


def _parse_minutes(value: Any) -> tuple[float, float]:
    """Return a run time in minutes, as Snakemake reads it (`1.5` as seconds, `2` as minutes), and as it is meant."""
    if not isinstance(value, str):
        return float(value), float(value)
    text = value.strip("'\"")
    read = float(text) if text.isdecimal() else float(parse_timespan(text)) / 60
    return read, float(text) if re.fullmatch(r"\d*\.?\d*", text) else read
