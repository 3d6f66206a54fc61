"""The job script: what a submission script runs, whatever its template does around it."""

import ast
import os
import re
import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from snakemake_executor_plugin_divvy.failed_lines import BEFORE, VARIABLE

JOB_SCRIPT = """\
#!/bin/bash
# {title}
if [ "$1" != again ] && [ -f "$0" ]; then  # from here on, orphans of what it runs become its children
    shopt -s execfail
    exec {python} -I -S -c {adopt} "$0" again
fi
write() {{  # a file, whole and (but for another umask) private; a full disk is waited for while somebody wants to know
    local tries
    for tries in {{1..120}}; do
        (umask "${{3:-077}}" && echo "$2" > "$1.new") 2> /dev/null && mv -f "$1.new" "$1" && return
        [ -d {state} ] || exit 1
        sleep 5
    done
    exit 1
}}
mark() {{  # what has ended, again and again while the job runs: so that a later run asks if nobody else has seen it
    trap '' TERM
    local marker now status=""
    until [ "$status" ]; do
        now=$SECONDS
        read -r -t {seconds} status || [ $((SECONDS - now)) -gt 0 ] || status=137  # who would have said it was killed
        for marker in {markers}; do  # which a Snakemake and those that it starts may remove more than once
            [ -e "$marker" ] || ! [ -d "${{marker%/*}}" ] || write "$marker" {ended} "$(umask)"
        done
    done
    return "$status"
}}
find_left() {{  # all that a process has started and that is still there, as far as it is a child or a child's child
    local file child children
    for file in /proc/"$1"/task/*/children; do
        children=""
        {{ read -r children < "$file"; }} 2> /dev/null
        for child in $children; do
            left+=("$child")
            find_left "$child"
        done
    done
}}
end_left() {{  # nothing may write beside what follows; what does not end within some seconds is killed
    local left=() signal=TERM due=$((SECONDS + $1))
    until find_left $$ && [ "${{#left[@]}}" -eq 0 ]; do
        [ -z "$signal" ] || kill -"$signal" "${{left[@]}}" 2> /dev/null
        signal=""
        [ "$SECONDS" -lt "$due" ] || signal=KILL
        sleep 0.1
        left=()
    done
}}
main() {{  # bash reads all of it before it runs, so that this file may be removed meanwhile
    # told to end: the scheduler knows why, so no exit status is recorded
    trap 'trap "" TERM; exec 2> /dev/null; end_left {patience}; exit 143' TERM
    unset SNAKEMAKE_PROFILE  # the job's own Snakemake runs it here and now
    local id={job_id} own={start}."$HOSTNAME.$$" status
    id="${{id:--}}"
    local failed="${{{variable}:+{before}${variable}}}" newline=$'\n' holder=""
    unset {variable}
    # whoever makes the start file first decides: this job, or an executor that took it back before it started
    write "$own" "$(date +%s) $id $HOSTNAME $$${{failed:+$newline$failed}}"
    if ! ln "$own" {start} 2> /dev/null && [ -e {start} ] && {{ read -r _ holder _ < {start}; [ "$holder" != "$id" ]; }}
    then
        rm -f "$own"
        exit 1  # taken back, or submitted twice; the same id means that the scheduler starts it again
    fi
    mv -f "$own" {start} 2> /dev/null
    rm -f "$own" {status}
    mkdir -p {logs}
    echo -n "${{failed:+divvy: $failed$newline}}" >> {log}
    {{  # bash itself prints a command that was killed, with the variables that are set for it: not here
        trap - INT QUIT  # which bash ignores in the background
        trap : TERM  # it ends after what it runs
        (
            cd {workdir} || exit
            {command}
        ) >> {log} 2>&1 < /dev/null
        echo "$?"
    }} 2> /dev/null | mark &
    wait "$!"  # in the foreground, a signal would have to wait
    status=$?
    [ "$status" = 0 ] || end_left {seconds_left}
    trap '' TERM  # from here on it has ended; who sees the exit status removes the marks
    write {status} "$status $(date +%s)"
    exit "$status"
}}
main
"""
ADOPT = """\
import os, signal, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, which holds for what this process becomes
except (ImportError, AttributeError, OSError):
    pass  # not Linux: orphans stay orphans
for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
    signal.signal(number, signal.SIG_DFL)
os.execvp("bash", ["bash", *sys.argv[1:]])
"""
PATIENCE = 20  # seconds that what a job runs has to end by itself when the scheduler tells the job to end
LEFT_SECONDS = 5  # the same for what is left when it has failed
TAKEN_BACK = "taken-back"  # instead of a job's id in its start file
MARK_SECONDS = 2  # how long a job that ended may go without the mark of that
ENDED = '{"external_jobid": "ended"}'  # instead of a marker that a job has removed

ENDS = "ends"  # folder of exit-status files
PYTHON_LITERAL = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=\s|$)""", re.DOTALL)
SHELL_WORD = re.compile(r"""(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+""", re.DOTALL)
MODULE = " -m snakemake "


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

    def log_under(self, name: str) -> Path:
        """The same log under the name of one of the jobs that share a submission; several may have the same name."""
        return self.log.with_name(f"{name}.{self.name.rpartition('.')[2]}.log")

    @property
    def submission_script(self) -> Path:
        """What divvy rendered."""
        return self.logs / f"{self.name}.sub"

    @property
    def job_script(self) -> Path:
        """What the submission script runs."""
        return self.state / f"{self.name}.sh"

    @property
    def inputs(self) -> Path:
        """What the job waits for, if that is too much for its command line."""
        return self.state / f"{self.name}.inputs"

    @property
    def scheduler_log(self) -> Path:
        """What the submission script and the scheduler printed (LOGFILE)."""
        return self.state / f"{self.name}.scheduler.log"

    @property
    def start(self) -> Path:
        """When the job started (seconds since 1970), its id, host and process; or that it was taken back before.

        A second line tells what has failed before the job's command. Further lines are the notes of a pack.
        """
        return self.state / f"{self.name}.start"

    @property
    def status(self) -> Path:
        """The job's exit status, and when it ended; in a folder of its own, which is listed again and again."""
        return self.state / ENDS / self.name

    def exit_status(self) -> int | None:
        """Return the recorded exit status; None if there is none (yet)."""
        status = _read_words(self.status)
        return int(status[0]) if status else None

    def times(self) -> tuple[float | None, float | None]:
        """Return when the job started and ended, as far as it has, in seconds since 1970."""
        start, status = _read_words(self.start), _read_words(self.status)
        return float(start[0]) if start else None, float(status[1]) if len(status) > 1 else None

    def started_id(self) -> str:
        """Return the id that the scheduler has told to the job; "" if it has told none, or the job has not started."""
        start = _read_words(self.start)
        return start[1] if len(start) > 1 and start[1] not in ("-", TAKEN_BACK) else ""

    def take_back(self) -> bool:
        """Keep the job from starting; return whether it had not started yet."""
        try:
            with self.start.open("x") as start:  # even if it stays empty it is not the job's
                start.write(f"0 {TAKEN_BACK}\n")
        except FileExistsError:
            return not self.has_started()
        except OSError:  # no file can be made here; then a job without its script does nothing either
            with suppress(OSError):
                self.job_script.unlink(missing_ok=True)
            return not self.has_started()
        return True

    def has_started(self) -> bool:
        """Whether the job has started."""
        return len(_read_words(self.start)) > 2

    @property
    def is_taken_back(self) -> bool:
        """Whether the job will not do anything any more, as it was taken back before it started."""
        return self.start.exists() and not self.has_started()

    def remove(self, but_status: bool = False) -> None:
        """Remove what the executor worked with, but for a note that the job was taken back, which it may still need."""
        kept = [] if self.has_started() else [self.start]
        kept += [self.status] if but_status else []
        self.remove_inputs()
        for path in (self.job_script, self.scheduler_log, self.start, self.status):
            with suppress(OSError):
                if path not in kept:
                    path.unlink(missing_ok=True)

    def remove_inputs(self) -> None:
        """Remove the list of what the job waits for, which may be long."""
        with suppress(OSError):
            self.inputs.unlink(missing_ok=True)


def write_privately(path: Path, text: str) -> None:
    """Write a file that only this user can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _read_words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def build_job_script(
    title: str,
    command: str,
    workdir: Path,
    files: JobFiles,
    job_variable: str = "",
    markers: Iterable[Path] = (),
    python: str = shlex.quote(sys.executable),
) -> str:
    """Return the text of the job script, which records start, log and exit status of `command`, shell code, itself.

    `job_variable` names the variable in which a job finds its id, `markers` are files that Snakemake removes when a job
    has ended, and `python`, shell code, is a Python of the job.
    """
    return JOB_SCRIPT.format(
        python=python,
        adopt=shlex.quote(ADOPT),
        variable=VARIABLE,
        before=BEFORE,
        patience=PATIENCE,
        seconds_left=LEFT_SECONDS,
        title=" ".join(title.split()),
        job_id=f'"${job_variable}"' if job_variable else "",
        markers=" ".join(shlex.quote(str(marker)) for marker in markers),
        ended=shlex.quote(ENDED),
        seconds=MARK_SECONDS,
        state=shlex.quote(str(files.state)),
        logs=shlex.quote(str(files.logs)),
        start=shlex.quote(str(files.start)),
        status=shlex.quote(str(files.status)),
        log=shlex.quote(str(files.log)),
        workdir=shlex.quote(str(workdir)),
        command=command,
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
