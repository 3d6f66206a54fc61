"""Lines of a submission script that fail before the job's command: the shell goes on, so somebody has to tell.

Most shells have nothing to tell it by; in bash it is a trap, which tells the log of the scheduler and, in a variable,
the job script. That puts it into the job's log and its start file, where the executor finds it.
"""

import re
import shlex
from contextlib import suppress
from pathlib import Path

VARIABLE = "DIVVY_FAILED"
BEFORE = "before its command: "  # begins the second line of a start file if lines have failed
# other shells have to pass over it, even csh, which some schedulers start whatever the first line says: hence one line
TRAP = """\
trap {handler} ERR 2> /dev/null || :  # tells which lines fail
"""
HANDLER = """\
case $BASH_COMMAND in *{job}*) ;; *) \
DIVVY_LINE="exit status $? of line $LINENO" DIVVY_FILE={script}; \
[ "${{BASH_SOURCE:-$0}}" = "$0" ] || DIVVY_FILE=$BASH_SOURCE DIVVY_LINE="$DIVVY_LINE of $BASH_SOURCE"; \
DIVVY_LINE="$DIVVY_LINE: $(sed -n "$LINENO"p "$DIVVY_FILE")"; echo "divvy: $DIVVY_LINE" >&2; \
export {variable}="${{{variable}:+${{{variable}:0:500}}; }}$DIVVY_LINE" ;; esac"""


def add_trap(text: str, script: Path, job_script: Path) -> str:
    """Return the text of the submission script `script`, which runs `job_script`, with a trap for lines that fail.

    It precedes all commands, after which schedulers look for no more directives. Only scripts for bash or sh get it, as
    far as the first line tells.
    """
    if not _is_for_shell(text):
        return text
    place = re.match(r"(?:[ \t]*(?:#.*)?\n)*", text)
    assert place is not None
    job, path = shlex.quote(job_script.name), shlex.quote(str(script))
    handler = HANDLER.format(job=job, script=path, variable=VARIABLE)
    return text[: place.end()] + TRAP.format(handler=shlex.quote(handler)) + text[place.end() :]


def read_failed_lines(start: Path) -> str:
    """Return which lines have failed before the command of the job with this start file; "" if none has."""
    with suppress(OSError):
        lines = start.read_text(errors="replace").splitlines()[1:2]
        return lines[0].removeprefix(BEFORE) if lines and lines[0].startswith(BEFORE) else ""
    return ""


def _is_for_shell(text: str) -> bool:
    first = text.partition("\n")[0]
    return not first.startswith("#!") or any(Path(word).name in ("bash", "sh") for word in first[2:].split())
