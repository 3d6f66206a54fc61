"""What jobs run besides shell commands: scripts and Snakefiles, as this process has read them first."""

import hashlib
import os
import tokenize
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface


def remember_sources(jobs: Iterable[JobExecutorInterface], workflow: Any) -> None:
    """Read what jobs run, for this process takes it to be as it was when it was read first."""
    for job in jobs:
        with suppress(Exception):  # values that a function cannot give yet
            for each in job if job.is_group() else [job]:
                list(read_sources(each, workflow))


def get_remembered_sources(workflow: Any) -> dict[str, str]:
    """Return the checksums of the sources that were read so far, by path or address."""
    return {key[1]: value for key, (owner, value) in _remembered.items() if owner is workflow.sourcecache}


def read_snakefiles(workflow: Any) -> dict[str, str]:
    """Return the checksums of a workflow's Snakefiles as this process has read them, by path or address."""
    return {_get_name(source): _read_source(source, workflow.sourcecache, True) for source in workflow.included}


def _get_name(source: Any) -> str:
    return str(source.get_path_or_uri(secret_free=True))


def _read_source(source: Any, cache: Any, is_python: bool = False) -> str:
    key = id(cache), _get_name(source)
    return remember(key, cache, lambda: checksum_code(cache.get_path(source), is_python))


def read_sources(job: Any, workflow: Any) -> Iterator[str]:
    """Yield checksums of what a job runs besides shell commands: its script, or the Snakefiles around its `run`."""
    rule, cache = job.rule, workflow.sourcecache
    if script := rule.script or rule.notebook:
        is_path = isinstance(script, str | Path)
        values = {"wildcards": job.wildcards, "params": job.params}
        yield _read_source(job._path_to_source_file(script) if is_path else script.format(**values), cache)
    elif rule.wrapper:
        from snakemake.wrapper import get_script

        prefix = workflow.workflow_settings.wrapper_prefix
        key = id(cache), "wrapper", rule.wrapper
        yield remember(key, workflow, lambda: _read_source(get_script(rule.wrapper, cache, prefix), cache))
    elif job.is_run:
        yield from read_snakefiles(workflow).values()


_remembered: dict[Any, tuple[Any, str]] = {}


def remember(key: Any, owner: Any, find: Callable[[], str]) -> str:
    """Return what `find` finds, and ask it only once, for what many jobs share.

    `key` has the id of `owner`, which is kept so that nothing else gets that id.
    """
    if key not in _remembered:
        _remembered[key] = owner, find()
    return _remembered[key][1]


def checksum(path: str, status: os.stat_result | None = None) -> str:
    """Return the checksum of a small file, which is read once as long as it is the same."""
    status = status or os.stat(path)
    return _read_checksum(path, status.st_mtime_ns, status.st_size, status.st_ino)


def checksum_code(path: str, is_python: bool = False) -> str:
    """Return the checksum of code; that of Python, also with Snakemake's words, does not count its comments."""
    if is_python or path.endswith(".py"):
        with suppress(SyntaxError, tokenize.TokenError, UnicodeDecodeError), tokenize.open(path) as file:
            tokens = tokenize.generate_tokens(file.readline)
            words = [token[:2] for token in tokens if token.type not in (tokenize.COMMENT, tokenize.NL)]
            return hashlib.sha256(repr(words).encode()).hexdigest()
    return checksum(path)


@lru_cache(10_000)
def _read_checksum(path: str, *_: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
