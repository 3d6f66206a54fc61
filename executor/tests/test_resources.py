"""What jobs ask for reaches the scheduler as it was written."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.resources import Resources

from planned import plan
from plugin_helpers import command, refuse, succeed, write_profile, write_site
from snakemake_executor_plugin_divvy.variables import written
from snakemake_executor_plugin_divvy.variables.resources import find_functions, find_read_as_python, read_resources

Jobs = dict[str, Any]


def read_jobs(folder: Path, rules: str, **settings: Any) -> Jobs:
    """Return the jobs of a workflow by their rules, as Snakemake plans them, or their groups."""
    (folder / "Snakefile").write_text(rules)
    with plan(folder, **settings) as workflow:
        return {job.rule.name: workflow.dag.get_job_group(job) or job for job in workflow.dag.jobs}


def rules(resources: Mapping[str, str]) -> str:
    """Return a workflow with a rule for each name, with these resources."""
    each = "\n\n".join(f'rule {n}:\n    output: "{n}"\n    {r}\n    shell: "true"' for n, r in resources.items())
    return f"rule all:\n    input: {list(resources)}\n\n{each}\n"


WORDS = (
    "12_34 2024-01 2024-1-2 2024-01-02 1e5 1.0e+5 0123 007 0.5 2.6 a100 gpu-a100 True rule 1-12:00:00 10:00 01:30:00 "
    "os.path/x 8/2 +3 n1-standard-4 False no 0x10 5"
).split()
MORE = ["other=threads * 1000", "limit=attempt * 2"]


def give(monkeypatch: pytest.MonkeyPatch, folder: Path, how: str, name: str, text: str) -> dict[str, Any]:
    """Give a resource in one of the ways in which users do; return the settings that Snakemake makes of it."""
    argv, profiles, value = ["snakemake"], [], text
    if how == "profile":
        (folder / "profile.yaml").write_text(f"set-resources:\n  a:\n    {name}: {text}\n")
        profiles, value = [folder / "profile.yaml"], str(yaml.safe_load(text))
    elif how == "set":
        argv += ["--jobs", "2", "--set-resources", f"a:{name}={text}", *(f"a:{each}" for each in MORE), "--quiet"]
    elif "default" in how:
        argv += [f"--default-resources={name}={text}" if how == "default=" else "--default-resources", f"{name}={text}"]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(written, "find_profiles", lambda: profiles)
    written._read_all.cache_clear()
    if how == "in the workflow":
        return {}
    given = Resources.parser_factory(allow_expressions=True)([f"{name}={value}", *MORE])
    return {"default_resources": given} if "default" in how else {"overwrite_resources": {"a": given}}


HOW = ["set", "default", "default=", "profile"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, how: str) -> None:
    settings = give(monkeypatch, tmp_path, how, "comment", word)
    job = read_jobs(tmp_path, rules({"a": "threads: 2"}), cores=4, **settings)["a"]
    read = read_resources(job)
    assert (str(read["comment"]), read["other"], read["limit"]) == (word, 2000, 2)
    assert find_read_as_python(job) == []
    assert find_functions(job) == []


def test_what_a_rule_says_is_not_what_a_default_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = give(monkeypatch, tmp_path, "default", "comment", "007")
    text = rules({"a": "resources: comment=7, other='open'"})
    read = read_resources(read_jobs(tmp_path, text, cores=1, **settings)["a"])
    assert (read["comment"], read["other"]) == (7, "open")


def test_names_that_snakemake_defines_are_python_and_that_is_said(tmp_path: Path) -> None:
    given = Resources.parser_factory(allow_expressions=True)(["ntasks=threads", "try=attempt", "mem_mb=threads"])
    job = read_jobs(tmp_path, rules({"a": "threads: 2"}), cores=4, overwrite_resources={"a": given})["a"]
    read = read_resources(job)
    assert (read["ntasks"], read["try"]) == (2, 1)
    assert find_read_as_python(job) == ["ntasks=threads", "try=attempt"]


RUN_TIMES = {
    "90": 90,
    "0.5": 1,
    "1.4": 2,
    "200.5": 201,
    "'90s'": 2,
    "'59s'": 1,
    "'2h'": 120,
    "'120 seconds'": 2,
    "'1.51h'": 91,
    "0": 1,
    "lambda wildcards: 1.2": 2,
    "lambda wildcards, attempt: f'{attempt * 90}s'": 2,
}


@pytest.mark.parametrize("how", ["in the workflow", *HOW])
@pytest.mark.parametrize("value", RUN_TIMES)
def test_run_times_are_rounded_up_and_are_one_minute_at_least(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, how: str
) -> None:
    if how != "in the workflow" and "lambda" in value:
        return
    settings = give(monkeypatch, tmp_path, how, "runtime", value.strip("'"))
    text = rules({"a": f"resources: runtime={value}" if how == "in the workflow" else ""})
    assert read_resources(read_jobs(tmp_path, text, cores=1, **settings)["a"])["runtime"] == RUN_TIMES[value]


@pytest.mark.parametrize(
    ("first", "second", "after", "expected"),
    [
        ("'90s'", "'90s'", True, 4),
        ("'90s'", "'90s'", False, 2),
        ("'10h'", "'90s'", True, 602),
        ("'10h'", "'90s'", False, 601),  # a minute more than needed
        ("0.4", "5", True, 6),
    ],
)
def test_run_times_of_a_group_are_long_enough(
    tmp_path: Path, first: str, second: str, after: bool, expected: int
) -> None:
    wait = 'input: "a"\n    ' if after else ""
    both = {
        "a": f"group: 'g'\n    resources: runtime={first}",
        "b": f"{wait}group: 'g'\n    resources: runtime={second}",
    }
    group = read_jobs(tmp_path, rules(both | {"all_": 'input: "a", "b"\n    group: "g"'}), cores=2)["b"]
    assert group.is_group()
    assert read_resources(group)["runtime"] == expected


JOB = """\
rule all:
    input: "a.txt", "b.txt"

rule job:
    output: "{n}.txt"
    resources: runtime="90s", pack=2
    shell: "touch {output}"
"""


def test_words_get_to_the_submission_script_or_are_refused_or_warned_about(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(JOB)
    write_profile(tmp_path)
    template = "#SBATCH -c '{COMMENT}' '{OTHER}' '{DAY}'\n#SBATCH -t {TIME} {RUNTIME}\n{CODE}\n"
    package = write_site(tmp_path, template, "sh", day="0123")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "config.yaml").write_text(
        "set-resources:\n  job:\n    comment: 10:00\ndefault-resources:\n  other: threads\n"
    )
    words = ["--profile", "divvy", *package, "--cores", "1", "--workflow-profile", "more"]
    done = command("snakemake", *words, "--set-resources", "job:comment=open", folder=tmp_path)
    refuse(done, "rule job: Snakemake reads the resource comment=open as Python", "comment=\"'open'\"")
    assert not list(tmp_path.glob("logs/divvy/*/*.sub"))
    said = succeed(command("snakemake", *words, folder=tmp_path))
    assert "rule job: other=threads: read by Snakemake as Python" in said
    (script,) = tmp_path.glob("logs/divvy/*/*.sub")
    lines = re.findall("^#.*", script.read_text(), re.MULTILINE)
    assert lines == ["#SBATCH -c '10:00' '1' '0123'", "#SBATCH -t 00:04:00 4"]
