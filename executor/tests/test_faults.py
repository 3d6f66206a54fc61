"""What can go wrong on a cluster, on real ones: every run ends by itself, with the reason and the right outputs."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from clusters import (
    GRID_ENGINE,
    SLURM,
    STARTS,
    Cluster,
    count_calls,
    finish,
    intercept,
    list_twins,
    on_grid_engine,
    on_slurm,
    outputs,
    said_with,
    shell,
    starts,
    workflow,
)
from one_host_slurm import OneHostSlurm
from plugin_helpers import command, succeed, wait_until

pytestmark = pytest.mark.slow


def test_a_job_that_fails(cluster: Cluster, tmp_path: Path) -> None:
    workflow(
        tmp_path,
        shell("echo what went wrong >&2", "[ {wildcards.n} = good ] || exit 3", "touch {output}"),
        ["good", "bad"],
    )
    status, said = cluster.run(tmp_path, "--keep-going")
    assert status == 1
    assert "message: exit status 1\n" in said
    assert re.search(r"log: logs/divvy/job/bad\.\S+\.log\n(.*\n)*.*what went wrong", said)
    assert re.search(r"job +1 +1 exit status 1 ", said), said
    assert outputs(tmp_path) == {"good"}


def test_out_of_memory_and_a_retry_with_more(cluster: Cluster, tmp_path: Path) -> None:
    need, unit = (700, 500) if cluster.package == "slurm" else (3000, 2500)
    eat = f"python3 -c 'x = bytearray({need} * 2**20)'"
    rules = f"    resources: mem_mb=lambda wildcards, attempt: attempt * {unit}"
    if cluster.package == "grid_engine":  # whose limit is another than what is asked for
        rules = f"    resources: mem_mb=100, h_vmem=lambda wildcards, attempt: str(attempt * {unit}) + 'M'"
    rules += "\n    retries: 1\n"
    workflow(tmp_path, rules + shell(STARTS, eat, "touch {output}"))
    status, said = cluster.run(tmp_path)
    assert status == 0, said
    assert starts(tmp_path) == {"0": 2}  # one an allocation
    logs = "".join(log.read_text() for log in (tmp_path / "logs").rglob("*.log"))
    if cluster.package == "slurm":
        assert "exit status 1 (slurm: OUT_OF_MEMORY" in said
        assert re.search(r"job +1 +1 OUT_OF_MEMORY +1 .* \d+/1000 MB +\d+%", said), said
    else:
        assert "MemoryError" in logs
    scripts = sorted((tmp_path / "logs" / "divvy" / "job").glob("*.sub"))
    assert [f"{unit * (n + 1)}" in script.read_text() for n, script in enumerate(scripts)] == [True, True]


def test_canceled_by_hand_in_the_queue(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, shell("touch {output}"))
    process = cluster.start(tmp_path, config=cluster.config(tmp_path, cluster.held))
    wait_until(cluster.queue)
    cluster.tell(cluster.cancel, *cluster.queue())
    status, said = finish(process)
    assert status == 1
    assert "ended without an exit status" in said
    assert cluster.package != "slurm" or "(slurm: CANCELLED" in said


def test_canceled_by_hand_while_it_runs(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, shell(STARTS, "sleep 300", "touch {output}"))
    process = cluster.start(tmp_path)
    wait_until(lambda: starts(tmp_path))
    cluster.tell(cluster.cancel, *cluster.queue())
    status, said = finish(process)
    assert status == 1
    assert "ended without an exit status" in said
    assert ("slurm: CANCELLED" if cluster.package == "slurm" else "grid_engine: ") in said


def test_a_submission_that_is_refused_fails_its_job_alone(cluster: Cluster, tmp_path: Path) -> None:
    kind = "partition" if cluster.package == "slurm" else "queue"
    rules = f"    resources: {kind}=lambda wildcards: 'nosuch' if wildcards.n == '1' else 'shortq'\n"
    workflow(tmp_path, rules + shell("touch {output}"), [0, 1, 2])
    status, said = cluster.run(tmp_path, "--keep-going")
    assert status == 1
    assert "tried again" not in said
    assert re.search(f"{cluster.package} refused it: .*nosuch", said)
    assert "1 not submitted" in said
    assert outputs(tmp_path) == {"0", "2"}


def test_a_submission_that_fails_twice(cluster: Cluster, tmp_path: Path) -> None:
    complaint = "Socket timed out" if cluster.package == "slurm" else "error: commlib error: got read error"
    failing = f"[ $call -gt 2 ] || {{ echo '{complaint}' >&2; exit 1; }}"
    path = intercept(tmp_path, cluster.submit, failing, 'real "$@"')
    workflow(tmp_path, shell(STARTS, "touch {output}"))
    status, said = cluster.run(tmp_path, path=path)
    assert status == 0, said
    assert said.count(f"cannot be reached, jobs wait until it takes them: exit status 1: {complaint}") == 1
    assert count_calls(tmp_path, cluster.submit) == 3
    assert starts(tmp_path) == {"0": 1}


def test_the_controller_of_the_cluster_is_away_for_a_while(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, shell(STARTS, "sleep 25", "touch {output}"), [0, 1])
    process = cluster.start(tmp_path)
    wait_until(lambda: len(starts(tmp_path)) == 2)
    cluster.server.stop_controller()
    subprocess.run(["sleep", "20"], check=True)
    cluster.server.start_controller()
    status, said = finish(process)
    assert status == 0, said
    assert "will ask again" in said
    assert starts(tmp_path) == {"0": 1, "1": 1}


def test_killed_and_started_again(cluster: Cluster, tmp_path: Path) -> None:
    """The first run is killed while some jobs run and others wait: the second takes them all over."""
    running, jobs = (10, 13) if cluster.package == "slurm" else (8, 11)
    rules = shell(STARTS, "while [ ! -e go ]; do sleep 0.5; done", "touch {output}")
    workflow(tmp_path, "    resources: mem_mb=300\n" + rules, range(jobs))
    first = cluster.start(tmp_path)
    wait_until(lambda: len(starts(tmp_path)) == running and len(cluster.queue()) == jobs)
    first.send_signal(signal.SIGKILL)
    first.wait()
    succeed(command("snakemake", "--unlock", folder=tmp_path))
    second = cluster.start(tmp_path, "--rerun-incomplete")
    adopted = 0
    lines = []
    while adopted < jobs:
        lines.append(second.stdout.readline())
        assert lines[-1], "".join(lines)
        adopted += "of an earlier run, log: " in lines[-1]
    (tmp_path / "go").touch()
    status, said = finish(second)
    assert status == 0, said
    assert "divvy: submitted" not in "".join(lines) + said
    assert starts(tmp_path) == {str(n): 1 for n in range(jobs)}
    assert outputs(tmp_path) == {str(n) for n in range(jobs)}


@pytest.mark.parametrize(
    ("cluster", "number"),
    [
        pytest.param(*each.values, number, marks=each.marks)
        for each, number in ((SLURM, signal.SIGINT), (GRID_ENGINE, signal.SIGTERM))
    ],
    indirect=["cluster"],
)
def test_a_run_that_is_stopped_leaves_nothing_in_the_queue(
    cluster: Cluster, tmp_path: Path, number: signal.Signals
) -> None:
    jobs = 20 if number == signal.SIGINT else 3
    workflow(tmp_path, shell("echo $$ > pid.{wildcards.n}", "sleep 300", "touch {output}"), range(jobs))
    process = cluster.start(tmp_path)
    wait_until(lambda: len(cluster.queue()) == jobs and list(tmp_path.glob("pid.*")))
    process.send_signal(number)
    status, said = finish(process)
    assert status == 1, said
    assert f"canceling {jobs} jobs" in said
    assert cluster.queue() == []
    workflow(tmp_path, shell("touch {output}"), range(2))
    status, said = cluster.run(tmp_path, "--rerun-incomplete")
    assert status == 0, said
    assert "of an earlier run" not in said


@on_slurm
def test_the_log_folder_is_removed_while_jobs_run(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, shell(STARTS, "while [ ! -e go ]; do sleep 0.5; done", "touch {output}"), range(6))
    process = cluster.start(tmp_path)
    wait_until(lambda: len(starts(tmp_path)) >= 4 and len(cluster.queue()) == 6)
    shutil.rmtree(tmp_path / "logs")
    (tmp_path / "go").touch()
    status, said = finish(process)
    assert status == 0, said
    assert len(outputs(tmp_path)) == 6


@on_slurm
def test_a_hundred_jobs_and_queries_that_answer_nothing(cluster: Cluster, tmp_path: Path) -> None:
    intercept(tmp_path, "sacct", "exit 0")
    path = intercept(tmp_path, cluster.query, "[ $call -gt 2 ] || exit 0", 'real "$@"')
    rules = "    resources: pack=20, mem_mb=300\n"
    workflow(tmp_path, rules + shell(STARTS, "touch {output}"), range(100))
    status, said = cluster.run(tmp_path, path=path)
    assert status == 0, said
    assert starts(tmp_path) == {str(n): 1 for n in range(100)}
    assert count_calls(tmp_path, cluster.query) >= 2
    # Snakemake hands over at most 100 jobs in a second, so that a pack may be cut in two
    assert 5 <= said.count("divvy: submitted jobs") <= 8


@on_slurm
def test_a_pack_in_which_the_fourth_fails(cluster: Cluster, tmp_path: Path) -> None:
    rules = "    resources: pack=10\n    retries: 1\n"
    body = shell(
        STARTS,
        "echo {wildcards.n} >> order",
        "if [ $(wc -l < order) = 4 ]; then echo {wildcards.n} > fourth; exit 3; fi",
        "touch {output}",
    )
    workflow(tmp_path, rules + body, range(10))
    status, said = cluster.run(tmp_path)
    assert status == 0, said
    fourth = (tmp_path / "fourth").read_text().strip()
    assert starts(tmp_path) == {str(n): 2 if str(n) == fourth else 1 for n in range(10)}
    assert said.count("divvy: submitted job") == 2
    assert said.count("it ran in a pack of 10 jobs") == 1
    assert f"wildcards: n={fourth}\n" in said.partition("Error in rule job")[2]


@on_slurm
def test_a_pack_that_is_killed_while_the_fourth_runs(cluster: Cluster, tmp_path: Path) -> None:
    rules = "    resources: pack=10\n    retries: 1\n"
    body = shell(
        STARTS,
        "echo {wildcards.n} >> order",
        "if [ $(wc -l < order) = 4 ]; then echo {wildcards.n} > fourth; touch {output}; sleep 300; fi",
        "touch {output}",
    )
    workflow(tmp_path, rules + body, range(10))
    process = cluster.start(tmp_path)
    wait_until((tmp_path / "fourth").exists)
    first = (tmp_path / "order").read_text().split()[:3]
    born = {name: (tmp_path / f"{name}.txt").stat().st_ino for name in first}
    cluster.tell(cluster.cancel, *cluster.queue())
    status, said = finish(process)
    assert status == 0, said
    fourth = (tmp_path / "fourth").read_text().strip()
    assert starts(tmp_path) == {str(n): 2 if str(n) == fourth else 1 for n in range(10)}
    assert "6 jobs of the pack" in said
    assert said.count("Error in rule job") == 1
    assert "ended without an exit status" in said
    assert {name: (tmp_path / f"{name}.txt").stat().st_ino for name in first} == born


@on_slurm
def test_the_time_limit_alone_and_in_a_pack(cluster: Cluster, tmp_path: Path) -> None:
    """Slurm's shortest limit is a minute, so both are waited for at once."""
    config = cluster.config(tmp_path, "sbatch --time=1")
    long = "if [ ! -e fourth ]; then touch fourth; sleep 300; fi"
    workflow(tmp_path / "alone", shell(STARTS, "sleep 300", "touch {output}"))
    fourth = shell(STARTS, f"if [ $(ls starts.* | wc -l) = 4 ]; then {long}; fi", "touch {output}")
    workflow(tmp_path / "pack", "    resources: pack=6\n    retries: 1\n" + fourth, range(6))
    alone, pack = (cluster.start(tmp_path / name, config=config) for name in ("alone", "pack"))
    status, said = finish(alone)
    assert status == 1
    assert "ended without an exit status (slurm: TIMEOUT" in said
    assert "1 TIMEOUT" in said
    status, said = finish(pack)
    assert status == 0, said
    assert "(slurm: TIMEOUT" in said
    assert sorted(starts(tmp_path / "pack").values()) == [1, 1, 1, 1, 1, 2]
    assert "2 jobs of the pack" in said


@on_slurm
def test_a_node_dies(cluster: Cluster, slurm: OneHostSlurm, tmp_path: Path) -> None:
    node = slurm.nodes[1]
    config = cluster.config(tmp_path, f"sbatch --no-requeue -w {node}")
    workflow(tmp_path, shell(STARTS, "sleep 300", "touch {output}"))
    process = cluster.start(tmp_path, config=config)
    wait_until(lambda: starts(tmp_path))
    slurm.kill_node(node)
    try:
        status, said = finish(process)
    finally:
        slurm.start_node(node)
    assert status == 1
    assert "ended without an exit status (slurm: NODE_FAIL" in said


@on_slurm
def test_a_job_that_is_put_back_into_the_queue(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, shell(STARTS, "[ $(wc -l < starts.{wildcards.n}) = 2 ] || sleep 300", "touch {output}"))
    process = cluster.start(tmp_path)
    wait_until(lambda: starts(tmp_path))
    (job,) = cluster.queue()
    cluster.tell("scontrol", "requeue", job)
    wait_until(lambda: "PENDING" in cluster.tell("squeue", "--noheader", "--format=%T"))
    cluster.tell("scontrol", "update", f"JobId={job}", "StartTime=now")
    status, said = finish(process)
    assert status == 0, said
    assert starts(tmp_path) == {"0": 2}
    assert said.count("divvy: submitted") == 1


@on_slurm
def test_the_snakemake_of_a_job_is_killed_and_what_it_started_is_not(cluster: Cluster, tmp_path: Path) -> None:
    write = "(while sleep 0.2; do echo first >> {output}; done) & sleep 1"
    first = f"if [ $(wc -l < starts.{{wildcards.n}}) = 1 ]; then {write}; kill -9 $PPID; wait; fi"
    workflow(tmp_path, "    retries: 1\n" + shell(STARTS, first, "echo second > {output}"))
    status, said = cluster.run(tmp_path)
    assert status == 0, said
    assert starts(tmp_path) == {"0": 2}
    assert (tmp_path / "0.txt").read_text() == "second\n"
    assert list_twins(tmp_path) == []


@on_slurm
def test_more_memory_than_any_node_has(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, "    resources: mem_mb=10_000_000\n" + shell("touch {output}"))
    status, said = cluster.run(tmp_path)
    assert status == 1
    assert "slurm refused it: " in said
    assert "Requested node configuration is not available" in said or "Memory" in said


@on_slurm
def test_a_job_that_would_wait_forever_is_reported_once(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, "    resources: runtime=1000\n" + shell("touch {output}"), range(3))
    process = cluster.start(tmp_path)
    line = said_with(process, "PartitionTimeLimit")
    assert "may stay in the queue forever (slurm: PENDING, PartitionTimeLimit)" in line
    process.send_signal(signal.SIGINT)
    status, said = finish(process)
    assert status == 1
    assert "PartitionTimeLimit" not in said


@on_grid_engine
def test_a_job_in_error_is_reported_with_the_schedulers_reason(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, shell("touch {output}"), range(2))
    process = cluster.start(tmp_path, config=cluster.config(tmp_path, "qsub -wd /no/such/folder"))
    line = said_with(process, "forever")
    assert "(grid_engine: Eqw, can't chdir to /no/such/folder: No such file or directory)" in line
    process.send_signal(signal.SIGINT)
    status, said = finish(process)
    assert status == 1
    assert "forever" not in said


@on_grid_engine
def test_the_time_limit(cluster: Cluster, tmp_path: Path) -> None:
    workflow(tmp_path, shell(STARTS, "sleep 300", "touch {output}"))
    status, said = cluster.run(tmp_path, config=cluster.config(tmp_path, "qsub -l h_rt=8"))
    assert status == 1
    assert "ended without an exit status (grid_engine: TIMEOUT" in said
