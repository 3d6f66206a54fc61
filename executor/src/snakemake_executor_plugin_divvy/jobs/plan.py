"""What a run hands to its jobs, so that they do what was planned: they read the workflow again when they start.

Configuration files are handed over as they were; Snakemake itself does so with Snakefiles and scripts, by its source
cache, where jobs reach that. Of the other files that a workflow consists of or names, such as sample sheets, jobs know
when they were changed last: only after an edit it matters whether a job differs from what was planned, for some differ
in any case, by a random number or a path that is the node's own.
"""

import io
import json
import os
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from snakemake_executor_plugin_divvy.jobs.sources import get_remembered_sources, read_snakefiles
from snakemake_executor_plugin_divvy.jobscript import MODULE, write_privately

PROCESS = "snakemake_executor_plugin_divvy.jobs.process"
CONFIG, PLAN = "config.yaml", "plan.json"  # in the folder of the run
SMALL = 1 << 20  # bytes; what is larger are data
MOST_NAMED = 5000  # words of the workflow that are looked at as names of files
WORD = re.compile(r"""'([^'\n]+)'|"([^"\n]+)"|([^\s'",;:{}()\[\]=]+)""")
IMPORTED = time.time()  # Snakemake imports its plugins before it reads the workflow
Stamp = list[int]  # size and time of the last change


@dataclass(frozen=True)
class Plan:
    """What jobs have to know of the run that planned them.

    Attributes
    ----------
    configuration
        Texts of the files of `configfile:`, by their paths as they stand in the workflow.
    snakefiles
        Checksums of the Snakefiles, by path or address.
    files
        Size and time of the last change of the other files that the workflow names; None if that was after the run had
        begun.
    """

    configuration: dict[str, str]
    snakefiles: dict[str, str]
    files: dict[str, Stamp | None]

    def find_edited(self, workflow: Any) -> list[str]:
        """Return the files that are, in this process, not as they were when the run was planned."""
        read = read_snakefiles(workflow)
        edited = [path for path, checksum in read.items() if checksum != self.snakefiles.get(path)]
        return edited + [path for path, stamp in self.files.items() if stamp is None or _stamp(path) != stamp]


def make_plan(workflow: Any, workdir: Path) -> Plan:
    """Return what a workflow's jobs have to know; `workdir` is the folder in which it was read.

    Those scripts must have been read already that are handed over by Snakemake.
    """
    snakefiles = read_snakefiles(workflow)
    given = set(map(str, workflow.config_settings.configfiles))
    configured = {str(path): workdir / path for path in workflow.configfiles if str(path) not in given}
    texts = [(_read(path), path.parent) for path in (*map(Path, snakefiles), *configured.values())]
    texts += [(json.dumps(workflow.config_settings.overwrite_config, default=str), workdir)]
    stamps = {path: _stamp(path) for path in _list_named(texts, workdir) | _absolute(configured.values())}
    late = {path for path, stamp in stamps.items() if stamp[1] >= _get_beginning(workflow)}
    handed_over = _absolute([*given, *get_remembered_sources(workflow)])
    handed_over |= _absolute(configured.values()) - late
    return Plan(
        {name: text for name, path in configured.items() if (text := _read(path))},
        snakefiles,
        {
            path: None if path in late else stamps[path]
            for path in sorted(stamps.keys() - handed_over - _find_made(workflow))
        },
    )


def _find_made(workflow: Any) -> set[str]:
    """Return the files that a workflow writes, as far as that is known."""
    makers = (*workflow.dag.jobs, *workflow.rules)
    return _absolute(str(file) for each in makers for file in (*each.output, *each.log, each.benchmark) if file)


def _get_beginning(workflow: Any) -> float:
    """Return the time, in nanoseconds since 1970, before which no file of a workflow was read."""
    began = getattr(workflow, "start_time", None)  # not in the oldest Snakemake that this works with
    return 1e9 * max(IMPORTED, began.timestamp() if began else 0)


def _absolute(paths: Iterable[str | Path]) -> set[str]:
    return set(map(os.path.abspath, paths))


def write_plan(plan: Plan, config: Any, folder: Path) -> None:
    """Write what jobs need into the folder of the run: the plan, and the values of --configfile and --config."""
    write_privately(folder / PLAN, json.dumps(asdict(plan)))
    if config:
        write_privately(folder / CONFIG, yaml.dump(config, Dumper=_Dumper, sort_keys=False, default_flow_style=False))


def read_plan(path: Path) -> Plan:
    """Read what `write_plan` wrote."""
    return Plan(**json.loads(path.read_text()))


def call_process(call: str, workflow: Any, plan: Path, notes: str, digests: Iterable[str]) -> str:
    """Return the call of Snakemake for a job, quoted for the shell, as one of `process`.

    `notes` is the file for a pack's notes or "-", `digests` what `provenance.digest_job` says of its jobs.
    """
    words = [str(plan), notes, *digests, "--"]
    if workflow.config_settings.replace_workflow_config:  # of which Snakemake tells its jobs nothing
        words.append("--replace-workflow-config")
    return call.replace(MODULE, f" -m {PROCESS} {shlex.join(words)} ", 1)


def hand_over_configuration(plan: Plan) -> None:
    """Let the Snakemake of this process read the workflow's configuration files as they were planned."""
    from snakemake.common import configfile

    load = configfile.load_configfile

    def load_as_planned(path: Any) -> Any:
        text = plan.configuration.get(str(path))
        return load(path if text is None else io.StringIO(text))

    configfile.load_configfile = load_as_planned


def _list_named(texts: Sequence[tuple[str, Path]], workdir: Path) -> set[str]:
    """Return small files that are named in texts, which have their folders with them, or in YAML files among these."""
    named = set(_find_named(texts, workdir))
    lists = sorted(path for path in named if path.suffix in (".yaml", ".yml"))  # such as a PEP, which names its sheets
    return _absolute(named.union(_find_named([(_read(path), path.parent) for path in lists], workdir)))


def _find_named(texts: Sequence[tuple[str, Path]], workdir: Path) -> Iterator[Path]:
    words = {("".join(found.groups("")), folder): None for text, folder in texts for found in WORD.finditer(text)}
    for word, folder in [(word, folder) for word, folder in words if "." in word or "/" in word][:MOST_NAMED]:
        for path in {workdir / word, folder / word}:
            with suppress(OSError, ValueError):  # a word that cannot be a path
                if path.is_file() and path.stat().st_size <= SMALL:
                    yield path


def _stamp(path: str) -> Stamp:
    """Return size and time of the last change, in nanoseconds, of a file; zeros if it is not there."""
    with suppress(OSError):
        status = os.stat(path)
        return [status.st_size, status.st_mtime_ns]
    return [0, 0]


def _read(path: Path) -> str:
    """Return the text of a file; "" if it cannot be read, or is no file that can be read again."""
    with suppress(OSError):
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""


class _Dumper(yaml.SafeDumper):
    """Writes what Snakemake's readers of JSON and YAML make, in a way that its reader of YAML makes the same of it."""


_Dumper.add_multi_representer(dict, lambda dumper, value: dumper.represent_dict(value))
_Dumper.add_representer(
    tuple, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:python/tuple", list(value))
)
