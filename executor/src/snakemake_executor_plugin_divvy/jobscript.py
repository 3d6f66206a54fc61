"""The job script: what a submission script runs, whatever its template does around it."""

import ast
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

JOB_SCRIPT = """\
#!/bin/bash
# {title}
main() {{  # bash reads all of it before it runs, so that this file may be removed meanwhile
    trap 'exit 143' TERM  # told to end: the scheduler knows why, so no exit status is recorded
    unset SNAKEMAKE_PROFILE  # the job's own Snakemake runs it here and now
    mkdir -p {state} {logs}
    # whoever makes this file first decides: this job, or an executor that took it back before it started
    date +%s > {start}."$HOSTNAME.$$"
    ln {start}."$HOSTNAME.$$" {start} 2> /dev/null
    rm -f {start}."$HOSTNAME.$$" {status}
    if grep -q {taken_back} {start}; then exit 1; fi
    (
        cd {workdir} || exit
        {command}
    ) >> {log} 2>&1 < /dev/null
    status=$?
    # the executor relies on this file alone, so it has to appear whole
    mkdir -p {state}
    echo "$status $(date +%s)" > {status}.tmp && mv -f {status}.tmp {status}
    exit "$status"
}}
main
"""
TAKEN_BACK = "taken back"

STATUS = ".status"  # the end of the name of each exit-status file
UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")
PYTHON_LITERAL = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=\s|$)""", re.DOTALL)
SHELL_WORD = re.compile(r"""(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+""", re.DOTALL)
MODULE = " -m snakemake "


def make_safe_name(text: str, length: int = 100) -> str:
    """Return `text` with only letters, digits and . _ = + - in it, for file and job names.

    >>> make_safe_name("sample=a b/c")
    'sample=a_b_c'
    """
    return UNSAFE.sub("_", text).strip("_")[:length] or "_"


@dataclass(frozen=True)
class JobFiles:
    """The files of one submission: what people read is in `logs`, what the executor works with in `state`."""

    logs: Path
    state: Path
    name: str

    @property
    def log(self) -> Path:
        """What the job printed."""
        return self.logs / f"{self.name}.log"

    @property
    def submission_script(self) -> Path:
        """What divvy rendered."""
        return self.logs / f"{self.name}.sub"

    @property
    def job_script(self) -> Path:
        """What the submission script runs."""
        return self.state / f"{self.name}.sh"

    @property
    def scheduler_log(self) -> Path:
        """What the submission script and the scheduler printed (LOGFILE)."""
        return self.state / f"{self.name}.scheduler.log"

    @property
    def start(self) -> Path:
        """When the job started (seconds since 1970), or that it was taken back before."""
        return self.state / f"{self.name}.start"

    @property
    def status(self) -> Path:
        """The job's exit status, and when it ended."""
        return self.state / f"{self.name}{STATUS}"

    def exit_status(self) -> int | None:
        """Return the recorded exit status; None if there is none (yet)."""
        status = _read_numbers(self.status)
        return int(status[0]) if status else None

    def times(self) -> tuple[float | None, float | None]:
        """Return when the job started and ended, as far as it has, in seconds since 1970."""
        start, status = _read_numbers(self.start), _read_numbers(self.status)
        return start[0] if start else None, status[1] if len(status) > 1 else None

    def take_back(self) -> bool:
        """Keep the job from starting; return whether it had not started yet."""
        note = self.start.with_name(self.start.name + ".back")
        try:
            note.write_text(TAKEN_BACK)
            os.link(note, self.start)  # appears whole, or not at all
        except OSError:
            return not self.start.exists() or self.start.read_text() == TAKEN_BACK
        finally:
            note.unlink(missing_ok=True)
        return True


def _read_numbers(path: Path) -> list[float]:
    try:
        return [float(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


def build_job_script(title: str, command: str, workdir: Path, files: JobFiles) -> str:
    """Return the text of the job script, which records log and exit status of `command` itself."""
    return JOB_SCRIPT.format(
        title=" ".join(title.split()),
        state=shlex.quote(str(files.state)),
        logs=shlex.quote(str(files.logs)),
        start=shlex.quote(str(files.start)),
        status=shlex.quote(str(files.status)),
        log=shlex.quote(str(files.log)),
        taken_back=shlex.quote(TAKEN_BACK),
        workdir=shlex.quote(str(workdir)),
        command=quote_arguments(command),
    )


def quote_arguments(command: str) -> str:
    """Return a Snakemake call with its arguments quoted for the shell.

    Snakemake quotes them as Python literals, in which the shell would still expand `$` and read `\\'` differently.
    What precedes the call itself is shell code and stays as it is.
    """
    before, module, arguments = command.partition(MODULE)
    words, position = [], 0
    while position < len(arguments):
        if arguments[position].isspace():
            position += 1
            continue
        literal = PYTHON_LITERAL.match(arguments, position)
        found = literal or SHELL_WORD.match(arguments, position)
        if not found:
            raise ValueError(f"unbalanced quotes in {arguments[position:]!r}")
        words.append(shlex.quote(ast.literal_eval(found.group())) if literal else found.group())
        position = found.end()
    return before + module + " ".join(words)


def read_tail(path: Path, lines: int = 40) -> list[str]:
    """Return the last lines of a file that may not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 200 * lines))
            return [line.rstrip() for line in file.read().decode(errors="replace").splitlines()][-lines:]
    except OSError:
        return []
