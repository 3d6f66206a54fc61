"""Job scripts: what they record, and that nothing in a command is expanded."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from snakemake_interface_executor_plugins.utils import format_cli_arg

from snakemake_executor_plugin_divvy.jobscript import (
    JobFiles,
    build_job_script,
    make_safe_name,
    quote_arguments,
    read_tail,
)

HOSTILE = "a 'b' \"c\" $HOME `id` $(touch x) ; & | {MEM} \\n"
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


def run_job(folder: Path, command: str) -> tuple[JobFiles, int]:
    files = JobFiles(folder / "logs of rule", folder / "state", "it's $HOME.1")
    files.state.mkdir()
    files.job_script.write_text(build_job_script("rule\nx", command, folder, files))
    done = subprocess.run(["bash", str(files.job_script)], capture_output=True, text=True, check=False)
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
    assert sorted(path.suffix for path in files.state.iterdir()) == [".sh", ".start", ".status"]


def test_a_killed_job_records_nothing(tmp_path: Path) -> None:
    files, _ = run_job(tmp_path, "kill -9 $$")
    assert files.exit_status() is None


def test_a_job_that_is_told_to_end_records_nothing(tmp_path: Path) -> None:
    files, returned = run_job(tmp_path, "kill -TERM $$; sleep 1; exit 1")
    assert returned == 143
    assert files.exit_status() is None


def test_a_job_that_was_taken_back_does_nothing(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "logs of rule", tmp_path / "state", "it's $HOME.1")
    files.state.mkdir()
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
    subprocess.run(["bash", str(files.job_script)], check=True)
    assert files.exit_status() == 0
    assert files.log.read_text() == "run\nrun\n"


def test_the_log_folder_may_have_vanished(tmp_path: Path) -> None:
    files = JobFiles(tmp_path / "logs", tmp_path / "state", "x")
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


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("s1", "s1"),
        ("a;b $(touch x) {MEM}", "a_b_touch_x_MEM"),
        ("../..", ".._.."),
        ("", "_"),
        ("é/ü", "_"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_of_files_and_jobs_are_harmless(name: str, safe: str) -> None:
    assert make_safe_name(name) == safe


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert read_tail(path) == []
    path.write_bytes(b"\xff\n" + b"".join(b"%d\n" % i for i in range(100)))
    assert read_tail(path, 3) == ["97", "98", "99"]
