"""Jobs do what was planned: what is edited while they wait, and how configuration gets to them."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile

from plugin_helpers import command, environment, refuse, start, succeed, wait_until, write_profile
from snakemake_executor_plugin_divvy.jobs.plan import CONFIG, Plan, write_plan

slow = pytest.mark.slow
SNAKEFILE = """\
import csv, random
configfile: "config.yaml"
include: "more.smk"

with open("project.yaml") as file:  # as peppy reads a project
    SHEET = file.read().split(": ")[1].strip()
with open(SHEET) as file:
    GENOMES = {row["sample"]: row["genome"] for row in csv.DictReader(file)}
KINDS = "shell python bash run helper included sheet config config_in_run own_files command piped".split()

rule all:
    input: [f"{kind}.txt" for kind in KINDS]

rule shell:
    output: "shell.txt"
    shell: "echo V1 shell > {output}"

rule python:
    output: "python.txt"
    script: "scripts/make.py"

rule bash:
    output: "bash.txt"
    script: "scripts/make.sh"

rule run:
    output: "run.txt"
    run:
        open(output[0], "w").write("V1 run")

rule helper:
    output: "helper.txt"
    run:
        help(output)

rule sheet:
    output: "sheet.txt"
    params: genome=lambda wildcards: GENOMES["a"]
    shell: "echo {params.genome} > {output}"

rule config:
    output: "config.txt"
    params: version=config["version"]
    shell: "echo {params.version} > {output}"

rule config_in_run:
    output: "config_in_run.txt"
    run:
        open(output[0], "w").write(config["version"])

rule own_files:  # its command is another one wherever it is made
    output: "own_files.txt"
    params: seed=lambda wildcards: random.random(), order=",".join({"one", "two", "three", "four", "five"})
    shell: "echo {params.seed} {params.order} {resources.tmpdir} > {output}"

rule command:
    output: "command.txt"
    shell: "echo {resources.tmpdir} V1 > {output}"

rule piped:
    input: "command.txt"
    output: "piped.txt"
    script: "scripts/commented.py"
"""
MAKE_SH = 'echo V1 > "${snakemake_output[0]}"\n'
MAKE_PY = 'with open(snakemake.output[0], "w") as file:\n    file.write("V1 python")\n'
MORE = """\
def help(output):
    open(output[0], "w").write("V1 help")

rule included:
    output: "included.txt"
    shell: "echo V1 included > {output}"
"""
FILES = {
    "Snakefile": SNAKEFILE,
    "more.smk": MORE,
    "config.yaml": "version: V1\n",
    "project.yaml": "sheet: sheets/genomes.csv\n",
    "sheets/genomes.csv": "sample,genome\na,V1\n",
    "scripts/make.py": MAKE_PY,
    "scripts/make.sh": MAKE_SH,
    "scripts/commented.py": MAKE_PY,
}
TEMPLATE = """\
#!/bin/bash
touch waiting.$$
while [ ! -e go ]; do sleep 0.1; done
export TMPDIR="$PWD/node"
{CODE}
"""
KINDS = "shell python bash run helper included sheet config config_in_run own_files command piped".split()
NO_CACHE = [
    "--shared-fs-usage",
    "persistence",
    "input-output",
    "software-deployment",
    "sources",
    "storage-local-copies",
]


def project(folder: Path) -> Path:
    """Write a workflow whose jobs wait, when they were submitted, until there is a file `go`."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    write_profile(folder)
    (folder / "template.sub").write_text(TEMPLATE)
    (folder / "node").mkdir()
    package = {"submission_template": "template.sub", "submission_command": "sh"}
    (folder / "divvy.yaml").write_text(yaml.safe_dump({"compute_packages": {"held": package}}))
    return folder


def edit_while_waiting(
    folder: Path, edits: dict[str, tuple[str, str]], *options: str, kinds: Sequence[str] = KINDS
) -> subprocess.CompletedProcess[str]:
    """Make the files of these kinds, and edit files of the workflow when the first jobs wait."""
    held = ["--divvy-config", "divvy.yaml", "--divvy-compute-package", "held", "--cores", "20"]
    targets = [f"{kind}.txt" for kind in kinds]
    running = start("snakemake", "--profile", "divvy", *held, *targets, *options, folder=folder)
    wait_until(lambda: len(list(folder.glob("waiting.*"))) == len({*kinds} - {"piped"}))
    for name, (old, new) in edits.items():
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    (folder / "go").touch()
    said, _ = running.communicate(timeout=120)
    return subprocess.CompletedProcess([], running.returncode, said)


def made(folder: Path) -> set[str]:
    return {kind for kind in KINDS if (folder / f"{kind}.txt").exists()}


@pytest.mark.parametrize(
    ("options", "failing"),
    [
        ((), {"sheet", "own_files"}),  # Snakemake hands over its sources, and the executor the configuration
        pytest.param(NO_CACHE, set(KINDS) - {"config"}, marks=slow),
    ],
)
def test_a_job_that_an_edit_makes_another_one_fails(tmp_path: Path, options: list[str], failing: set[str]) -> None:
    folder = project(tmp_path)
    edits = {name: ("V1", "V2") for name in FILES if "V1" in FILES[name]}
    done = edit_while_waiting(folder, edits, *options)
    said = refuse(done, "the workflow was edited since this job was planned", "sheets/genomes.csv")
    assert "V2" not in "".join(path.read_text() for path in folder.glob("*.txt"))
    assert set(KINDS) - made(folder) == failing, said
    for name, text in FILES.items():
        (folder / name).write_text(text)
    succeed(command("snakemake", "--profile", "divvy", folder=folder))
    assert made(folder) == set(KINDS)
    assert "V2" not in "".join(path.read_text() for path in folder.glob("*.txt"))


@slow
def test_an_edit_that_changes_no_job_fails_none(tmp_path: Path) -> None:
    folder = project(tmp_path)
    order = ', "two", "three", "four", "five"'
    (folder / "Snakefile").write_text(SNAKEFILE.replace("random.random()", "1").replace(order, ""))
    edits = {
        "Snakefile": ("rule all:", "# all\nrule all:"),
        "more.smk": ("rule included:", "rule other:\n    shell: 'true'\n\n# V2\nrule included:"),
        "config.yaml": ("version: V1", "version: V2\nmore: V2"),
        "sheets/genomes.csv": ("a,V1", "a,V1\nb,V2"),
        "scripts/make.py": ("\n", "  # V2\n"),
        "scripts/commented.py": ("with", "# V2\n\nwith"),
    }
    done = edit_while_waiting(folder, edits, *NO_CACHE)
    # what is defined in a Snakefile may matter to any `run`
    assert set(KINDS) - made(folder) == {"run", "helper", "config_in_run"}, done.stdout
    assert "V2" not in "".join(path.read_text() for path in folder.glob("*.txt"))
    assert "was edited" not in done.stdout.replace("workflow was edited", "")


def test_an_edited_sheet_fails_the_jobs_that_it_changes(tmp_path: Path) -> None:
    folder = project(tmp_path)
    kinds = ["sheet", "own_files", "command"]
    done = edit_while_waiting(folder, {"sheets/genomes.csv": ("a,V1", "a,V2")}, kinds=kinds)
    refuse(done, "edited since", "sheets/genomes.csv")
    assert made(folder) == {"command"}


def test_jobs_that_differ_by_themselves_and_what_is_handed_over_are_no_edit(tmp_path: Path) -> None:
    """A script is as it was when the run began, also for a job that is submitted later; what follows of that is said."""
    folder = project(tmp_path)
    kinds = ["config", "config_in_run", "own_files", "python", "piped", "command"]
    edits = {"config.yaml": ("V1", "V2"), "scripts/commented.py": ("V1", "V2")}
    said = succeed(edit_while_waiting(folder, edits, kinds=kinds))
    assert str(folder / "node") in (folder / "command.txt").read_text()
    assert {(folder / f"{kind}.txt").read_text().strip() for kind in ("config", "config_in_run")} == {"V1"}
    assert (folder / "piped.txt").read_text() == "V1 python"
    assert "scripts/commented.py was edited while this run was on" in said
    assert "scripts/make.py was edited" not in said


# --- configuration from the command line

CONFIGURED = """\
configfile: "base.yaml"

rule all:
    input: "a.txt", "b.txt"

rule a:
    output: "a.txt"
    params: genome=config.get("genome", "hg19"), base=config.get("base", "none")
    shell: "echo {params.genome} {params.base} > {output}"

rule b:
    output: "b.txt"
    run:
        open(output[0], "w").write(config.get("genome", "hg19") + " " + config.get("base", "none"))
"""


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ("--configfile /dev/stdin < other.yaml", "mm10 1"),
        ('--configfile <(echo \'{"genome": "mm10"}\')', "mm10 1"),
        ('--configfile <(echo \'{"genome": "rn6"}\') other.yaml --config base=two', "mm10 two"),
        ("--configfile other.yaml --replace-workflow-config", "mm10 none"),
        ("--configfile other.yaml --replace-workflow-config --groups a=g b=g", "mm10 none"),
    ],
)
def test_values_of_configfile_get_to_all_jobs(tmp_path: Path, options: str, made: str) -> None:
    (tmp_path / "Snakefile").write_text(CONFIGURED)
    (tmp_path / "base.yaml").write_text("base: '1'\n")
    (tmp_path / "other.yaml").write_text("genome: mm10\n")
    write_profile(tmp_path)
    bash = ["bash", "-c", f"snakemake --profile divvy {options}"]
    done = subprocess.run(
        bash, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / name).read_text().strip() for name in ("a.txt", "b.txt")] == [made] * 2


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.dates() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
)


@given(st.dictionaries(st.text(min_size=1), values, min_size=1))
def test_configuration_arrives_as_it_was_read(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, object]
) -> None:
    folder = tmp_path_factory.mktemp("plan")
    write_plan(Plan({}, {}, {}), config, folder)
    assert load_configfile(folder / CONFIG) == config


@pytest.mark.parametrize(
    "text", ["at: 01:30:00", "n: 0123", "no: no", "x: 1e5", "d: 2024-01-02", "a: &a [1]\nb: *a", "y: ~"]
)
def test_configuration_of_a_user_arrives_as_it_was_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "user.yaml").write_text(text)
    config = load_configfile(tmp_path / "user.yaml")
    write_plan(Plan({}, {}, {}), config, tmp_path)
    assert load_configfile(tmp_path / CONFIG) == config
    (tmp_path / "user.json").write_text(json.dumps(config, default=str))
    config = load_configfile(tmp_path / "user.json")  # in another kind of dictionary
    write_plan(Plan({}, {}, {}), config, tmp_path)
    assert load_configfile(tmp_path / CONFIG) == config
