"""The executor on this machine, with any workflow. Finished runs are shared between the tests of what they show."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from plugin_helpers import (
    command,
    count_lines,
    is_alive,
    refuse,
    start,
    succeed,
    wait_until,
    write_profile,
    write_site,
)

slow = pytest.mark.slow
in_one_process = pytest.mark.xdist_group  # of the tests that share a run


def workflow(folder: Path, rules: str, targets: int = 1) -> Path:
    """Write a workflow that makes 0.txt, 1.txt … by the rule `job`."""
    text = f"rule all:\n    input: expand('{{n}}.txt', n=range({targets}))\n\n\nrule job:\n    output: '{{n}}.txt'\n{rules}\n"
    (folder / "Snakefile").write_text(text)
    write_profile(folder)
    return folder / "Snakefile"


def snakemake(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return command("snakemake", "--profile", "divvy", *options, folder=folder, **env)


def run(folder: Path, rules: str, *options: str, targets: int = 1) -> subprocess.CompletedProcess[str]:
    workflow(folder, rules, targets)
    return snakemake(folder, *options)


@dataclass(frozen=True)
class Finished:
    """A run that has ended: its folder, and what it said."""

    folder: Path
    said: str

    def errors(self, rule: str) -> str:
        """Return what was said about the failures of a rule."""
        blocks = re.split(r"^Error in rule ", self.said, flags=re.MULTILINE)[1:]
        return "".join(block for block in blocks if block.startswith(f"{rule}:"))


# --- one run with jobs of all sorts

LONG_NAME = "x" * 150
ODD_NAMES = [LONG_NAME + "1", LONG_NAME + "2", "it's $HOME a;b"]
# of jobs that share a submission; the log of the last two would be called like the last one
LONG = "".join(map(str, range(50)))
EQUAL_NAMES = ["a b", "a;b", "a_b", LONG, LONG + "+4"]
ALL_SORTS = f"""\
envvars: "SECRET"

rule all:
    input:
        "failing", "own_log", "killed", "many_inputs", "variable", expand("odd/{{name}}", name={ODD_NAMES!r}),
        expand("equal/{{name}}", name={EQUAL_NAMES!r})

rule failing:
    output: "failing"
    resources: partition="longq"
    shell: "echo what went wrong >&2; exit 1"

rule own_log:
    output: "own_log"
    log: "rule.own"
    resources: partition="longq"
    shell: "echo the reason > {{log}}; exit 1"

rule killed:
    output: "killed"
    shell: 'touch {{output}}; kill -9 -$(ps -o pgid= -p $$ | tr -d " ")'

rule many_inputs:
    input: expand("in/it's {{i}}", i=range(40))
    output: "many_inputs"
    shell: "touch {{output}}"

rule variable:
    output: "variable"
    shell: 'echo "$SECRET" > {{output}}'

rule odd:
    output: "odd/{{name}}"
    shell: "touch {{output:q}}"

rule equal:
    output: "equal/{{name}}"
    resources: pack=5
    shell: "touch {{output:q}}"
"""


@pytest.fixture(scope="module")
def all_sorts(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("all_sorts")
    (folder / "Snakefile").write_text(ALL_SORTS)
    (folder / "in").mkdir()
    for number in range(40):
        (folder / "in" / f"it's {number}").touch()
    write_profile(folder)
    return Finished(folder, refuse(snakemake(folder, SECRET="it's $HOME `id`")))


@in_one_process("all_sorts")
def test_a_failed_job_is_reported_with_its_log(all_sorts: Finished) -> None:
    (log,) = (all_sorts.folder / "logs" / "divvy" / "failing").glob("failing.*.log")
    assert "what went wrong" in log.read_text()
    said = all_sorts.errors("failing")
    assert "exit status 1" in said
    assert f"log: logs/divvy/failing/{log.name}" in said
    assert "what went wrong" in said


@in_one_process("all_sorts")
def test_the_rules_own_log_is_shown_too(all_sorts: Finished) -> None:
    said = all_sorts.errors("own_log")
    assert "last lines of rule.own" in said
    assert "the reason" in said


@in_one_process("all_sorts")
def test_a_job_that_is_killed_is_no_success(all_sorts: Finished) -> None:
    assert "without an exit status" in all_sorts.errors("killed")
    assert not (all_sorts.folder / "killed").exists()


@in_one_process("all_sorts")
def test_many_inputs_are_waited_for(all_sorts: Finished) -> None:
    assert (all_sorts.folder / "many_inputs").exists()


@in_one_process("all_sorts")
def test_long_and_odd_names_are_kept_apart(all_sorts: Finished) -> None:
    assert all((all_sorts.folder / "odd" / name).exists() for name in ODD_NAMES)
    assert len(list((all_sorts.folder / "logs" / "divvy" / "odd").glob("*.log"))) == len(ODD_NAMES)


@in_one_process("all_sorts")
def test_jobs_whose_names_look_the_same_share_a_submission(all_sorts: Finished) -> None:
    assert all((all_sorts.folder / "equal" / name).exists() for name in EQUAL_NAMES), all_sorts.errors("equal")


@in_one_process("all_sorts")
def test_variables_of_the_environment_reach_the_job(all_sorts: Finished) -> None:
    assert (all_sorts.folder / "variable").read_text() == "it's $HOME `id`\n"


@in_one_process("all_sorts")
def test_a_resource_that_the_template_lacks_is_reported_once(all_sorts: Finished) -> None:
    assert all_sorts.said.count("PARTITION: set as a resource, but not used by the template") == 1


# --- one run of small jobs that all succeed

PACKED = """\
    resources: pack=3, mem_mb=lambda wildcards: 100 + int(wildcards.n)
    shell: 'sleep 0.5; echo {wildcards.n} {resources.mem_mb} > {output}'
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("packed")
    return Finished(folder, succeed(run(folder, PACKED, "--cores", "1", targets=7)))


@in_one_process("packed")
def test_small_jobs_share_a_submission(packed: Finished) -> None:
    assert packed.said.count("divvy: submitted jobs") == 2
    assert packed.said.count("divvy: submitted job ") == 1
    assert [(packed.folder / f"{n}.txt").read_text() for n in range(7)] == [f"{n} {100 + n}\n" for n in range(7)]
    logs = packed.folder / "logs" / "divvy" / "job"
    assert all(list(logs.glob(f"{n}.*.log")) or list(logs.glob(f"{n}+*.log")) for n in range(7))


@in_one_process("packed")
def test_the_run_ends_with_a_table(packed: Finished) -> None:
    table = packed.said.partition("divvy: the jobs of this run\n")[2].splitlines()
    assert table[0].split() == ["rule", "done", "in", "queue", "running"]
    assert re.fullmatch(r" +job +7 +0:\d\d \(max 0:\d\d\) +0:\d\d \(max 0:\d\d\)", table[1])


@in_one_process("packed")
def test_nothing_of_a_good_run_stays_in_the_executors_folder(packed: Finished) -> None:
    assert not list((packed.folder / ".snakemake" / "divvy").iterdir())


@in_one_process("packed")
def test_an_idle_executor_ends_in_silence(packed: Finished) -> None:
    said = succeed(snakemake(packed.folder))
    assert said.rstrip().endswith("Nothing to be done (all requested files are present and up to date).")


# --- one run with a submission command that prints an id but whose jobs cannot be asked about


@pytest.fixture(scope="module")
def teleported(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("teleported")
    teleport = folder / "teleport"
    teleport.write_text('#!/bin/bash\nsetsid bash "$1" > /dev/null 2>&1 < /dev/null &\necho beamed 17\n')
    teleport.chmod(0o755)
    options = [*write_site(folder, command=str(teleport)), "--divvy-prune-logs"]
    done = run(folder, "    shell: 'test {wildcards.n} != 1; touch {output}'", *options, targets=3)
    return Finished(folder, refuse(done, "exit status 1"))


@in_one_process("teleported")
def test_a_submission_command_of_no_known_scheduler(teleported: Finished) -> None:
    assert "no known scheduler has the command" in teleported.said
    assert "as unknown job 17" in teleported.said
    assert sorted(path.name for path in teleported.folder.glob("*.txt")) == ["0.txt", "2.txt"], teleported.said


@in_one_process("teleported")
def test_logs_of_good_jobs_are_pruned_if_asked(teleported: Finished) -> None:
    left = sorted(path.name[0] + path.suffix for path in (teleported.folder / "logs" / "divvy" / "job").iterdir())
    assert left == ["1.log", "1.sub"]


# --- runs of their own


@pytest.mark.parametrize(
    ("own", "options"), [pytest.param("", ["--retries", "1"], marks=slow), ("    retries: 1\n", [])]
)
def test_a_failed_job_is_tried_again_by_a_new_submission(tmp_path: Path, own: str, options: list[str]) -> None:
    rules = own + "    resources: mem_mb=lambda wildcards, attempt: 100 * attempt\n"
    rules += "    shell: 'echo {resources.mem_mb} >> tried; test $(wc -l < tried) = 2; cp tried {output}'"
    said = succeed(run(tmp_path, rules, *options))
    assert (tmp_path / "0.txt").read_text() == "100\n200\n"
    assert len(list((tmp_path / "logs" / "divvy" / "job").glob("*.sub"))) == 2
    assert re.search(r"job +1 +1 exit status 1 +1 ", said), said


@pytest.mark.parametrize("killed", ["$PPID", pytest.param("$PPID $$", marks=slow)])
def test_a_job_is_tried_again_only_when_nothing_of_it_runs_any_more(tmp_path: Path, killed: str) -> None:
    """Its Snakemake is killed, or the shell of its rule as well, and what these had started goes on."""
    alone = "exec 9>> lock; flock --nonblock 9 || echo at once >> twins"
    write = "(while sleep 0.2; do echo first >> {output}; done) & sleep 1"
    lines = ["echo start >> starts", alone, f"if [ $(wc -l < starts) = 1 ]; then {write}; kill -9 {killed}; wait; fi"]
    rules = "    retries: 1\n    shell: r'''\n" + "\n".join([*lines, "echo second > {output}"]) + "\n'''\n"
    said = succeed(run(tmp_path, rules))
    assert re.search(r"job +1 +1 .*137 ", said), said
    assert count_lines(tmp_path / "starts") == 2
    assert not (tmp_path / "twins").exists()
    assert (tmp_path / "0.txt").read_text() == "second\n"


@slow
@pytest.mark.parametrize(("threads", "cores", "at_once"), [(1, 2, 2), (2, 2, 1), (4, 2, 1), (1, 1, 1)])
def test_no_more_cores_are_used_than_given(tmp_path: Path, threads: int, cores: int, at_once: int) -> None:
    """Jobs note when they start and end; the notes tell how many ran at once."""
    rules = f"    threads: {threads}\n    shell: 'echo 1 >> notes; sleep 2; echo -1 >> notes; touch {{output}}'"
    succeed(run(tmp_path, rules, "--cores", str(cores), "--jobs", "50", targets=3))
    running = most = 0
    for change in (tmp_path / "notes").read_text().split():
        running += int(change)
        most = max(most, running)
    assert most == at_once


@slow
def test_groups_run_as_one_job(tmp_path: Path) -> None:
    succeed(run(tmp_path, "    group: 'g'\n    shell: 'touch {output}'", "--group-components", "g=3", targets=3))
    assert len(list((tmp_path / "logs" / "divvy").rglob("*.sub"))) == 1


@pytest.mark.parametrize(
    ("options", "env", "essentials"),
    [
        (
            ["--divvy-compute-package", "nosuch"],
            {},
            ["no compute package 'nosuch'", "default, docker, local, sge, slurm"],
        ),
        pytest.param(["--divvy-config", "gone.yaml"], {}, ["--divvy-config=gone.yaml: no such file"], marks=slow),
        pytest.param([], {"DIVCFG": "gone.yaml"}, ["DIVCFG=gone.yaml: no such file"], marks=slow),
        pytest.param(
            ["--divvy-config", "Snakefile"], {}, ["Snakefile: expected a section compute_packages"], marks=slow
        ),
        pytest.param(["--divvy-scheduler", "warp"], {}, ["no scheduler 'warp'", "here, slurm"], marks=slow),
        pytest.param(
            ["--divvy-compute-package", "docker"],
            {},
            ["DOCKER_IMAGE", "--set-resources RULE:docker_image=VALUE"],
            marks=slow,
        ),
        (
            ["--divvy-compute-package", "slurm", "--set-resources", "job:partition=a'b"],
            {},
            ["resource partition", "a'b", "--partition='{PARTITION}'"],
        ),
    ],
)
def test_mistakes_start_nothing(tmp_path: Path, options: list[str], env: dict[str, str], essentials: list[str]) -> None:
    workflow(tmp_path, "    shell: 'touch {output}'")
    said = refuse(snakemake(tmp_path, *options, **env), *essentials)
    assert said.count("divvy: ") == 1 + ("divvy: compute package" in said), said
    assert "submitted job" not in said
    assert not (tmp_path / "0.txt").exists()


@slow
def test_a_pack_fails_member_by_member(tmp_path: Path) -> None:
    rules = "    resources: pack=9\n    shell: 'echo start >> starts; test {wildcards.n} != 3 && touch {output}'"
    said = refuse(run(tmp_path, rules, "--cores", "1", targets=6), "it ran in a pack of 6 jobs", "wildcards: n=3")
    assert said.count("Error in rule job:\n    message: exit status 1; it ran in a pack") == 1
    assert sorted(path.stem for path in tmp_path.glob("*.txt")) == ["0", "1", "2", "4", "5"]
    assert count_lines(tmp_path / "starts") == 6


# ways in which the outputs of a job that fails (n=1) are there all the same
STAYING = """\
rule all:
    input: expand("{rule}{n}.txt", rule=["kept", "empty", "updated", "temporary"], n=range(3))

rule kept:
    output: "kept{n}.txt"
    resources: pack=3
    shell: "echo part >> {output}; test {wildcards.n} != 1"

rule empty:
    output: ensure("empty{n}.txt", non_empty=True)
    resources: pack=3
    shell: "touch {output}; test {wildcards.n} = 1 || echo all > {output}"

rule updated:
    input: "newer"
    output: update("updated{n}.txt")
    resources: pack=3
    shell: "echo more >> {output}; test {wildcards.n} != 1"

rule temporary:
    output: "temporary{n}.txt", temp("passing{n}.txt")
    resources: pack=3
    shell: "touch {output}; test {wildcards.n} != 1"
"""


@slow
def test_a_job_of_a_pack_has_failed_although_its_outputs_are_there(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(STAYING)
    for number in range(3):
        (tmp_path / f"updated{number}.txt").write_text("before\n")
        os.utime(tmp_path / f"updated{number}.txt", (1e9, 1e9))
    (tmp_path / "newer").touch()
    write_profile(tmp_path)
    said = refuse(snakemake(tmp_path, "--keep-incomplete", "--cores", "2"))
    failed = {"kept", "empty", "updated", "temporary"}
    assert all(re.search(rf"{rule} +2 +1 exit status 1 ", said) for rule in failed), said
    assert (tmp_path / "kept1.txt").exists()
    assert (tmp_path / "updated1.txt").read_text() == "before\n"
    planned = succeed(snakemake(tmp_path, "--dry-run"))
    assert set(re.findall(r"output: (\w+)\.txt", planned)) == {f"{rule}1" for rule in failed}


@slow
def test_a_wrong_pack_is_refused(tmp_path: Path) -> None:
    refuse(run(tmp_path, "    resources: pack='many'\n    shell: 'touch {output}'"), "the resource pack is 'many'")


@slow
def test_a_job_that_nobody_can_be_asked_after_is_given_up(tmp_path: Path) -> None:
    options = [
        *write_site(tmp_path, command="echo 17 ; true"),
        "--divvy-lost-after",
        "0",
        "--divvy-scheduler",
        "unknown",
    ]
    refuse(run(tmp_path, "    shell: 'touch {output}'", *options), "it has not been heard of for 0 minutes")


# --- runs that are stopped or killed


def start_run(folder: Path, *options: str) -> subprocess.Popen[str]:
    return start("snakemake", "--profile", "divvy", *options, folder=folder)


@slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    workflow(tmp_path, "    shell: 'echo $$ >> started; sleep 300; touch {output}'", targets=3)
    process = start_run(tmp_path, "--cores", "2")
    started = tmp_path / "started"
    wait_until(lambda: count_lines(started) == 2)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "canceling 2 jobs" in said
    for pid in started.read_text().split():
        assert not is_alive(pid)


def kill(process: subprocess.Popen[str], folder: Path) -> None:
    """End a run as a crash of its machine does."""
    process.kill()
    process.wait()
    succeed(snakemake(folder, "--unlock"))


WAITING = "    shell: 'echo start >> starts.{wildcards.n}; while [ ! -e go ]; do sleep 0.2; done; touch {output}'"


@slow
def test_the_jobs_of_a_killed_run_are_taken_over(tmp_path: Path) -> None:
    workflow(tmp_path, WAITING, targets=4)
    first = start_run(tmp_path, "--cores", "2")
    wait_until(lambda: len(list(tmp_path.glob("starts.*"))) == 2)
    kill(first, tmp_path)
    second = start_run(tmp_path, "--cores", "2")
    wait_until(lambda: len(list((tmp_path / ".snakemake" / "divvy").iterdir())) == 2)
    time.sleep(3)
    (tmp_path / "go").touch()
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert said.count("of an earlier run, log: ") == 2
    assert {path.name: count_lines(path) for path in tmp_path.glob("starts.*")} == {f"starts.{n}": 1 for n in range(4)}


@slow
def test_what_a_killed_run_had_started_and_has_ended_meanwhile_is_done(tmp_path: Path) -> None:
    workflow(tmp_path, WAITING)
    first = start_run(tmp_path)
    wait_until(lambda: count_lines(tmp_path / "starts.0"))
    kill(first, tmp_path)
    (tmp_path / "go").touch()
    wait_until(lambda: list((tmp_path / ".snakemake" / "divvy").rglob("ends/*")))
    said = succeed(snakemake(tmp_path))
    assert "of an earlier run, log: " in said
    assert count_lines(tmp_path / "starts.0") == 1
    assert "Nothing to be done" in succeed(snakemake(tmp_path))
    succeed(snakemake(tmp_path, "--forceall"))
    assert count_lines(tmp_path / "starts.0") == 2


@slow
def test_a_job_of_a_killed_run_that_does_something_else_is_canceled(tmp_path: Path) -> None:
    workflow(tmp_path, WAITING)
    first = start_run(tmp_path)
    wait_until(lambda: count_lines(tmp_path / "starts.0"))
    kill(first, tmp_path)
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace(WAITING, "    shell: 'echo other > {output}'"))
    said = succeed(snakemake(tmp_path))
    assert "of an earlier run does not do what is needed now" in said
    assert "canceling 1 job: " in said
    (tmp_path / "go").touch()
    time.sleep(1)
    assert (tmp_path / "0.txt").read_text() == "other\n"


@slow
def test_a_dead_job_of_a_killed_run_is_submitted_again(tmp_path: Path) -> None:
    workflow(tmp_path, "    shell: 'ps -o pgid= -p $$ >> starts; [ -e go ] || sleep 300; touch {output}'")
    first = start_run(tmp_path)
    wait_until(lambda: count_lines(tmp_path / "starts"))
    kill(first, tmp_path)
    os.killpg(int((tmp_path / "starts").read_text()), signal.SIGKILL)
    (tmp_path / "go").touch()
    said = succeed(snakemake(tmp_path))
    assert "is dead, its jobs are submitted again" in said
    assert count_lines(tmp_path / "starts") == 2
