"""What people are told: why a group has failed, where logs are, and what is left of a run that was stopped twice."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from clusters import said_with, workflow
from plugin_helpers import (
    calls,
    command,
    count_lines,
    environment,
    refuse,
    stand_in,
    start,
    succeed,
    wait_until,
    write_site,
)
from snakemake_executor_plugin_divvy.submissions import note_interrupts

slow = pytest.mark.slow
CALL = ["snakemake", "--executor", "divvy", "--jobs", "9", "--cores", "2"]


# --- groups

GROUP = """\
rule all:
    input: "b.txt"

rule a:
    output: "a.txt"
    log: "own logs/a"
    group: "g"
    shell: "echo said by a > {log:q}; [ -e ok ]; touch {output}"

rule b:
    input: "a.txt"
    output: "b.txt"
    log: "own logs/b"
    group: "g"
    shell: "echo said by b > {log:q}; echo b says why >&2; exit 7"
"""


@pytest.mark.parametrize(("ok", "of"), [(True, "b"), pytest.param(False, "a", marks=slow)])
def test_a_group_that_fails_says_why_like_any_job(ok: bool, of: str, tmp_path: Path) -> None:
    package = write_site(tmp_path)
    (tmp_path / "Snakefile").write_text(GROUP)
    if ok:
        (tmp_path / "ok").touch()
    said = refuse(command(*CALL, *package, folder=tmp_path), "message: Error in group g: exit status 1\n")
    error = said[said.index("Error in group g:") : said.rindex("Exiting because")]
    (log,) = (tmp_path / "logs" / "divvy").glob("*/*.log")
    shown = log.relative_to(tmp_path)
    assert f"    log: {shown}\n    submission script: {shown.with_suffix('.sub')}\n" in error
    assert f"    last lines of own logs/{of}:\n        said by {of}\n    last lines of {shown}:\n" in error
    assert ("b says why" in error) == ok
    before_logs, _, _ = error.partition("last lines")
    assert "message: None" not in before_logs
    jobs = error[error.index("\n    jobs:") :]
    assert "rule a:" in jobs
    assert "rule b:" in jobs
    assert "message: None" not in jobs


def test_a_group_on_a_broken_node_says_so(tmp_path: Path) -> None:
    package = write_site(tmp_path, "#!/bin/bash\necho this node is broken\nexit 3\n{CODE}\n")
    (tmp_path / "Snakefile").write_text(GROUP)
    said = refuse(command(*CALL, *package, folder=tmp_path), "Error in group g: ended without an exit status")
    assert said.count("        this node is broken\n") == 1
    assert "message: None" not in said


# --- paths

ONE = """\
rule all:
    input: "a.txt"

rule a:
    output: "a.txt"
    log: "a.log"
    shell: "echo the reason > {log}; [ -e ok ] && pwd > {output}"
"""


@pytest.mark.parametrize("how", ["--directory", pytest.param("workdir:", marks=slow)])
def test_paths_start_where_the_user_is(how: str, tmp_path: Path) -> None:
    """Not in the folder of --directory or workdir, in which Snakemake and the jobs work."""
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    here.mkdir()
    words = write_site(here)
    config, package = words[:2], words[2:]
    is_option = how == "--directory"
    (here / "Snakefile").write_text(ONE if is_option else f"workdir: {str(there)!r}\n{ONE}")
    options = ["--directory", "../there"] if is_option else []
    said = refuse(command(*CALL, *config, *package, *options, folder=here), "the reason")
    _, _, message = said.partition("    message: ")
    shown = re.findall(r"^    (?:last lines of|log:|submission script:) (\S+?):?$", message, flags=re.MULTILINE)
    assert len(shown) >= 4
    assert [path for path in shown if not (here / path).is_file()] == []
    (there / "ok").touch()
    succeed(command(*CALL, *package, *options, folder=here, DIVCFG="divvy.yaml"))
    assert (there / "a.txt").read_text() == f"{there}\n"
    said = refuse(command(*CALL, *package, *options, "--forceall", folder=here, DIVCFG="gone.yaml"))
    assert f"DIVCFG=gone.yaml: no such file ({here}/gone.yaml); expected" in said


# --- lists of files to wait for

MANY = """\
rule all:
    input: "good.txt", "bad.txt"

rule good:
    input: expand("in/{i}", i=range(30))
    output: "good.txt"
    shell: "touch {output}"

rule bad:
    input: expand("in/{i}", i=range(30))
    output: "bad.txt"
    retries: 1
    shell: "exit 1"
"""


def test_lists_of_files_to_wait_for_do_not_outlive_their_jobs(tmp_path: Path) -> None:
    package = write_site(tmp_path)
    (tmp_path / "Snakefile").write_text(MANY)
    (tmp_path / "in").mkdir()
    for number in range(30):
        (tmp_path / "in" / str(number)).touch()
    refuse(command(*CALL, *package, "--keep-going", folder=tmp_path))
    kept = {path.suffix for path in (tmp_path / ".snakemake" / "divvy").rglob("bad.*")}
    assert ".sh" in kept
    assert ".inputs" not in kept


# --- a run that is stopped twice

# none starts as long as there is a file `busy`
SBATCH = """\
job=1
until mkdir {folder}/job.$job 2> /dev/null; do job=$((job + 1)); done
echo "Submitted batch job $job"
[ -e {folder}/busy ] || {{ SLURM_JOB_ID=$job setsid bash "${{@: -1}}" > /dev/null 2>&1 < /dev/null & }}
"""
SQUEUE = """\
for job in $(cd {folder}; ls -d job.* | cut -c5-); do
    grep -qw "$job" {folder}/gone 2> /dev/null || echo "$job|PENDING|Resources"
done
"""
SCANCEL = """\
[ -e {folder}/busy ] && exec sleep 30
printf '%s\\n' "$@" >> {folder}/gone
"""


@pytest.mark.parametrize(
    "numbers", [(signal.SIGINT, signal.SIGINT), pytest.param((signal.SIGTERM, signal.SIGINT), marks=slow)]
)
def test_a_second_ctrl_c_names_what_is_left_and_the_next_run_takes_care_of_it(
    numbers: tuple[signal.Signals, signal.Signals], tmp_path: Path
) -> None:
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, script in {"sbatch": SBATCH, "squeue": SQUEUE, "scancel": SCANCEL, "sacct": "true"}.items():
        stand_in(commands, name, script.format(folder=commands))
    (commands / "busy").touch()
    package = write_site(tmp_path, command="sbatch")
    workflow(tmp_path, "    shell: 'touch {output}'\n", range(2))
    path = f"{commands}:{environment()['PATH']}"
    quick = ["--seconds-between-status-checks", "1", "--latency-wait", "1"]
    call = [*CALL, *package, *quick]
    process = start(*call, folder=tmp_path, PATH=path)
    for _ in range(2):
        said_with(process, "divvy: submitted job")
    process.send_signal(numbers[0])
    wait_until(lambda: count_lines(commands / "scancel.calls") == 1)
    began = time.monotonic()
    process.send_signal(numbers[1])
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert process.returncode == 1, said
    assert "Traceback" not in said
    named = re.search(r"divvy: 2 jobs were not seen to end and may still wait or run: (.*); the next run", said)
    assert named, said
    assert sorted(named[1].split(", ")) == ["slurm job 1", "slurm job 2"]
    (commands / "busy").unlink()
    said = succeed(command(*call, folder=tmp_path, PATH=path))
    assert said.count("of an earlier run has gone") == 2
    assert set("".join(calls(commands, "scancel")[1:]).split()) >= {"1", "2"}
    assert len(calls(commands, "sbatch")) == 4
    assert not list((tmp_path / ".snakemake" / "divvy").glob("*-*"))


def test_ctrl_c_is_noted_only_as_long_as_somebody_wants_to(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text(
        "import os, signal, threading\n"
        f"from {note_interrupts.__module__} import note_interrupts\n"
        "with note_interrupts() as event:\n"
        "    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):\n"
        "        os.kill(os.getpid(), number)\n"
        "    assert event.wait(9)\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    event.wait(9) and threading.Event().wait(9)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    process: subprocess.Popen[str] = start("python", script, folder=tmp_path)
    assert process.communicate(timeout=60)[0] == "interrupted\n"
