"""Runs of Snakemake in forks of one process that has imported it, which takes longer than most of these runs.

`ForkedSnakemake` is for the tests. As a program, this file is that process: it reads a run a line from its standard input,
and answers with the exit status of each.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = str(Path(sys.executable).parent)


class ForkedSnakemake:
    """The process, for as long as the one that runs the tests lives."""

    def __init__(self) -> None:
        """Start it; its imports are not waited for."""
        variables = {"OPENBLAS_NUM_THREADS": "1"}  # threads do not survive a fork
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | variables,
        )

    def run(self, words: list[str], folder: Path, env: dict[str, str], timeout: float) -> tuple[int, str]:
        """Run the command `snakemake` with these words; return its exit status, and what it printed.

        After the timeout, in seconds, it is killed.
        """
        with tempfile.NamedTemporaryFile("r", errors="replace") as out:
            run = {"words": words, "folder": str(folder), "env": env, "timeout": timeout, "out": out.name}
            self._process.stdin.write(json.dumps(run) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline()), out.read()


def serve() -> None:
    """Import Snakemake, and run it in a fork for each line of the standard input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints while it is imported
    sys.path[0] = BIN  # as that of the program
    from snakemake import cli, workflow

    cli.get_argument_parser()  # imports the plugins
    import pandas  # noqa: F401  # as Snakemake does when it compares parameters

    for line in sys.stdin:
        run = json.loads(line)
        if not (child := os.fork()):
            become(run)
            workflow.Workflow._rundir = os.getcwd()  # the one thing that is noted when it is imported
            cli.main()
            sys.exit()
        status = wait(child, run["timeout"])
        print(status, file=answers, flush=True)


def become(run: dict) -> None:
    """Be a new process of `snakemake`, in a session of its own, as far as it can tell."""
    os.setsid()
    out = os.open(run["out"], os.O_WRONLY | os.O_APPEND)
    for number, file in enumerate((os.open(os.devnull, os.O_RDONLY), out, out)):
        os.dup2(file, number)
    os.chdir(run["folder"])
    os.environ.clear()
    os.environ.update(run["env"])
    sys.argv = [f"{BIN}/snakemake", *run["words"]]


def wait(child: int, timeout: float) -> int:
    """Return the exit status of a process, which is killed with all of its group when its time is over."""

    def kill(*_: object) -> None:
        os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    serve()
