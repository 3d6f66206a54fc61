"""What a job does and what it reads, in a form in which two runs can compare it.

A job of an earlier run is taken over only if it provably does what is needed now: what Snakemake records of a job
(code, parameters, software), what it does not record (the text of scripts, the configuration, resources), and its
inputs by Snakemake's own measure have to be the same. What cannot be compared is not taken over.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.utils import encode_target_jobs_cli_args

SPELLED = (bytes, complex, range, date, timedelta, os.PathLike)  # types whose repr says it all
MAKING = {"directory", "touch", "update"}  # flags of an output that change how it is made
MOST_FILES = 1000  # in a folder that is an input; larger ones cannot be compared
FOLDER = "folder\n"
UNKNOWN_RESOURCES = {"tmpdir"}  # known where the job runs, and of no meaning for what it makes


@dataclass(frozen=True)
class Ticket:
    """A job in a submission, as far as another run has to know it.

    Attributes
    ----------
    outputs
        What it makes; of a job without outputs, its rule and wildcards.
    digest
        Of what it does; "" if that cannot be compared.
    inputs
        A fingerprint of each input.
    attempt
        How many times the job was tried, this one included.
    """

    outputs: tuple[str, ...]
    digest: str
    inputs: Mapping[str, str]
    attempt: int


class IncomparableError(Exception):
    """Something a job depends on cannot be compared between runs."""


def build_ticket(job: JobExecutorInterface, command: str, workflow: Any) -> Ticket:
    """Return a job's ticket; `command` is what the calls of all jobs have in common."""
    jobs = list(job) if job.is_group() else [job]
    outputs = sorted(str(output) for each in jobs for output in each.output)
    inner = set(outputs)
    passing = str(workflow.sourcecache.runtime_cache_path)  # where this run keeps its sources, and no other
    try:
        digests = sorted(_digest(_describe(each, workflow), passing) for each in jobs)
        files = {str(f).replace(passing, ""): f for each in jobs for f in each.input if str(f) not in inner}
        inputs = {name: _fingerprint(file, workflow) for name, file in files.items()}
        digest = _digest([command, *digests])
    except Exception:  # whatever a workflow's values do when they are asked
        digest, inputs = "", {}
    names = outputs or sorted(encode_target_jobs_cli_args(job.get_target_spec()))
    return Ticket(tuple(names), digest, inputs, job.attempt)


def does_the_same(left: Ticket, now: Ticket) -> bool:
    """Tell whether a job of an earlier run provably makes what is needed now."""
    if not left.digest or left.digest != now.digest or left.inputs.keys() != now.inputs.keys():
        return False
    return all(_is_unchanged(before, now.inputs[name]) for name, before in left.inputs.items())


def list_markers(job: JobExecutorInterface, persistence: Any) -> list[Path]:
    """Return the files by which Snakemake marks a job's outputs as incomplete; none if it keeps them elsewhere."""
    if not hasattr(persistence, "_incomplete_path"):
        return []
    jobs = job if job.is_group() else [job]
    get_key = getattr(persistence, "_get_key", lambda output: output)  # Snakemake 9.11 finds it out itself
    keys = [get_key(output) for each in jobs for output in each.output]
    return [Path(persistence._record_path(persistence._incomplete_path, key)).absolute() for key in keys]


# --- what a job does


def _describe(job: Any, workflow: Any) -> dict[str, Any]:
    """Return all that a job's results may depend on, but for its inputs' content."""
    from snakemake.shell import shell  # not above: every Snakemake process imports this plugin

    rule = job.rule
    if job.is_cwl or job.is_template_engine:
        raise IncomparableError(rule.name)
    config, passing = rule.module_globals.get("config", workflow.config), workflow.sourcecache.runtime_cache_path
    return {
        "rule": [rule.name, job.wildcards_dict],
        "shell": [job.shellcmd, shell.get_executable(), shell._process_prefix, shell._process_suffix],
        "run": rule.run_func_src,
        "sources": list(_read_sources(job, workflow)),
        "config": None if job.is_shell else _remember(id(config), config, lambda: _digest(config, str(passing))),
        "params": list(job.params._allitems()),
        "resources": {name: value for name, value in job.resources.items() if name not in UNKNOWN_RESOURCES},
        "files": [list(files._allitems()) for files in (job.input, job.output, job.log)],
        "flags": [sorted(MAKING.intersection(output.flags)) for output in job.output],
        "benchmark": job.benchmark and [str(job.benchmark), job.benchmark_repeats],
        "software": [
            workflow.persistence._conda_env(job),
            job.container_img_url,
            workflow.persistence._software_stack_hash(job),
            rule.shadow_depth,
        ],
    }


def _read_sources(job: Any, workflow: Any) -> Iterator[str]:
    """Yield checksums of what a job runs besides shell commands: its script, or the Snakefiles around its `run`."""
    rule, cache = job.rule, workflow.sourcecache

    def read(source: Any) -> str:
        return _remember((id(cache), str(source)), cache, lambda: _checksum(cache.get_path(source)))

    if script := rule.script or rule.notebook:
        is_path = isinstance(script, str | Path)
        values = {"wildcards": job.wildcards, "params": job.params}
        yield read(job._path_to_source_file(script) if is_path else script.format(**values))
    elif rule.wrapper:
        from snakemake.wrapper import get_script

        prefix = workflow.workflow_settings.wrapper_prefix
        key = (id(cache), "wrapper", rule.wrapper)
        yield _remember(key, cache, lambda: read(get_script(rule.wrapper, cache, prefix)))
    elif job.is_run:
        for source in workflow.included:
            yield read(source)


_remembered: dict[Any, tuple[Any, str]] = {}


def _remember(key: Any, owner: Any, find: Callable[[], str]) -> str:
    """Return what `find` finds, and ask it only once, for what many jobs share.

    `key` has the id of `owner`, which is kept so that nothing else gets that id.
    """
    if key not in _remembered:
        _remembered[key] = owner, find()
    return _remembered[key][1]


def _spell(value: Any) -> Any:
    """Return what JSON does not know as what it knows, the same in any process; IncomparableError if that cannot be."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return ["set", *sorted(json.dumps(each, sort_keys=True, default=_spell) for each in value)]
    if isinstance(value, SPELLED):
        return ["other", repr(value)]
    if type(value).__module__ == "numpy":
        return ["numpy", str(value.dtype), value.tolist()]
    raise IncomparableError(type(value).__name__)


def _digest(description: Any, passing: str = "") -> str:
    """Return a digest in which source files in the folder `passing` count by their content."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=False, default=_spell)
    if passing and passing in text:
        text = re.sub(rf"""{re.escape(passing)}[^\s"'\\]*""", lambda found: _name_source(found[0], passing), text)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _name_source(text: str, passing: str) -> str:
    """Return `text`, which begins with the path of a source file, with its checksum instead of the folder."""
    for end in range(len(text), len(passing), -1):
        if Path(text[:end]).is_file():
            return f"{_checksum(text[:end])} {text.removeprefix(passing)}"
    raise IncomparableError(text)


# --- what it reads


def _fingerprint(file: Any, workflow: Any) -> str:
    """Return what tells whether an input has changed: its checksum if Snakemake would go by that, or its time."""
    flags = getattr(file, "flags", {})
    if "ancient" in flags:
        return "ancient"
    if getattr(file, "is_storage", False):
        return f"storage {workflow.async_run(file.mtime()).storage()}"
    try:
        status = os.stat(file)
    except FileNotFoundError:
        return "missing"
    largest = workflow.dag_settings.max_checksum_file_size
    if stat.S_ISDIR(status.st_mode):
        return _fingerprint_folder(Path(str(file)), largest)
    return _fingerprint_file(str(file), status, largest)


def _fingerprint_file(path: str, status: os.stat_result, largest: int) -> str:
    if stat.S_ISREG(status.st_mode) and status.st_size <= largest:
        return _checksum(path, status)
    return f"{status.st_mtime_ns} {status.st_size}"


def _checksum(path: str, status: os.stat_result | None = None) -> str:
    """Return the checksum of a small file, which is read once as long as it is the same."""
    status = status or os.stat(path)
    return _read_checksum(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(10_000)
def _read_checksum(path: str, *_: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _fingerprint_folder(folder: Path, largest: int) -> str:
    """Return the time that Snakemake has given to a folder, or else a list of the files in it."""
    timestamp = folder / ".snakemake_timestamp"
    if timestamp.exists():
        return str(timestamp.stat().st_mtime_ns)
    files = sorted(Path(root) / name for root, _, names in os.walk(folder) for name in names)
    if len(files) > MOST_FILES:
        raise IncomparableError(str(folder))
    return FOLDER + "\n".join(f"{path} {_fingerprint_file(str(path), path.stat(), largest)}" for path in files)


def _is_unchanged(before: str, now: str) -> bool:
    """Compare two fingerprints of an input; a folder may have got more files since, such as an index."""
    if before.startswith(FOLDER):
        return set(before.splitlines()) <= set(now.splitlines())
    return before == now
