"""The executor on this machine, with any workflow."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from helpers import environment, link_profile, refuse, snakemake, succeed


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


def test_a_failed_job_is_tried_again(tmp_path: Path) -> None:
    rules = "    resources: mem_mb=lambda wildcards, attempt: 100 * attempt\n"
    rules += "    shell: 'test -e once || {{ touch once; exit 1; }}; echo {resources.mem_mb} > {output}'"
    succeed(run(tmp_path, rules, "--retries", "1"))
    assert (tmp_path / "0.txt").read_text() == "200\n"
    assert len(list((tmp_path / "logs" / "divvy" / "job").glob("*.sub"))) == 2


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


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    snakefile = workflow(tmp_path, "    shell: 'echo $$ >> started; sleep 300; touch {output}'", targets=3)
    process = subprocess.Popen(
        ["snakemake", "--snakefile", str(snakefile), "--profile", "divvy", "--cores", "2"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started = tmp_path / "started"
    end = time.monotonic() + 60
    while time.monotonic() < end and not (started.exists() and started.read_text().count("\n") == 2):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "cancelling 2 jobs" in said
    for pid in started.read_text().split():
        stat = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
        assert stat.strip() in ("", "Z")
