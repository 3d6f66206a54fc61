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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.utils import encode_target_jobs_cli_args

from snakemake_executor_plugin_divvy.jobs.sources import checksum, read_sources, remember

SPELLED = (bytes, complex, range, date, timedelta, os.PathLike)  # types whose repr says it all
MAKING = {"directory", "touch", "update"}  # flags of an output that change how it is made
MOST_FILES = 1000  # in a folder that is an input; larger ones cannot be compared
FOLDER = "folder\n"
UNKNOWN_RESOURCES = {"tmpdir"}  # known where the job runs, and of no meaning for what it makes
UNKNOWN = ""  # the digest of a job that cannot be described


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
    planned
        What `digest_job` says of it, or of each job of a group; for its own process, and in no journal.
    """

    outputs: tuple[str, ...]
    digest: str
    inputs: Mapping[str, str]
    attempt: int
    planned: tuple[str, ...] = ()


class IncomparableError(Exception):
    """Something a job depends on cannot be compared between runs."""


def build_ticket(job: JobExecutorInterface, command: str, workflow: Any) -> Ticket:
    """Return a job's ticket; `command` is what the calls of all jobs have in common."""
    jobs = list(job) if job.is_group() else [job]
    outputs = sorted(str(output) for each in jobs for output in each.output)
    inner = set(outputs)
    passing = str(workflow.sourcecache.runtime_cache_path)  # where this run keeps its sources, and no other
    planned = tuple(digest_job(each, workflow) for each in jobs)
    try:
        if not all(digest.partition(":")[2] for digest in planned):
            raise IncomparableError(job.name)
        pairs = zip(planned, map(_get_resources, jobs), strict=True)
        digests = sorted(_digest(pair, passing) for pair in pairs)
        files = {str(f).replace(passing, ""): f for each in jobs for f in each.input if str(f) not in inner}
        inputs = {name: _fingerprint(file, workflow) for name, file in files.items()}
        digest = _digest([command, *digests])
    except Exception:  # whatever a workflow's values do when they are asked
        digest, inputs = "", {}
    names = outputs or sorted(encode_target_jobs_cli_args(job.get_target_spec()))
    return Ticket(tuple(names), digest, inputs, job.attempt, planned)


def digest_job(job: Any, workflow: Any) -> str:
    """Return digests of what a job runs and, after a colon, of all it does: the same in its own process.

    The second one is empty if something cannot be compared, and all of it UNKNOWN if the job cannot be described.
    Resources are no part of it.
    """
    try:
        sources = _shorten(_digest(list(read_sources(job, workflow))))
    except Exception:  # such as a script that is not there
        return UNKNOWN
    try:
        passing = str(workflow.sourcecache.runtime_cache_path)
        storage = str(workflow.storage_settings.local_storage_prefix)  # jobs may have another one
        with _see_from_afar(job):
            return f"{sources}:{_shorten(_digest(_describe(job, workflow), passing, storage))}"
    except Exception:  # whatever a workflow's values do when they are asked
        return f"{sources}:"


@contextmanager
def _see_from_afar(job: Any) -> Iterator[None]:
    """Let a job be as in a process that does not run it, and does not know where it will run."""
    resources, params = job.resources, job.params
    if resources.get("tmpdir"):  # which is false where Snakemake does not know it
        unknown = {"skip_evaluation": UNKNOWN_RESOURCES}
        job._resources = job.rule.expand_resources(job.wildcards_dict, job.input, job.attempt, **unknown)
        job._params = None
    try:
        yield
    finally:
        job._resources, job._params = resources, params


def _shorten(digest: str) -> str:
    return digest[:16]  # a group of some thousand jobs has them all on its command line


def _get_resources(job: Any) -> dict[str, Any]:
    return {name: value for name, value in job.resources.items() if name not in UNKNOWN_RESOURCES}


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
    """Return all that a job's results may depend on, but for its inputs' content, its sources and its resources."""
    from snakemake.shell import shell  # not above: every Snakemake process imports this plugin

    rule = job.rule
    if job.is_cwl or job.is_template_engine:
        raise IncomparableError(rule.name)
    config, passing = rule.module_globals.get("config", workflow.config), workflow.sourcecache.runtime_cache_path
    return {
        "rule": [rule.name, job.wildcards_dict],
        "shell": [job.shellcmd, shell.get_executable(), shell._process_prefix, shell._process_suffix],
        "config": None if job.is_shell else remember(id(config), config, lambda: _digest(config, str(passing))),
        "params": list(job.params._allitems()),
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


def _digest(description: Any, passing: str = "", storage: str = "") -> str:
    """Return a digest in which source files in the folder `passing` count by their content, and `storage` does not."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=False, default=_spell)
    if storage:
        text = text.replace(storage, "<storage>")
    if passing and passing in text:
        text = re.sub(rf"""{re.escape(passing)}[^\s"'\\]*""", lambda found: _name_source(found[0], passing), text)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _name_source(text: str, passing: str) -> str:
    """Return `text`, which begins with the path of a source file, with its checksum instead of the folder."""
    for end in range(len(text), len(passing), -1):
        if Path(text[:end]).is_file():
            return f"{checksum(text[:end])} {text.removeprefix(passing)}"
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
        return checksum(path, status)
    return f"{status.st_mtime_ns} {status.st_size}"


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
