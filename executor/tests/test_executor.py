"""The executor on this machine, with any workflow."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import environment, heed_ctrl_c, link_profile, refuse, snakemake, succeed


def workflow(folder: Path, rules: str, targets: int = 1) -> Path:
    """Write a workflow that makes 0.txt, 1.txt … by the rule `job`."""
    text = f"rule all:\n    input: expand('{{n}}.txt', n=range({targets}))\n\n\nrule job:\n    output: '{{n}}.txt'\n{rules}\n"
    (folder / "Snakefile").write_text(text)
    link_profile(folder)
    return folder / "Snakefile"


def run(folder: Path, rules: str, *options: str, targets: int = 1):
    return snakemake(folder, "--profile", "divvy", *options, snakefile=workflow(folder, rules, targets))


def test_a_failed_job_is_reported_with_its_log(tmp_path: Path) -> None:
    done = run(tmp_path, "    shell: 'echo what went wrong >&2; exit 1'")
    said = refuse(done, "exit status 1", "what went wrong", "log: logs/divvy/job/0.")
    log = next((tmp_path / "logs" / "divvy" / "job").glob("0.*[0-9].log"))
    assert "what went wrong" in log.read_text()
    assert f"log: logs/divvy/job/{log.name}" in said


def test_the_rules_own_log_is_shown_too(tmp_path: Path) -> None:
    refuse(run(tmp_path, "    log: '{n}.own'\n    shell: 'echo the reason > {log}; exit 1'"), "0.own", "the reason")


@pytest.mark.parametrize(("own", "options"), [("", ["--retries", "1"]), ("    retries: 1\n", [])])
def test_a_failed_job_is_tried_again_by_a_new_submission(tmp_path: Path, own: str, options: list[str]) -> None:
    rules = own + "    resources: mem_mb=lambda wildcards, attempt: 100 * attempt\n"
    rules += "    shell: 'echo {resources.mem_mb} >> tried; test $(wc -l < tried) = 2; cp tried {output}'"
    said = succeed(run(tmp_path, rules, *options))
    assert (tmp_path / "0.txt").read_text() == "100\n200\n"
    assert len(list((tmp_path / "logs" / "divvy" / "job").glob("*.sub"))) == 2
    assert re.search(r"job +1 +1 exit status 1 +1 ", said), said


def test_a_job_that_is_killed_is_no_success(tmp_path: Path) -> None:
    refuse(
        run(tmp_path, "    shell: 'touch {output}; kill -9 -$(ps -o pgid= -p $$ | tr -d \" \")'"),
        "without an exit status",
    )
    assert not (tmp_path / "0.txt").exists()


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


def test_many_inputs_are_waited_for(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(40):
        (tmp_path / "in" / f"it's {number}").touch()
    succeed(run(tmp_path, "    input: expand(\"in/it's {i}\", i=range(40))\n    shell: 'touch {output}'"))


def test_long_and_odd_names_are_kept_apart(tmp_path: Path) -> None:
    names = ["x" * 150 + "1", "x" * 150 + "2", "it's $HOME", "a b;c"]
    snakefile = workflow(tmp_path, "    shell: 'touch {output:q}'")
    snakefile.write_text(snakefile.read_text().replace("n=range(1)", f"n={names!r}"))
    succeed(snakemake(tmp_path, "--profile", "divvy", snakefile=snakefile))
    assert all((tmp_path / f"{name}.txt").exists() for name in names)
    assert len(list((tmp_path / "logs" / "divvy" / "job").glob("*.log"))) == len(names)


def test_groups_run_as_one_job(tmp_path: Path) -> None:
    succeed(run(tmp_path, "    group: 'g'\n    shell: 'touch {output}'", "--group-components", "g=3", targets=3))
    assert len(list((tmp_path / "logs" / "divvy").rglob("*.sub"))) == 1


def test_variables_of_the_environment_reach_the_job(tmp_path: Path) -> None:
    snakefile = workflow(tmp_path, "    shell: 'echo \"$SECRET\" > {output}'")
    snakefile.write_text("envvars: 'SECRET'\n\n" + snakefile.read_text())
    succeed(snakemake(tmp_path, "--profile", "divvy", snakefile=snakefile, SECRET="it's $HOME `id`"))
    assert (tmp_path / "0.txt").read_text() == "it's $HOME `id`\n"


@pytest.mark.parametrize(
    ("options", "env", "essentials"),
    [
        (
            ["--divvy-compute-package", "nosuch"],
            {},
            ["no compute package 'nosuch'", "default, docker, local, sge, slurm"],
        ),
        (["--divvy-config", "gone.yaml"], {}, ["--divvy-config=gone.yaml: no such file"]),
        ([], {"DIVCFG": "gone.yaml"}, ["DIVCFG=gone.yaml: no such file"]),
        (["--divvy-config", "Snakefile"], {}, ["Snakefile: expected a section compute_packages"]),
        (["--divvy-scheduler", "warp"], {}, ["no scheduler 'warp'", "here, slurm"]),
        (["--divvy-compute-package", "docker"], {}, ["DOCKER_IMAGE", "--set-resources RULE:docker_image=VALUE"]),
        (
            ["--divvy-compute-package", "slurm", "--set-resources", "job:partition=a'b"],
            {},
            ["resource partition", "a'b", "--partition='{PARTITION}'"],
        ),
    ],
)
def test_mistakes_start_nothing(tmp_path: Path, options: list[str], env: dict[str, str], essentials: list[str]) -> None:
    snakefile = workflow(tmp_path, "    shell: 'touch {output}'")
    said = refuse(snakemake(tmp_path, "--profile", "divvy", *options, snakefile=snakefile, **env), *essentials)
    assert said.count("divvy: ") == 1 + ("divvy: compute package" in said), said
    assert "submitted job" not in said
    assert not (tmp_path / "0.txt").exists()


def test_a_resource_that_the_template_lacks_is_told_once(tmp_path: Path) -> None:
    said = succeed(run(tmp_path, "    resources: partition='longq'\n    shell: 'touch {output}'", targets=3))
    assert said.count("PARTITION: given as a resource, but not a variable of the template") == 1


def test_an_idle_executor_ends_in_silence(tmp_path: Path) -> None:
    succeed(run(tmp_path, "    shell: 'touch {output}'"))
    said = succeed(snakemake(tmp_path, "--profile", "divvy", snakefile=tmp_path / "Snakefile"))
    assert said.rstrip().endswith("Nothing to be done (all requested files are present and up to date).")


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["snakemake", "--profile", "divvy", *options],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_ctrl_c,
    )


def wait_until(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def lines(path: Path) -> int:
    return path.read_text().count("\n") if path.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    workflow(tmp_path, "    shell: 'echo $$ >> started; sleep 300; touch {output}'", targets=3)
    process = start(tmp_path, "--cores", "2")
    started = tmp_path / "started"
    wait_until(lambda: lines(started) == 2)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "cancelling 2 jobs" in said
    for pid in started.read_text().split():
        stat = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
        assert stat.strip() in ("", "Z")


def kill(process: subprocess.Popen[str], folder: Path) -> None:
    """End a run as a crash of its machine does."""
    process.kill()
    process.wait()
    succeed(snakemake(folder, "--unlock", snakefile=folder / "Snakefile"))


WAITING = "    shell: 'echo start >> starts.{wildcards.n}; while [ ! -e go ]; do sleep 0.2; done; touch {output}'"


def test_the_jobs_of_a_killed_run_are_taken_over(tmp_path: Path) -> None:
    workflow(tmp_path, WAITING, targets=4)
    first = start(tmp_path, "--cores", "2")
    wait_until(lambda: len(list(tmp_path.glob("starts.*"))) == 2)
    kill(first, tmp_path)
    second = start(tmp_path, "--cores", "2")
    wait_until(lambda: len(list((tmp_path / ".snakemake" / "divvy").iterdir())) == 2)
    time.sleep(3)
    (tmp_path / "go").touch()
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert said.count("of an earlier run, log: ") == 2
    assert {path.name: lines(path) for path in tmp_path.glob("starts.*")} == {f"starts.{n}": 1 for n in range(4)}


def test_what_a_killed_run_had_started_and_has_ended_meanwhile_is_done(tmp_path: Path) -> None:
    workflow(tmp_path, WAITING)
    first = start(tmp_path)
    wait_until(lambda: lines(tmp_path / "starts.0"))
    kill(first, tmp_path)
    (tmp_path / "go").touch()
    wait_until(lambda: list((tmp_path / ".snakemake" / "divvy").rglob("*.status")))
    said = succeed(snakemake(tmp_path, "--profile", "divvy", snakefile=tmp_path / "Snakefile"))
    assert "Nothing to be done" in said
    assert lines(tmp_path / "starts.0") == 1
    succeed(snakemake(tmp_path, "--profile", "divvy", "--forceall", snakefile=tmp_path / "Snakefile"))
    assert lines(tmp_path / "starts.0") == 2


def test_a_job_of_a_killed_run_that_does_something_else_is_cancelled(tmp_path: Path) -> None:
    workflow(tmp_path, WAITING)
    first = start(tmp_path)
    wait_until(lambda: lines(tmp_path / "starts.0"))
    kill(first, tmp_path)
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace(WAITING, "    shell: 'echo other > {output}'"))
    said = succeed(snakemake(tmp_path, "--profile", "divvy", snakefile=snakefile))
    assert "of an earlier run is not what is to be done now" in said
    assert "cancelling 1 jobs" in said
    (tmp_path / "go").touch()
    time.sleep(1)
    assert (tmp_path / "0.txt").read_text() == "other\n"


def test_a_dead_job_of_a_killed_run_is_submitted_anew(tmp_path: Path) -> None:
    workflow(tmp_path, "    shell: 'ps -o pgid= -p $$ >> starts; [ -e go ] || sleep 300; touch {output}'")
    first = start(tmp_path)
    wait_until(lambda: lines(tmp_path / "starts"))
    kill(first, tmp_path)
    os.killpg(int((tmp_path / "starts").read_text()), signal.SIGKILL)
    (tmp_path / "go").touch()
    said = succeed(snakemake(tmp_path, "--profile", "divvy", snakefile=tmp_path / "Snakefile"))
    assert "is dead, its jobs are submitted anew" in said
    assert lines(tmp_path / "starts") == 2


def site(folder: Path, command: str) -> list[str]:
    """Write a divvy configuration with that submission command; return the options that choose it."""
    (folder / "template.sub").write_text("{CODE}\n")
    (folder / "divvy.yaml").write_text(
        f"compute_packages:\n  p: {{submission_template: template.sub, submission_command: '{command}'}}\n"
    )
    return ["--divvy-config", "divvy.yaml", "--divvy-compute-package", "p"]


def test_a_submission_command_of_no_known_scheduler(tmp_path: Path) -> None:
    """Jobs are run by a command that tells an id, and cannot be asked after."""
    (tmp_path / "teleport").write_text('#!/bin/bash\nsetsid bash "$1" > /dev/null 2>&1 < /dev/null &\necho beamed 17\n')
    (tmp_path / "teleport").chmod(0o755)
    rules = "    shell: 'test {wildcards.n} != 1; touch {output}'"
    done = run(tmp_path, rules, *site(tmp_path, f"{tmp_path}/teleport"), targets=3)
    said = refuse(done, "is of no scheduler known here", "exit status 1", "as unknown job 17")
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == ["0.txt", "2.txt"], said


def test_a_job_that_nobody_can_be_asked_after_is_given_up(tmp_path: Path) -> None:
    options = [*site(tmp_path, "echo 17 ; true"), "--divvy-lost-after", "0", "--divvy-scheduler", "unknown"]
    refuse(run(tmp_path, "    shell: 'touch {output}'", *options), "nothing was heard of it for 0 minutes")


def test_small_jobs_share_a_submission(tmp_path: Path) -> None:
    rules = "    resources: pack=3, mem_mb=lambda wildcards: 100 + int(wildcards.n)\n"
    rules += "    shell: 'echo {wildcards.n} {resources.mem_mb} > {output}'"
    said = succeed(run(tmp_path, rules, "--cores", "1", targets=7))
    assert said.count("divvy: submitted jobs") == 2
    assert said.count("divvy: submitted job ") == 1
    assert [(tmp_path / f"{n}.txt").read_text() for n in range(7)] == [f"{n} {100 + n}\n" for n in range(7)]
    logs = tmp_path / "logs" / "divvy" / "job"
    assert all(list(logs.glob(f"{n}.*.log")) or list(logs.glob(f"{n}+*.log")) for n in range(7))


def test_a_pack_fails_member_by_member(tmp_path: Path) -> None:
    rules = "    resources: pack=9\n    shell: 'echo start >> starts; test {wildcards.n} != 3 && touch {output}'"
    said = refuse(run(tmp_path, rules, "--cores", "1", targets=6), "it ran in a pack of 6 jobs", "wildcards: n=3")
    assert said.count("Error in rule job:\n    message: exit status 1; it ran in a pack") == 1
    assert sorted(path.stem for path in tmp_path.glob("*.txt")) == ["0", "1", "2", "4", "5"]
    assert lines(tmp_path / "starts") == 6


def test_a_wrong_pack_is_refused(tmp_path: Path) -> None:
    refuse(run(tmp_path, "    resources: pack='many'\n    shell: 'touch {output}'"), "the resource pack is 'many'")


def test_the_run_ends_with_a_table(tmp_path: Path) -> None:
    said = succeed(run(tmp_path, "    shell: 'sleep 1; touch {output}'", targets=2))
    table = said.partition("divvy: the jobs of this run\n")[2].splitlines()
    assert table[0].split() == ["rule", "done", "in", "queue", "running"]
    assert re.fullmatch(r" +job +2 +0:0\d \(max 0:0\d\) +0:0\d \(max 0:0\d\)", table[1])


def test_logs_of_good_jobs_are_pruned_if_asked(tmp_path: Path) -> None:
    rules = "    shell: 'test {wildcards.n} != 1; touch {output}'"
    run(tmp_path, rules, "--divvy-prune-logs", targets=3)
    left = sorted(path.name[0] + path.suffix for path in (tmp_path / "logs" / "divvy" / "job").iterdir())
    assert left == ["1.log", "1.sub"]


def test_nothing_of_a_good_run_stays_in_the_executors_folder(tmp_path: Path) -> None:
    succeed(run(tmp_path, "    shell: 'touch {output}'", targets=3))
    assert not list((tmp_path / ".snakemake" / "divvy").iterdir())
