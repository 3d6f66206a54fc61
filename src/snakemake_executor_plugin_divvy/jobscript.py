"""The job script: what a submission script runs, whatever its template does around it."""

import ast
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

JOB_SCRIPT = """\
#!/bin/bash
# {title}
unset SNAKEMAKE_PROFILE  # the job is run by a Snakemake of its own, here and now
mkdir -p {folder}
(
cd {workdir} || exit
{command}
) > {log} 2>&1 < /dev/null
status=$?
# the executor believes this file alone, so it has to appear whole
echo "$status" > {status}.tmp && mv -f {status}.tmp {status}
exit "$status"
"""

UNSAFE = re.compile(r"[^A-Za-z0-9._=-]+")
PYTHON_LITERAL = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=\s|$)""", re.DOTALL)
SHELL_WORD = re.compile(r"""(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+""", re.DOTALL)
MODULE = " -m snakemake "


def safe_name(text: str, length: int = 100) -> str:
    """Return `text` with only letters, digits and . _ = - in it, for file and job names.

    >>> safe_name("sample=a b/c")
    'sample=a_b_c'
    """
    return UNSAFE.sub("_", text).strip("_")[:length] or "_"


@dataclass(frozen=True)
class JobFiles:
    """The files of one submission, all beside each other: `stem` plus a suffix."""

    stem: Path

    @property
    def submission_script(self) -> Path:
        """What divvy rendered."""
        return self._with(".sub")

    @property
    def job_script(self) -> Path:
        """What the submission script runs."""
        return self._with(".sh")

    @property
    def log(self) -> Path:
        """What the job printed."""
        return self._with(".log")

    @property
    def scheduler_log(self) -> Path:
        """What the submission script and the scheduler printed (LOGFILE)."""
        return self._with(".scheduler.log")

    @property
    def wait_for_files(self) -> Path:
        """The files that the job waits for, if they are many."""
        return self._with(".wait")

    @property
    def status(self) -> Path:
        """The job's exit status."""
        return self._with(".status")

    def exit_status(self) -> int | None:
        """Return the recorded exit status; None if there is none (yet)."""
        try:
            return int(self.status.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _with(self, suffix: str) -> Path:
        return self.stem.with_name(self.stem.name + suffix)


def job_script(title: str, command: str, workdir: Path, files: JobFiles) -> str:
    """Return the text of the job script, which records log and exit status of `command` itself."""
    return JOB_SCRIPT.format(
        title=" ".join(title.split()),
        folder=shlex.quote(str(files.stem.parent)),
        workdir=shlex.quote(str(workdir)),
        command=shell_quoted(command),
        log=shlex.quote(str(files.log)),
        status=shlex.quote(str(files.status)),
    )


def shell_quoted(command: str) -> str:
    """Quote the arguments of a Snakemake call for the shell.

    Snakemake quotes them as Python literals, in which the shell would still expand `$` and read `\\'` otherwise.
    What stands before the call itself is shell code and stays as it is.
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


def tail(path: Path, lines: int = 20) -> list[str]:
    """Return the last lines of a file that may not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 200 * lines))
            return [line.rstrip() for line in file.read().decode(errors="replace").splitlines()][-lines:]
    except OSError:
        return []
