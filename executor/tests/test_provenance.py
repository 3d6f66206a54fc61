"""Whether two runs agree on what a job does and reads, on Snakemake's own jobs."""

import json
import os
from pathlib import Path

import pytest
from snakemake.shell import shell

from planned import plan
from plugin_helpers import command, succeed
from snakemake_executor_plugin_divvy.provenance import Ticket, build_ticket, does_the_same, list_markers

WORKFLOW = """\
configfile: "config.yaml"
include: "more.smk"

TOOL = workflow.source_path("tool.py")

rule all:
    input: "shell", "python", "bash", "wrapper", "notebook", "run", "tool", "handed"

rule shell:
    input: "in/small", "in/large"
    output: "shell"
    log: "shell.log"
    params: number=1, names={"one", "two", "three"}, where=Path("here")
    threads: 2
    resources: mem_mb=100
    shell: "cat {input} > {output} # {config[shown]}"

rule python:
    input: one="in/small", two="in/large"
    output: "python"
    params: number=1
    script: "script.py"

rule bash:
    output: "bash"
    script: "script.sh"

rule wrapper:
    output: "wrapper"
    wrapper: "file:wrapper"

rule notebook:
    output: "notebook"
    notebook: "notebook.ipynb"

rule run:
    output: "run"
    run:
        help(output)

rule tool:
    output: "tool"
    shell: "python {TOOL}; touch {output}"

rule handed:
    input: tool=workflow.source_path("tool.py")
    output: "handed"
    shell: "python {input.tool} {output}"
"""
FILES = {
    "Snakefile": WORKFLOW,
    "more.smk": "def help(output):\n    Path(output[0]).touch()\n",
    "config.yaml": "shown: 1\nhidden: {deep: [1, 2], since: 2026-01-01}\n",
    "script.py": "print(1)\n",
    "script.sh": "echo 1\n",
    "tool.py": "print(1)\n",
    "wrapper/wrapper.py": "print(1)\n",
    "wrapper/environment.yaml": "",
    "notebook.ipynb": json.dumps(
        {"cells": [], "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 0}
    ),
    "in/small": "small",
    "in/large": "more than 10 bytes",
}
SEE_CONFIG = {"python", "bash", "wrapper", "notebook", "run"}
EVERY = {"shell", "tool", "handed"} | SEE_CONFIG
Tickets = dict[str, Ticket]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a workflow that has a rule of each kind."""
    monkeypatch.setattr(shell, "_process_prefix", None)
    (tmp_path / "work").mkdir()
    for name, text in FILES.items():
        write(tmp_path / "work" / name, text)
    return tmp_path / "work"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def read_tickets(folder: Path) -> Tickets:
    """Return the tickets of a workflow's rules; of a group under the group's name."""
    with plan(folder) as workflow:
        jobs = [job for job in workflow.dag.jobs if job.rule.name != "all"]
        jobs = [workflow.dag.get_job_group(job) or job for job in jobs]
        return {job.groupid if job.is_group() else job.name: build_ticket(job, "call", workflow) for job in jobs}


def find_changed(before: Tickets, after: Tickets) -> set[str]:
    """Return the rules whose jobs do not do what they did, as another run reads it from its journal."""
    left = {name: Ticket(t.outputs, t.digest, json.loads(json.dumps(t.inputs)), 1) for name, t in before.items()}
    return {name for name in left.keys() | after.keys() if not does_the_same(left[name], after[name])}


def test_the_same_workflow_does_the_same_in_any_process(folder: Path) -> None:
    tickets = read_tickets(folder)
    assert tickets.keys() == EVERY
    assert all(ticket.digest for ticket in tickets.values())
    assert find_changed(tickets, read_tickets(folder)) == set()
    code = "import sys, pathlib, test_provenance as t; t.print_digests(pathlib.Path(sys.argv[1]))"
    env = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])}
    for seed in "1", "2":
        said = succeed(command("python", "-c", code, str(folder), folder=folder, PYTHONHASHSEED=seed, **env))
        assert json.loads(said.splitlines()[-1]) == {name: ticket.digest for name, ticket in tickets.items()}


def print_digests(folder: Path) -> None:
    print(json.dumps({name: ticket.digest for name, ticket in read_tickets(folder).items()}))


@pytest.mark.parametrize(
    ("name", "old", "new", "changed"),
    [
        ("Snakefile", "cat {input}", "cat -n {input}", {"shell"}),
        ("Snakefile", "number=1, names", "number='1', names", {"shell"}),
        ("Snakefile", '"three"}', '"four"}', {"shell"}),
        ("Snakefile", 'Path("here")', 'Path("there")', {"shell"}),
        ("Snakefile", "threads: 2", "threads: 3", {"shell"}),
        ("Snakefile", "mem_mb=100", "mem_mb=200", {"shell"}),
        ("Snakefile", '"shell.log"', '"other.log"', {"shell"}),
        ("Snakefile", '    log: "shell.log"\n', '    log: "shell.log"\n    benchmark: "shell.bench"\n', {"shell"}),
        ("Snakefile", 'output: "shell"', 'output: touch("shell")', {"shell"}),
        ("Snakefile", 'one="in/small", two="in/large"', 'two="in/small", one="in/large"', {"python"}),
        ("Snakefile", "number=1\n", "number=2\n", {"python"}),
        ("Snakefile", "number=1\n", "digit=1\n", {"python"}),
        ("Snakefile", "        help(output)", "        help(output); print(1)", set()),
        ("Snakefile", "rule all:", 'shell.prefix("set -x; ")\n\nrule all:', EVERY),
        ("more.smk", "touch()", 'write_text("1")', {"run"}),
        ("config.yaml", "shown: 1", "shown: 2", {"shell"} | SEE_CONFIG),
        ("config.yaml", "[1, 2]", "[1, '2']", SEE_CONFIG),
        ("script.py", "1", "2", {"python"}),
        ("script.sh", "1", "2", {"bash"}),
        (
            "notebook.ipynb",
            '"cells": []',
            '"cells": [{"cell_type": "raw", "metadata": {}, "source": "1"}]',
            {"notebook"},
        ),
        ("wrapper/wrapper.py", "1", "2", {"wrapper"}),
        ("tool.py", "1", "2", {"tool", "handed"}),
        ("in/small", "small", "tiny!", {"shell", "python"}),
    ],
)
def test_an_edit_changes_the_jobs_that_it_concerns(
    folder: Path, name: str, old: str, new: str, changed: set[str]
) -> None:
    before = read_tickets(folder)
    edit(folder / name, old, new)
    everywhere = {"run"} if name == "Snakefile" else set()  # its body sees all that is defined there
    assert find_changed(before, read_tickets(folder)) == changed | everywhere


def test_a_resource_with_the_path_of_a_source_is_the_same_in_any_run(folder: Path) -> None:
    edit(folder / "Snakefile", "mem_mb=100", "tool=TOOL")
    before = read_tickets(folder)
    assert find_changed(before, read_tickets(folder)) == set()
    edit(folder / "tool.py", "1", "2")
    assert "shell" in find_changed(before, read_tickets(folder))


def test_another_rule_for_the_same_output_is_another_job(folder: Path) -> None:
    before = read_tickets(folder)["bash"]
    edit(folder / "Snakefile", "rule bash:", "rule other:")
    after = read_tickets(folder)["other"]
    assert before.outputs == after.outputs == ("bash",)
    assert not does_the_same(before, after)


@pytest.mark.parametrize("what", ["object()", "[lambda: 1]", "{(1, 2): 3}", "{1, object()}"])
def test_what_cannot_be_compared_is_never_the_same(folder: Path, what: str) -> None:
    edit(folder / "Snakefile", "number=1\n", f"number=lambda wildcards: {what}\n")
    tickets = read_tickets(folder)
    assert tickets["python"].digest == ""
    assert find_changed(tickets, tickets) == {"python"}


def test_another_call_is_another_job(folder: Path) -> None:
    with plan(folder) as workflow:
        job = next(iter(workflow.dag.jobs))
        assert not does_the_same(build_ticket(job, "one", workflow), build_ticket(job, "two", workflow))


def test_a_value_of_numpy_is_compared(folder: Path) -> None:
    edit(folder / "Snakefile", "number=1\n", "number=lambda wildcards: __import__('numpy').arange(2000)\n")
    before = read_tickets(folder)
    assert find_changed(before, read_tickets(folder)) == set()
    edit(folder / "Snakefile", "arange(2000)", "delete(__import__('numpy').arange(2001), 1000)")
    assert find_changed(before, read_tickets(folder)) == {"python", "run"}


def test_inputs_are_compared_as_snakemake_does_it(folder: Path) -> None:
    before = read_tickets(folder)
    (folder / "in" / "large.index").touch()
    os.utime(folder / "in" / "small", (1, 1))
    assert find_changed(before, read_tickets(folder)) == set()
    os.utime(folder / "in" / "large", (1, 1))
    assert find_changed(before, read_tickets(folder)) == {"shell", "python"}
    edit(folder / "Snakefile", 'two="in/large"', 'two=ancient("in/large")')
    before = read_tickets(folder)
    os.utime(folder / "in" / "large", (2, 2))
    assert find_changed(before, read_tickets(folder)) == {"shell"}


@pytest.mark.parametrize("timestamp", ["", ".snakemake_timestamp"])
def test_a_folder_is_compared_by_the_time_that_snakemake_gave_it_or_by_what_was_in_it(
    folder: Path, timestamp: str
) -> None:
    edit(folder / "Snakefile", 'output: "bash"', 'input: "data"\n    output: "bash"')
    write(folder / "data" / "a" / "1", "1")
    if timestamp:
        (folder / "data" / timestamp).touch()
    before = read_tickets(folder)
    (folder / "data" / "a" / "1.index").touch()
    assert find_changed(before, read_tickets(folder)) == set()
    os.utime(folder / "data" / "a" / "1", (1, 1))
    assert find_changed(before, read_tickets(folder)) == set()
    if timestamp:
        os.utime(folder / "data" / timestamp, (1, 1))
    else:
        write(folder / "data" / "a" / "1", "2")
    assert find_changed(before, read_tickets(folder)) == {"bash"}
    if not timestamp:
        before = read_tickets(folder)
        (folder / "data" / "a" / "1").unlink()
        assert find_changed(before, read_tickets(folder)) == {"bash"}


def test_a_group_is_one_job_of_what_its_jobs_do(folder: Path) -> None:
    edit(folder / "Snakefile", 'output: "bash"', 'group: "g"\n    input: "python"\n    output: temp("bash")')
    edit(folder / "Snakefile", 'output: "python"', 'group: "g"\n    output: "python"')
    before = read_tickets(folder)
    assert before.keys() == EVERY - {"python", "bash"} | {"g"}
    assert before["g"].outputs == ("bash", "python")
    assert before["g"].inputs.keys() == {"in/small", "in/large"}
    assert find_changed(before, read_tickets(folder)) == set()
    for name in "script.sh", "script.py":
        edit(folder / name, "1", "2")
        after = read_tickets(folder)
        assert find_changed(before, after) == {"g"}
        before = after


def test_a_job_without_outputs_is_known_by_its_rule_and_wildcards(folder: Path) -> None:
    write(folder / "Snakefile", 'rule alone:\n    shell: "true"\n')
    assert read_tickets(folder)["alone"].outputs == ("alone:",)


def test_the_markers_are_the_files_that_snakemake_writes(folder: Path) -> None:
    edit(folder / "Snakefile", 'output: "bash"', f'output: "bash", "{"x" * 250}", directory("made")')
    with plan(folder) as workflow:
        (job,) = (job for job in workflow.dag.jobs if job.name == "bash")
        markers = list_markers(job, workflow.persistence)
        assert not any(marker.exists() for marker in markers)
        job.register(external_jobid="1")
        written = [path for path in (folder / ".snakemake" / "incomplete").rglob("*") if path.is_file()]
        assert sorted(markers) == sorted(written)
        assert len(markers) == 3
