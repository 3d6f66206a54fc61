"""Lines of a submission script that fail before the job's command: they are told, in whatever template they stand."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from looper.const import DEFAULT_CONFIG_FILEPATH

from clusters import workflow
from plugin_helpers import command, need, refuse, stand_in, succeed, write_profile, write_site
from snakemake_executor_plugin_divvy.compute_packages import PLACEHOLDER, ComputePackage
from snakemake_executor_plugin_divvy.failed_lines import add_trap, read_failed_lines
from snakemake_executor_plugin_divvy.jobscript import JobFiles, build_job_script, write_privately

LOOPERS = sorted((Path(DEFAULT_CONFIG_FILEPATH).parent / "divvy_templates").iterdir())
HOSTILE = "it's {MEM} $HOME"  # the folder in which everything is


def write_job(folder: Path, template: str, job: str = "true", **settings: str) -> JobFiles:
    """Write the scripts of a job; where the package has no setting, the variable's name stands for its value."""
    files = JobFiles(folder / HOSTILE / "logs", folder / HOSTILE / "state", "s1.run-1")
    for path in (files.status.parent, files.logs):
        path.mkdir(parents=True)
    write_privately(files.job_script, build_job_script("rule", job, folder, files))
    package = ComputePackage("p", folder, folder, "bash", template, settings)
    values = {name: name.lower() for name in PLACEHOLDER.findall(template) if name not in settings}
    values |= {"LOGFILE": str(folder / "said"), "CODE": f"bash {shlex.quote(str(files.job_script))}"}
    text = package.render(values, files.submission_script)
    files.submission_script.write_text(add_trap(text, files.submission_script, files.job_script))
    return files


def run(files: JobFiles, *shell: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a submission script; the shell reads it from its file, or from stdin if that is `<`."""
    script, folder = files.submission_script, files.submission_script.parents[2]
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"} | env
    words = [*shell, str(script)] if shell[-1] != "<" else [*shell[:-1]]
    with script.open() as stdin:
        return subprocess.run(
            words, stdin=stdin, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )


# --- what a job gets to know


@pytest.mark.parametrize("template", LOOPERS, ids=lambda path: path.stem)
def test_in_all_templates_of_looper(template: Path, tmp_path: Path) -> None:
    """The containers and schedulers that they call are replaced by stand-ins that run the command."""
    words = {"apptainer": "${@: -2}", "docker": "${@: -2}", "bsub": "${@: -2}", "srun": "$@"}
    for name, passed in words.items():
        stand_in(tmp_path, name, f'[ "$2" = start ] || [ "$2" = stop ] || exec "{passed}"')
    stand_in(tmp_path, "bulker", "echo true")
    text = template.read_text()
    files = write_job(tmp_path, text, PRE_COMMAND="module load tool/2.0", POST_COMMAND="true")
    done = run(files, "bash")
    (line,) = (n for n, line in enumerate(files.submission_script.read_text().splitlines(), 1) if "module" in line)
    assert files.exit_status() == 0, done
    assert read_failed_lines(files.start) == f"exit status 127 of line {line}: module load tool/2.0"


TEMPLATE = "#!/bin/bash\n#SBATCH --mem=1\n\n{PRE_COMMAND}\n{CODE}\n{POST_COMMAND}\n"
LINE = 5  # of {PRE_COMMAND}, after the trap


@pytest.mark.parametrize("shell", [["bash"], ["bash", "-u"], ["bash", "<"]], ids=" ".join)
@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("true; export X=1; [ -e nosuch ] || X=2; if false; then :; fi; false && true", ""),
        ("f() { return 7; }; f x", "exit status 7 of line 5: f() { return 7; }; f x"),
        ("false\nls nosuch", "exit status 1 of line 5: false; exit status 2 of line 6: ls nosuch"),
        ("\n(exit 4) | (exit 5)", "exit status 5 of line 6: (exit 4) | (exit 5)"),
        ("eval 'false'", "exit status 1 of line 5: eval 'false'"),
        ("echo false > 'it''s.sh'; . ./its.sh; true", "exit status 1 of line 1 of ./its.sh: false"),
        ("rm nosuch 2> /dev/null # it's", "exit status 1 of line 5: rm nosuch 2> /dev/null # it's"),
    ],
)
def test_what_has_failed(shell: list[str], before: str, told: str, tmp_path: Path) -> None:
    job = '[ -z "${DIVVY_FAILED+set}" ] && echo ran'
    files = write_job(tmp_path, TEMPLATE, job, PRE_COMMAND=before, POST_COMMAND="false")
    done = run(files, *shell)
    assert files.exit_status() == 0, done
    assert set(read_failed_lines(files.start).split("; exit ")) >= set(told.split("; exit "))
    assert bool(read_failed_lines(files.start)) == bool(told)
    first = f"divvy: before its command: {read_failed_lines(files.start)}\n" if told else ""
    assert files.log.read_text() == f"{first}ran\n"
    assert f"divvy: {told.partition('; exit')[0]}\n" in done.stderr or not told


def test_a_job_that_fails_is_no_line_that_has_failed(tmp_path: Path) -> None:
    files = write_job(tmp_path, TEMPLATE, "exit 3", PRE_COMMAND="true", POST_COMMAND="")
    assert run(files, "bash").stderr == ""
    assert files.exit_status() == 3
    assert read_failed_lines(files.start) == ""


def test_a_script_that_stops_at_the_line_says_which(tmp_path: Path) -> None:
    files = write_job(tmp_path, TEMPLATE, PRE_COMMAND="set -e; (exit 9)", POST_COMMAND="")
    done = run(files, "bash")
    assert done.returncode == 9
    assert done.stderr == "divvy: exit status 9 of line 5: set -e; (exit 9)\n"
    assert not files.start.exists()


def test_many_lines_do_not_fill_the_environment(tmp_path: Path) -> None:
    files = write_job(tmp_path, TEMPLATE, PRE_COMMAND="for i in $(seq 200); do (exit 2); done", POST_COMMAND="")
    run(files, "bash")
    assert files.exit_status() == 0
    assert 0 < len(read_failed_lines(files.start)) < 1000


@pytest.mark.parametrize("shell", [["sh"], ["dash"], ["dash", "-e"], ["csh"], ["tcsh"]], ids=" ".join)
def test_shells_that_do_not_know_errors_pass_over_it(shell: list[str], tmp_path: Path) -> None:
    need(shutil.which(shell[0]) is not None, shell[0], "not installed")
    files = write_job(tmp_path, "#!/bin/sh\n{CODE}\n")
    assert "trap" in files.submission_script.read_text()
    run(files, *shell)
    assert files.exit_status() == 0


@pytest.mark.parametrize("first", ["#!/bin/csh", "#!/usr/bin/env python3", "#!/usr/bin/fish"])
def test_scripts_for_others_stay_as_they_are(first: str, tmp_path: Path) -> None:
    files = write_job(tmp_path, f"{first}\nrun({{CODE}})\n")
    assert "trap" not in files.submission_script.read_text()


def test_directives_stay_before_all_commands(tmp_path: Path) -> None:
    directives = "#!/usr/bin/env bash\n\n# ours\n #SBATCH -n 1\n\t\n#SBATCH -N 1\n"
    files = write_job(tmp_path, f"{directives}cd /\n#SBATCH -t 1\n{{CODE}}")
    text = files.submission_script.read_text()
    assert text.startswith(f"{directives}trap ")
    assert text.count("\n") == directives.count("\n") + 3


# --- what people get to know


def run_workflow(folder: Path, template: str, *options: str) -> subprocess.CompletedProcess[str]:
    workflow(folder, "    shell: 'touch {output}'\n", range(3))
    write_profile(folder)
    words = [*write_site(folder, template), "--cores", "2", *options]
    return command("snakemake", "--profile", "divvy", *words, folder=folder)


def test_a_run_warns_of_it(tmp_path: Path) -> None:
    said = succeed(run_workflow(tmp_path, "module load tool/2.0\n{CODE}\n"))
    line = "a line before its command had failed: exit status 127 of line 2: module load tool/2.0; with `set -e`"
    assert said.count(line) == 1
    assert "divvy: 3 jobs ran although such a line had failed: here job" in said
    logs = list((tmp_path / "logs" / "divvy").glob("*/*.log"))
    assert len(logs) == 3
    assert all("module load tool/2.0" in log.read_text() for log in logs)
    assert not list((tmp_path / ".snakemake" / "divvy").glob("*-*"))


def test_a_run_without_it_says_nothing(tmp_path: Path) -> None:
    assert "had failed" not in succeed(run_workflow(tmp_path, "true\n{CODE}\nfalse\n"))


def test_a_template_that_stops_there_fails_its_jobs(tmp_path: Path) -> None:
    said = refuse(run_workflow(tmp_path, "#!/bin/bash\nset -e\ngrep -q a /dev/null\n{CODE}\n", "--jobs", "1"))
    assert "    divvy: exit status 1 of line 4: grep -q a /dev/null" in said
    assert not (tmp_path / "0.txt").exists()
