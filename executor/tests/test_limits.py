"""Schedulers that are full, away, slow or unreliable, on real ones: jobs wait for them, and none runs twice.

How they say that they are full or away, or refuse a job, differs between them, and is tried on each; the rest on Slurm.
"""

import random
import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from clusters import (
    STARTS,
    Cluster,
    count_calls,
    exit_statuses,
    finish,
    intercept,
    on_slurm,
    outputs,
    shell,
    starts,
    workflow,
)
from plugin_helpers import wait_until
from snakemake_executor_plugin_divvy.submissions.gate import AT_ONCE

pytestmark = pytest.mark.slow
SMALL = "    resources: mem_mb=300\n"
WAITING = shell(STARTS, "while [ ! -e go ]; do sleep 0.5; done", "touch {output}")
TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
# longer than the four tries that an unknown error gets: 2 + 4 + 8 s between them, and sbatch takes 9 s to give up
AWAY_SECONDS = {"slurm": 60, "grid_engine": 25}


def once(jobs: int) -> dict[str, int]:
    """Return how often each job has to have started."""
    return {str(n): 1 for n in range(jobs)}


# --- full


def test_a_limit_on_the_number_of_jobs_is_kept_without_asking_all_the_time(cluster: Cluster, tmp_path: Path) -> None:
    path = intercept(tmp_path, cluster.submit, 'real "$@"')
    jobs = 20
    workflow(tmp_path, SMALL + shell(STARTS, "sleep 1", "touch {output}"), range(jobs))
    with cluster.server.submit_limit(5):
        status, said = cluster.run(tmp_path, "--jobs", str(jobs), path=path)
    assert status == 0, said
    assert starts(tmp_path) == once(jobs)
    assert outputs(tmp_path) == set(once(jobs))
    tries = Counter(status == 0 for status in exit_statuses(tmp_path, cluster.submit))
    assert tries[True] == jobs
    assert 1 <= tries[False] < jobs, "asked all the time"


def fill(cluster: Cluster, jobs: int) -> None:
    """Let jobs that are none of the run's wait in Slurm's queue."""
    for _ in range(jobs):
        assert cluster.tell("sbatch", "--hold", "--output=/dev/null", "--wrap", "true")


@on_slurm
def test_a_queue_that_other_jobs_fill_is_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    """For longer than the tries that an unknown error gets."""
    path = intercept(tmp_path, cluster.submit, 'real "$@"')
    workflow(tmp_path, shell(STARTS, "touch {output}"), range(2))
    with cluster.server.submit_limit(2):
        fill(cluster, 2)
        process = cluster.start(tmp_path, path=path)
        wait_until(lambda: exit_statuses(tmp_path, cluster.submit))
        time.sleep(20)
        ended = process.poll()
        cluster.tell(cluster.cancel, *cluster.queue())
        status, said = finish(process)
    assert ended is None, said
    assert status == 0, said
    assert starts(tmp_path) == once(2)
    assert len(exit_statuses(tmp_path, cluster.submit)) < 10, "asked all the time"


@on_slurm
def test_a_queue_that_stays_full_is_given_up_after_the_time_that_was_asked_for(
    cluster: Cluster, tmp_path: Path
) -> None:
    workflow(tmp_path, shell(STARTS, "touch {output}"), range(2))
    with cluster.server.submit_limit(2):
        fill(cluster, 2)
        begin = time.monotonic()
        status, said = cluster.run(tmp_path, "--divvy-wait-for-scheduler", "0")
        cluster.tell(cluster.cancel, *cluster.queue())
    assert status == 1, said
    assert "--divvy-wait-for-scheduler" in said
    assert time.monotonic() - begin < 60
    assert starts(tmp_path) == {}


# --- away


def test_the_controller_is_away_in_the_middle_of_submitting(cluster: Cluster, tmp_path: Path) -> None:
    path = intercept(tmp_path, cluster.submit, 'real "$@"')
    jobs = 10 + AT_ONCE
    workflow(tmp_path, SMALL + shell(STARTS, "sleep 1", "touch {output}"), range(jobs))
    process = cluster.start(tmp_path, path=path)
    wait_until(lambda: count_calls(tmp_path, cluster.submit) >= 10)
    with cluster.server.away():
        time.sleep(AWAY_SECONDS[cluster.package])
    status, said = finish(process)
    assert status == 0, said
    assert starts(tmp_path) == once(jobs)
    failed = sum(status != 0 for status in exit_statuses(tmp_path, cluster.submit))
    assert 1 <= failed <= AT_ONCE + 4, "those under way together, then one probe at a time, less and less often"


@on_slurm
def test_the_controller_is_away_when_nothing_of_the_run_is_in_the_queue(cluster: Cluster, tmp_path: Path) -> None:
    """The second job is ready when the first has ended, without the scheduler."""
    rules = "    input: lambda wildcards: '0.txt' if wildcards.n == '1' else []\n"
    workflow(tmp_path, rules + WAITING, range(2))
    process = cluster.start(tmp_path)
    wait_until(lambda: starts(tmp_path) == {"0": 1})
    with cluster.server.away():
        (tmp_path / "go").touch()
        time.sleep(AWAY_SECONDS[cluster.package])
    status, said = finish(process)
    assert status == 0, said
    assert starts(tmp_path) == once(2)


# --- unreliable


@on_slurm
@pytest.mark.parametrize("seed", [2])
def test_a_submission_command_that_cannot_be_believed(cluster: Cluster, tmp_path: Path, seed: int) -> None:
    """In three of ten calls it fails, fails after the job was submitted, or does not tell the job's id."""
    answers = random.Random(seed).choices(["good", "refused", "late", "mute"], [7, 1, 1, 1], k=1000)
    (tmp_path / "answers").write_text("\n".join(answers))
    path = intercept(
        tmp_path,
        "sbatch",
        f'case $(sed -n "${{call}}p" {tmp_path}/answers) in',
        f"refused) echo '{TIMED_OUT}' >&2; exit 1 ;;",
        f"""late) real "$@" > /dev/null; echo '{TIMED_OUT}' >&2; exit 1 ;;""",
        """mute) real "$@" > /dev/null ;;""",
        """*) real "$@" ;;""",
        "esac",
    )
    workflow(tmp_path, SMALL + shell(STARTS, "sleep 1", "touch {output}"), range(12))
    status, said = cluster.run(tmp_path, path=path)
    assert status == 0, said
    assert starts(tmp_path) == once(12)
    calls = count_calls(tmp_path, "sbatch")
    assert set(answers[:calls]) == set(answers), "too few calls to see every answer"


def test_what_the_scheduler_will_never_take_is_tried_once_and_fails_alone(cluster: Cluster, tmp_path: Path) -> None:
    if cluster.package == "slurm":
        wrong = ["nosuch", "shortq", "shortq"], [1, 6, 1]  # a node has five
        reasons = ["Invalid partition name", "Requested node configuration is not available"]
        rules = "    resources: partition=lambda wildcards: PLACE[int(wildcards.n)]\n"
    else:  # which takes jobs with more slots than it has, and lets them wait
        wrong = ["nosuch", "shortq", "shortq"], [1, 1, 1]
        reasons = ["requests unknown queue"]
        rules = "    resources: queue=lambda wildcards: PLACE[int(wildcards.n)]\n"
    rules += "    threads: lambda wildcards: CPUS[int(wildcards.n)]\n"
    path = intercept(tmp_path, cluster.submit, 'real "$@"')
    workflow(tmp_path, rules + shell(STARTS, "touch {output}"), range(3))
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(f"PLACE, CPUS = {wrong!r}\n\n\n{snakefile.read_text()}")
    status, said = cluster.run(tmp_path, "--keep-going", path=path)
    assert status == 1, said
    assert [reason for reason in reasons if reason not in said] == [], said
    assert said.count("Error in rule job:") == len(reasons)
    good = set("012"[len(reasons) :])
    assert outputs(tmp_path) == good
    assert starts(tmp_path) == dict.fromkeys(good, 1)
    assert sorted(exit_statuses(tmp_path, cluster.submit)) == [0] * len(good) + [1] * len(reasons)


# --- slow


@on_slurm
def test_a_query_that_hangs_holds_nothing_up(cluster: Cluster, tmp_path: Path) -> None:
    path = intercept(tmp_path, cluster.query, "exec sleep 60")
    workflow(tmp_path, SMALL + shell(STARTS, "sleep 3", "touch {output}"), range(10))
    begin = time.monotonic()
    status, said = cluster.run(tmp_path, path=path)
    seconds = time.monotonic() - begin
    assert status == 0, said
    assert starts(tmp_path) == once(10)
    assert count_calls(tmp_path, cluster.query) >= 1
    assert seconds < 180, "each query took a minute"


@on_slurm
def test_a_query_that_hangs_does_not_keep_a_run_from_being_stopped(cluster: Cluster, tmp_path: Path) -> None:
    path = intercept(tmp_path, cluster.query, "exec sleep 60")
    workflow(tmp_path, SMALL + shell(STARTS, "sleep 300", "touch {output}"), range(5))
    process = cluster.start(tmp_path, path=path)
    wait_until(lambda: len(starts(tmp_path)) == 5 and count_calls(tmp_path, cluster.query))
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    status, said = finish(process)
    assert time.monotonic() - begin < 20
    assert status == 1, said
    wait_until(lambda: not cluster.queue(), 20)


# --- deaf


@on_slurm
def test_jobs_that_could_not_be_canceled_are_named_and_known_to_the_next_run(cluster: Cluster, tmp_path: Path) -> None:
    path = intercept(tmp_path, cluster.cancel, "echo 'error: Kill job error: Access denied' >&2; exit 1")
    workflow(tmp_path, SMALL + WAITING, range(6))
    first = cluster.start(tmp_path, path=path)
    wait_until(lambda: len(starts(tmp_path)) == 6)
    ids = set(cluster.queue())
    first.send_signal(signal.SIGINT)
    status, said = finish(first, 60)
    assert status == 1, said
    assert count_calls(tmp_path, cluster.cancel) >= 1
    after = said[said.index("cancel") :].splitlines()
    assert any(ids <= set(re.findall(r"\d+", line)) for line in after), said
    assert set(cluster.queue()) == ids
    second = cluster.start(tmp_path, "--rerun-incomplete")
    time.sleep(8)
    (tmp_path / "go").touch()
    status, said = finish(second)
    assert status == 0, said
    assert starts(tmp_path) == once(6)
    assert outputs(tmp_path) == set(once(6))
