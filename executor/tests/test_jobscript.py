"""Job scripts: what they record, and that nothing in a command is expanded."""

import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from snakemake_interface_executor_plugins.utils import format_cli_arg

from plugin_helpers import is_alive, wait_until
from snakemake_executor_plugin_divvy import jobscript
from snakemake_executor_plugin_divvy.jobscript import (
    JobFiles,
    build_job_script,
    quote_arguments,
    read_tail,
    write_privately,
)

HOSTILE = "a 'b' \"c\" $HOME `id` $(touch x) ; & | {MEM} \\n"
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def start(files: JobFiles, id: str = "17") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"JOB": id}
    return subprocess.run(["bash", str(files.job_script)], capture_output=True, text=True, check=False, env=environment)


def write_script(folder: Path, command: str, markers: Sequence[Path] = ()) -> JobFiles:
    files = JobFiles(folder / "logs of rule", folder / "state", "it's $HOME.1")
    files.status.parent.mkdir(parents=True)
    write_privately(files.job_script, build_job_script("rule\nx", command, folder, files, "JOB", markers))
    return files


def run_job(folder: Path, command: str, markers: Sequence[Path] = ()) -> tuple[JobFiles, int]:
    files = write_script(folder, command, markers)
    done = start(files)
    assert done.stdout == done.stderr == ""
    return files, done.returncode


@pytest.mark.parametrize("status", [0, 3])
def test_status_and_log_are_recorded(tmp_path: Path, status: int) -> None:
    files, returned = run_job(tmp_path, f"(pwd; echo problem >&2; exit {status})")
    assert returned == status
    assert files.exit_status() == status
    assert files.log.read_text() == f"{tmp_path}\nproblem\n"
    start, end = files.times()
    assert start is not None
    assert end is not None
    assert time.time() - 60 < start <= end <= time.time()
    assert sorted(path.name for path in files.state.iterdir()) == ["ends", "it's $HOME.1.sh", "it's $HOME.1.start"]
    assert files.started_id() == "17"


def test_what_it_writes_is_private_and_what_the_job_writes_is_not(tmp_path: Path) -> None:
    os.umask(0o022)
    files, _ = run_job(tmp_path, "touch made")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (files.job_script, files.start, files.status)}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o644


@pytest.mark.parametrize("end", ["true", "exit 3", "kill -TERM $$; sleep 1"])
def test_marks_that_the_job_removes_are_set_again_when_it_has_ended(tmp_path: Path, end: str) -> None:
    """Without them a later run could not tell an output that was made while nobody watched from one that it knows."""
    removed, kept = tmp_path / "it's removed", tmp_path / "kept"
    kept.write_text("as it was")
    run_job(tmp_path, f"({end})", [removed, kept])
    assert json.loads(removed.read_text()) == {"external_jobid": "ended"}
    assert kept.read_text() == "as it was"


def test_marks_are_set_while_the_job_runs_and_as_often_as_it_removes_them(tmp_path: Path) -> None:
    """As a Snakemake does that has started another one for a job: both remove them."""
    marker = tmp_path / "marker"
    wait = f"for _ in $(seq 100); do [ -e {marker} ] && break; sleep 0.2; done; date +%s >> seen; rm {marker}"
    files, _ = run_job(tmp_path, f"{wait}; {wait}; date +%s >> seen", [marker])
    assert files.exit_status() == 0
    assert json.loads(marker.read_text()) == {"external_jobid": "ended"}
    times = list(map(int, (tmp_path / "seen").read_text().split()))
    assert times[-1] - times[0] < 15


def test_marks_are_not_set_any_more_once_the_status_can_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    command = tmp_path / "bin" / "mv"  # by which the status becomes visible, and whoever sees it removes the marks
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\n{shutil.which("mv")} "$@"\ncase "$*" in */ends/*) rm {marker} ;; esac\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    files, _ = run_job(tmp_path, "true", [marker])
    assert files.exit_status() == 0
    assert not marker.exists()


def test_a_killed_job_records_nothing(tmp_path: Path) -> None:
    files, _ = run_job(tmp_path, "kill -9 $$")
    assert files.exit_status() is None


def test_a_job_that_is_told_to_end_records_nothing(tmp_path: Path) -> None:
    files, returned = run_job(tmp_path, "kill -TERM $$; sleep 1; exit 1")
    assert returned == 143
    assert files.exit_status() is None


# starts a child, another one in a session of its own, and is killed
ORPHANS = """\
import os, subprocess, sys
for name, session in (("child", False), ("daemon", True)):
    process = subprocess.Popen(["bash", "-c", sys.argv[1]], start_new_session=session)
    open(name, "w").write(str(process.pid))
{end}
"""


def orphans(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in ("child", "daemon") if (folder / name).exists()]


def leave_orphans(folder: Path, end: str, what: str = "sleep 300") -> str:
    """Return a command that leaves orphans when it ends by a line of Python."""
    (folder / "orphans.py").write_text(ORPHANS.format(end=end))
    return shlex.join([sys.executable, str(folder / "orphans.py"), what])


@pytest.mark.parametrize(("end", "status"), [("os.kill(os.getpid(), 9)", 137), ("sys.exit(3)", 3), ("os.abort()", 134)])
def test_nothing_of_a_job_that_failed_runs_when_its_status_is_there(tmp_path: Path, end: str, status: int) -> None:
    files, _ = run_job(tmp_path, leave_orphans(tmp_path, end))
    assert files.exit_status() == status
    assert len(orphans(tmp_path)) == 2
    assert not any(map(is_alive, orphans(tmp_path)))


def test_what_a_failed_job_leaves_ends_by_itself_or_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobscript, "LEFT_SECONDS", 1)
    what = "trap 'date >> told' TERM; echo $$ >> ready; while true; do date >> written; sleep 0.2; done"
    end = "while not os.path.exists('ready') or len(open('ready').readlines()) < 2: pass\nos.kill(os.getpid(), 9)"
    files, _ = run_job(tmp_path, leave_orphans(tmp_path, end, what))
    assert files.exit_status() == 137
    assert not any(map(is_alive, orphans(tmp_path)))
    assert len((tmp_path / "told").read_text().splitlines()) == 2  # each once
    written = (tmp_path / "written").read_text()
    time.sleep(0.5)
    assert (tmp_path / "written").read_text() == written


def test_what_a_job_that_ended_well_has_left_is_its_own_affair(tmp_path: Path) -> None:
    files, _ = run_job(tmp_path, leave_orphans(tmp_path, "sys.exit(0)"))
    assert files.exit_status() == 0
    assert all(map(is_alive, orphans(tmp_path)))
    for pid in orphans(tmp_path):
        os.kill(int(pid), signal.SIGKILL)


def test_a_job_that_is_told_to_end_ends_all_that_it_runs(tmp_path: Path) -> None:
    """Also where the scheduler tells only the script."""
    command = leave_orphans(tmp_path, "import time; time.sleep(300)")
    files = write_script(tmp_path, command)
    process = subprocess.Popen(["bash", str(files.job_script)])
    wait_until(lambda: len(orphans(tmp_path)) == 2 and all(orphans(tmp_path)))
    process.terminate()
    assert process.wait(30) == 143
    assert files.exit_status() is None
    assert not any(map(is_alive, orphans(tmp_path)))


def test_a_job_finds_signals_as_they_were(tmp_path: Path) -> None:
    """Bash ignores some of them in the background, and Python others."""
    files, _ = run_job(tmp_path, "grep SigIgn /proc/self/status")
    ignored = subprocess.run(
        ["bash", "-c", "grep SigIgn /proc/self/status"], capture_output=True, text=True, check=True
    ).stdout
    assert files.log.read_text() == ignored


def test_a_job_that_was_taken_back_does_nothing(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "logs of rule", tmp_path / "state", "it's $HOME.1")
    files.status.parent.mkdir(parents=True)
    assert files.take_back()
    assert files.take_back()
    script = tmp_path / "x.sh"
    script.write_text(build_job_script("x", f"touch {tmp_path}/ran", tmp_path, files))
    assert subprocess.run(["bash", str(script)], check=False).returncode == 1
    assert not (tmp_path / "ran").exists()
    assert files.exit_status() is None


def test_a_job_that_has_started_cannot_be_taken_back(tmp_path: Path) -> None:
    files, _ = run_job(tmp_path, "true")
    assert not files.take_back()
    assert files.exit_status() == 0


def test_a_job_that_runs_again_forgets_its_first_status_and_keeps_its_log(tmp_path: Path) -> None:
    """As after a requeue: the scheduler starts the same script once more."""
    files, _ = run_job(tmp_path, "echo run; test -e again || { touch again; exit 3; }")
    assert files.exit_status() == 3
    assert start(files).returncode == 0
    assert files.exit_status() == 0
    assert files.log.read_text() == "run\nrun\n"


def test_a_pack_runs_again_whatever_its_jobs_have_noted(tmp_path: Path) -> None:
    files, _ = run_job(tmp_path, f"echo '[1, null]' >> {tmp_path}/state/*.start; echo run; exit 3")
    assert start(files).returncode == 3
    assert files.log.read_text() == "run\nrun\n"


def test_the_same_script_under_another_id_does_nothing(tmp_path: Path) -> None:
    """As when a submission was made twice, or is an array."""
    files, _ = run_job(tmp_path, "echo run")
    assert start(files, id="18").returncode == 1
    assert files.log.read_text() == "run\n"
    assert files.started_id() == "17"
    assert files.exit_status() == 0


def test_a_job_whose_run_has_removed_everything_does_nothing(tmp_path: Path) -> None:
    files, _ = run_job(tmp_path, "echo run >> ../runs")
    script = files.job_script.read_text()
    shutil.rmtree(files.state)
    assert subprocess.run(["bash", "-c", script], check=False, capture_output=True).returncode == 1
    assert (tmp_path.parent / "runs").read_text() == "run\n"
    (tmp_path.parent / "runs").unlink()


@pytest.mark.slow
def test_a_full_disk_is_waited_for(tmp_path: Path, small_disk: Path) -> None:
    """The status of a job that has ended is not lost because it could not be written at once, nor are its marks."""
    marker = small_disk / "marker"
    files = JobFiles(tmp_path / "logs", small_disk, "x")
    files.status.parent.mkdir()
    fill = f"dd if=/dev/zero of={small_disk}/fill bs=512 2>/dev/null"
    script = tmp_path / "x.sh"
    script.write_text(build_job_script("x", fill, tmp_path, files, markers=[marker]))
    process = subprocess.Popen(["bash", str(script)])
    wait_until((small_disk / "fill").exists)
    time.sleep(3)
    assert process.poll() is None
    (small_disk / "fill").unlink()
    process.wait(30)
    assert files.exit_status() == 1
    assert json.loads(marker.read_text()) == {"external_jobid": "ended"}
    assert stat.S_IMODE(marker.stat().st_mode) == 0o666 & ~_get_umask()


def _get_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_marks_whose_folder_is_gone_are_not_waited_for(tmp_path: Path) -> None:
    files, _ = run_job(tmp_path, "true", [tmp_path / "gone" / "marker"])
    assert files.exit_status() == 0


def test_the_log_folder_may_have_vanished(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "logs", tmp_path / "state", "x")
    files.status.parent.mkdir(parents=True)
    script = tmp_path / "x.sh"
    script.write_text(build_job_script("x", "echo done", tmp_path, files))
    subprocess.run(["bash", str(script)], check=True)
    assert files.exit_status() == 0
    assert files.log.read_text() == "done\n"


def test_the_jobs_snakemake_does_not_see_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "divvy")
    files, _ = run_job(tmp_path, "echo [$SNAKEMAKE_PROFILE]")
    assert files.log.read_text() == "[]\n"


def as_bash_reads(arguments: str) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {arguments}"], capture_output=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    return done.stdout.decode().split("\0")[:-1]


@given(st.lists(text, min_size=1, max_size=4))
@example([HOSTILE, "it's $HOME", 'say "$HOME"', "\n", "\\", "x'\"\\$"])
def test_arguments_reach_the_jobs_snakemake_as_they_are(values: list[str]) -> None:
    values = [value for value in values if value[0] not in "'\""]  # Snakemake takes these for quoted already
    command = f'cd "$HOME" && python -m snakemake {format_cli_arg("--config", values) or "x"} --nocolor'
    quoted = quote_arguments(command)
    before, _, after = quoted.partition(" -m snakemake ")
    assert before == 'cd "$HOME" && python'
    assert as_bash_reads(after) == [*(["--config", *values] if values else ["x"]), "--nocolor"]


def test_arguments_that_are_quoted_for_the_shell_already_stay(tmp_path: Path) -> None:
    path = tmp_path / 'it\'s $HOME "x"' / "y"
    quoted = quote_arguments(f"python -m snakemake {format_cli_arg('--configfiles', [path])}")
    assert as_bash_reads(quoted.partition(" -m snakemake ")[2]) == ["--configfiles", str(path)]


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert read_tail(path) == []
    path.write_bytes(b"\xff\n" + b"".join(b"%d\n" % i for i in range(100)))
    assert read_tail(path, 3) == ["97", "98", "99"]
