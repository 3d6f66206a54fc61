"""Jobs of a killed run, on real schedulers: taken over if they do what is needed now, and otherwise canceled first."""

import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from clusters import Cluster, finish, intercept, on_slurm, said_with
from plugin_helpers import command, succeed, wait_until

pytestmark = pytest.mark.slow

# each kind of job writes the version of what made it, once there is a file `go`
SNAKEFILE = """\
configfile: "config.yaml"

KINDS = "shell python bash params run config wrapper resources grouped inputs".split()  # of ten CPUs
WAIT = "echo ${{SLURM_JOB_ID:-$JOB_ID}} >> starts.{rule}; while [ ! -e go ]; do sleep 0.3; done; "

rule all:
    input: expand("{kind}.txt", kind=KINDS)

rule shell:
    output: "shell.txt"
    shell: WAIT + "echo V1 > {output}"

rule python:
    output: "python.txt"
    script: "python.py"

rule bash:
    output: "bash.txt"
    script: "bash.sh"

rule params:
    output: "params.txt"
    params: version="V1", more={"b": [1, None], "a": {2, 1}}
    script: "params.py"

rule run:
    output: "run.txt"
    run:
        shell(WAIT)
        open(output[0], "w").write("V1")

rule config:
    output: "config.txt"
    script: "config.py"

rule wrapper:
    output: "wrapper.txt"
    wrapper: "file:WRAPPER"

rule resources:
    output: "resources.txt"
    resources: version="V1"
    shell: WAIT + "echo {resources.version} > {output}"

rule grouped:
    output: "grouped.txt"
    group: "a"
    run:
        shell(WAIT)
        open(output[0], "w").write("V1")

rule inputs:
    input: "in", "in/small"
    output: "inputs.txt"
    shell: WAIT + "cat in/small > {output}"
"""
PYTHON = """\
import os, time
with open(f"starts.{snakemake.rule}", "a") as file:
    print(os.environ.get("SLURM_JOB_ID") or os.environ["JOB_ID"], file=file)
while not os.path.exists("go"):
    time.sleep(0.3)
with open(snakemake.output[0], "w") as file:
    print(VERSION, file=file)
"""
BASH = """\
echo ${SLURM_JOB_ID:-$JOB_ID} >> starts.bash
while [ ! -e go ]; do sleep 0.3; done
echo V1 > "${snakemake_output[0]}"
"""
KINDS = (re.search('KINDS = "(.*)"', SNAKEFILE) or [""] * 2)[1].split()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("WRAPPER", str(tmp_path / "wrapper")))
    (tmp_path / "config.yaml").write_text("version: V1\n")
    (tmp_path / "bash.sh").write_text(BASH)
    (tmp_path / "wrapper").mkdir()
    (tmp_path / "wrapper" / "environment.yaml").write_text("dependencies: []\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "small").write_text("V1\n")
    versions = {
        "python.py": "'V1'",
        "wrapper/wrapper.py": "'V1'",
        "params.py": "snakemake.params.version",
        "config.py": "snakemake.config['version']",
    }
    for name, version in versions.items():
        (tmp_path / name).write_text(PYTHON.replace("VERSION", version))
    return tmp_path


def edit(project: Path) -> None:
    """Change all that the jobs depend on, each kind in its own way."""
    for name in ("Snakefile", "config.yaml", "bash.sh", "python.py", "wrapper/wrapper.py", "in/small"):
        path = project / name
        path.write_text(path.read_text().replace("V1", "V2"))


def read_starts(project: Path) -> dict[str, int]:
    return {path.suffix[1:]: len(path.read_text().split()) for path in project.glob("starts.*")}


def read_outputs(project: Path) -> dict[str, str]:
    return {path.stem: path.read_text().strip() for path in project.glob("*.txt")}


def start_and_kill(cluster: Cluster, project: Path, kinds: Sequence[str] = KINDS) -> None:
    """Run until all jobs wait for `go`, and end that as a crash of its machine does."""
    process = cluster.start(project, *name_targets(kinds))
    wait_until(lambda: read_starts(project).keys() == set(kinds))
    kill(process, project)


def name_targets(kinds: Sequence[str]) -> list[str]:
    return [f"{kind}.txt" for kind in kinds]


def kill(process: subprocess.Popen[str], project: Path) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    succeed(command("snakemake", "--unlock", folder=project))


@on_slurm
def test_what_did_not_change_is_taken_over_and_what_did_is_canceled_first(cluster: Cluster, project: Path) -> None:
    start_and_kill(cluster, project)
    (project / "in" / "small").touch()
    (project / "in" / "small.index").touch()
    said = follow(cluster, project, "of an earlier run, log: ", len(KINDS))
    assert "does not do what is needed" not in said
    assert "submitted" not in said
    edit(project)
    process = cluster.start(project, "--rerun-incomplete")
    wait_until(lambda: read_starts(project) == dict.fromkeys(KINDS, 2))
    (project / "go").touch()
    status, said = finish(process)
    assert status == 0, said
    assert said.count("of an earlier run does not do what is needed now") == len(KINDS)
    assert read_outputs(project) == dict.fromkeys(KINDS, "V2")


def follow(cluster: Cluster, project: Path, words: str, count: int) -> str:
    """Run until something was said that many times, then kill the run; return all that it said."""
    process = cluster.start(project, "--rerun-incomplete")
    said = ""
    while said.count(words) < count:
        line = process.stdout.readline()
        assert line, said
        said += line
    kill(process, project)
    return said


@on_slurm
@pytest.mark.parametrize("what", ["nothing", "edited", "forced"])
def test_what_ended_while_no_run_lived_is_done_unless_it_was_edited_or_is_forced(
    cluster: Cluster, project: Path, what: str
) -> None:
    kinds = ["bash", "python", "run"] if what == "forced" else KINDS
    start_and_kill(cluster, project, kinds)
    (project / "go").touch()
    wait_until(lambda: not cluster.queue())
    assert read_outputs(project) == dict.fromkeys(kinds, "V1")
    if what == "edited":
        edit(project)
    options = ["--forcerun", "bash", "python.txt", "--"] if what == "forced" else []
    status, said = cluster.run(project, "--rerun-incomplete", *options, *name_targets(kinds))
    assert status == 0, said
    again = {"nothing": [], "edited": KINDS, "forced": ["bash", "python"]}[what]
    assert read_starts(project) == {kind: 1 + (kind in again) for kind in kinds}
    assert read_outputs(project) == dict.fromkeys(kinds, "V2" if what == "edited" else "V1")
    status, said = cluster.run(project, *name_targets(kinds))
    assert "Nothing to be done" in said


@on_slurm
def test_a_renamed_rule_waits_for_the_job_that_makes_the_same_output(cluster: Cluster, project: Path) -> None:
    start_and_kill(cluster, project, ["shell", "bash"])
    text = (project / "Snakefile").read_text()
    (project / "Snakefile").write_text(text.replace("rule shell:", "rule renamed:"))
    shutil.copy(project / "starts.shell", project / "before")
    process = cluster.start(project, "--rerun-incomplete", *name_targets(["shell", "bash"]))
    wait_until((project / "starts.renamed").exists)
    (project / "go").touch()
    status, said = finish(process)
    assert status == 0, said
    assert (project / "before").read_text() == (project / "starts.shell").read_text()
    assert read_starts(project)["renamed"] == 1


PACKED = """\
rule all:
    input: expand("{n}.txt", n=range(4))

rule packed:
    output: "{n}.txt"
    resources: pack=4
    shell: "echo $SLURM_JOB_ID >> starts.{wildcards.n}; mkdir first 2> /dev/null ||"
        " while [ ! -e go ]; do sleep 0.3; done; echo V1 > {output}"
"""


LATE = 'sed -i "s/read -r -t 2 /read -r -t 60 /" .snakemake/divvy/*/*.sh'  # marks come when the pack has ended


def find_marks(project: Path) -> list[Path]:
    """Return the marks of jobs that have ended."""
    return [path for path in (project / ".snakemake" / "incomplete").iterdir() if "ended" in path.read_text()]


@on_slurm
@pytest.mark.parametrize("what", ["nothing", "edited", "not marked yet"])
def test_a_job_that_ended_in_a_pack_that_still_runs(cluster: Cluster, tmp_path: Path, what: str) -> None:
    """It is as much as any other a job that nobody has seen end, once and for all."""
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(PACKED)
    path = intercept(tmp_path, "sbatch", *([LATE] if what == "not marked yet" else []), 'real "$@"')
    process = cluster.start(tmp_path, path=path)
    marks = 0 if what == "not marked yet" else 1
    wait_until(lambda: len(read_starts(tmp_path)) == 2 and len(find_marks(tmp_path)) == marks)
    kill(process, tmp_path)
    (first,), running = read_outputs(tmp_path), read_starts(tmp_path)
    if what == "edited":
        snakefile.write_text(PACKED.replace("V1", "V2"))
    process = cluster.start(tmp_path, "--rerun-incomplete")
    said_with(process, "follows it" if what == "edited" else "of an earlier run, log: ")
    if what == "edited":
        wait_until(lambda: sum(read_starts(tmp_path).values()) > sum(running.values()))
    (tmp_path / "go").touch()
    status, said = finish(process)
    assert status == 0, said
    assert read_starts(tmp_path)[first] == 1 + (what == "edited")
    assert read_outputs(tmp_path) == dict.fromkeys("0123", "V2" if what == "edited" else "V1")
    assert find_marks(tmp_path) == []
    status, said = cluster.run(tmp_path)
    assert "Nothing to be done" in said
