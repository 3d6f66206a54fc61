"""Compute packages: found, checked, and rendered by divvy."""

import os
import re
import tempfile
from pathlib import Path

import pytest
import yaml

from snakemake_executor_plugin_divvy import ExecutorSettings
from snakemake_executor_plugin_divvy.compute_packages import ComputeError, ComputePackage, find_config, load_package

VARIABLES = {
    "JOBNAME": "coverage.s1",
    "LOGFILE": "/logs/s1.scheduler.log",
    "MEM": "24000",
    "CORES": "2",
    "TIME": "01:30:00",
    "CODE": "bash '/path with {MEM}/job.sh'",
}
SLURM_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name='coverage.s1'
#SBATCH --output='/logs/s1.scheduler.log'
#SBATCH --mem='24000'
#SBATCH --cpus-per-task='2'
#SBATCH --time='01:30:00'
#SBATCH --partition='longq'
#SBATCH -m block
#SBATCH --ntasks=1

echo 'Compute node:' `hostname`
echo 'Start time:' `date +'%Y-%m-%d %T'`



bash '/path with {MEM}/job.sh'

"""


@pytest.fixture(autouse=True)
def _no_divcfg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIVCFG", raising=False)


def site(folder: Path, template: str, **package: str | None) -> Path:
    """Write a divvy configuration with one package `p`."""
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "t.sub").write_text(template)
    settings = {"submission_template": "templates/t.sub", "submission_command": "sbatch"} | package
    path = folder / "divvy_config.yaml"
    path.write_text(yaml.safe_dump({"compute_packages": {"p": settings, "other": settings}}))
    return path


def package(folder: Path, template: str, **settings: str | None) -> ComputePackage:
    return load_package(str(site(folder, template, **settings)), "p")


def test_the_stock_slurm_package_renders(tmp_path: Path) -> None:
    script = load_package(None, "slurm").render(VARIABLES | {"PARTITION": "longq"}, tmp_path / "x.sub")
    assert script.rstrip("\n") == SLURM_SCRIPT.rstrip("\n")
    assert (tmp_path / "x.sub").read_text() == script
    assert [path.name for path in tmp_path.iterdir()] == ["x.sub"]


def test_a_directive_without_a_value_is_omitted(tmp_path: Path) -> None:
    slurm = load_package(None, "slurm")
    script = slurm.render(VARIABLES, tmp_path / "x.sub")
    assert script.rstrip("\n") == SLURM_SCRIPT.replace("#SBATCH --partition='longq'\n", "").rstrip("\n")
    assert slurm.check(VARIABLES) == (["PARTITION"], [])
    assert slurm.check(VARIABLES | {"PARTITION": "longq"}) == ([], [])


@pytest.mark.parametrize("prefix", ["#SBATCH", "#$", "#BSUB", "#PBS", "  #SBATCH"])
def test_the_directives_of_all_schedulers_are_known(tmp_path: Path, prefix: str) -> None:
    script = package(tmp_path, f"{prefix} -q {{QUEUE}}\n{prefix} -x {{MEM}}\n{{CODE}}\n").render(
        VARIABLES, tmp_path / "x"
    )
    assert script.splitlines() == [f"{prefix} -x 24000", VARIABLES["CODE"]]


def test_a_resource_that_the_template_does_not_use_is_reported(tmp_path: Path) -> None:
    assert package(tmp_path, "{CODE}\n").check(VARIABLES | {"PARTITION": "longq"}) == ([], ["PARTITION"])


def test_a_missing_variable_elsewhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ComputeError, match=r"t\.sub needs IMAGE.*:image=VALUE.*package 'p'"):
        package(tmp_path, "run {IMAGE} {CODE}\n").render(VARIABLES, tmp_path / "x.sub")
    assert not (tmp_path / "x.sub").exists()


@pytest.mark.parametrize("spelling", ["image", "IMAGE", "Image"])
def test_the_package_gives_defaults_and_resources_replace_them(tmp_path: Path, spelling: str) -> None:
    ours = package(tmp_path, "run {IMAGE} {CODE}\n", **{spelling: "stock.sif"})
    assert "run stock.sif" in ours.render(VARIABLES, tmp_path / "x")
    assert "run own.sif" in ours.render(VARIABLES | {"IMAGE": "own.sif"}, tmp_path / "x")
    assert "run stock.sif" in ours.render(VARIABLES, tmp_path / "x")


def test_an_empty_setting_of_the_package_is_empty_text(tmp_path: Path) -> None:
    assert package(tmp_path, "run{ARGS} x\n", args=None).render(VARIABLES, tmp_path / "x") == "run x\n"


TEXTS = "10:00 01:30:00 1-00:00:00 0123 1e5 1.50 no yes true 2024-01-02 12_34 0x10 .5 1_000.0 =".split()


@pytest.mark.parametrize("text", TEXTS)
def test_a_setting_is_the_text_that_stands_in_the_file(tmp_path: Path, text: str) -> None:
    path = site(tmp_path, "#SBATCH --time='{TIME}'\n{CODE}\n")
    path.write_text(
        path.read_text()
        + f"  0123:\n    submission_template: templates/t.sub\n    submission_command: sbatch\n    time: {text}\n"
    )
    ours = load_package(str(path), "0123").render({"CODE": "true"}, tmp_path / "x")
    assert ours.splitlines() == [f"#SBATCH --time='{text}'", "true"]


@pytest.mark.parametrize("nothing", ["", "~", "null", "''"])
def test_nothing_is_nothing(tmp_path: Path, nothing: str) -> None:
    path = site(tmp_path, "#SBATCH --time='{TIME}'\n{CODE}\n")
    path.write_text(
        path.read_text().replace("submission_command: sbatch", f"submission_command: sbatch\n    time: {nothing}")
    )
    assert load_package(str(path), "p").render({"CODE": "true"}, tmp_path / "x") == "true\n"


def test_merged_settings_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = site(tmp_path, "#SBATCH --time='{TIME}'\r\n{CODE}\r\n")
    path.write_bytes(
        b"compute_packages:\r\n  a: &a\r\n    submission_template: templates/t.sub\r\n    submission_command: sbatch\r\n"
        b"    time: 10:00\r\n  p:\r\n    <<: *a\r\n"
    )
    assert load_package(str(path), "p").render({"CODE": "true"}, tmp_path / "x") == "#SBATCH --time='10:00'\ntrue\n"


def test_shell_variables_of_a_template_are_left_alone(tmp_path: Path) -> None:
    text = "echo ${TMPDIR} ${HOME}\n"
    assert package(tmp_path, text).render(VARIABLES | {"TMPDIR": "/tmp"}, tmp_path / "x") == text


@pytest.mark.parametrize("value", ["a'b", 'a"b', "a\nb", "$(touch x)", "`id`", "{MEM}", "a\\b", "\x1b[0m"])
def test_values_that_break_out_of_a_directive_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ComputeError, match="resource partition is"):
        package(tmp_path, "#SBATCH -p '{PARTITION}'\n").render(VARIABLES | {"PARTITION": value}, tmp_path / "x")


@pytest.mark.parametrize("value", ["a;b", "a&b", "a|b", "a>b", "a b'", "(a)", "*"])
def test_values_that_the_shell_would_read_are_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ComputeError, match="resource image is"):
        package(tmp_path, "run {IMAGE}\n").render(VARIABLES | {"IMAGE": value}, tmp_path / "x")


def test_a_scheduler_may_get_what_the_shell_may_not(tmp_path: Path) -> None:
    script = package(tmp_path, "#SBATCH -C '{CONSTRAINT}'\n").render({"CONSTRAINT": "(a&b)|c"}, tmp_path / "x")
    assert script == "#SBATCH -C '(a&b)|c'\n"


def test_one_package_does_not_leak_into_another(tmp_path: Path) -> None:
    path = site(tmp_path, "{CODE}\n")
    config = yaml.safe_load(path.read_text())
    config["compute_packages"]["default"] = config["compute_packages"]["other"] | {"queue": "leaked"}
    path.write_text(yaml.safe_dump(config))
    (tmp_path / "templates" / "t.sub").write_text("#SBATCH -q {QUEUE}\nx\n")
    assert load_package(str(path), "p").render({}, tmp_path / "x") == "x\n"


def test_an_unknown_package_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ComputeError, match=r"'nosuch' in .*divvy_config\.yaml; it has: other, p"):
        load_package(str(site(tmp_path, "")), "nosuch")


@pytest.mark.parametrize("text", ["", "[]", "a: [", "compute_packages:\n", "compute_packages: []\n", "adapters: {}\n"])
def test_a_malformed_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "divvy_config.yaml"
    path.write_text(text)
    with pytest.raises(ComputeError, match=r"divvy_config\.yaml: "):
        load_package(str(path), "default")


def test_a_configuration_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    path = site(tmp_path, "{CODE}")
    first = path.read_text().count("\n") + 1
    path.write_text(path.read_text() + "# ours\ncompute_packages: {p: {}}\n")
    with pytest.raises(
        ComputeError, match=rf"divvy_config.yaml: keys that stand twice.*'compute_packages' \(lines 1 and {first + 1}\)"
    ):
        load_package(str(path), "p")
    path.write_text("compute_packages:\n  p: {submission_command: a}\n  p: {submission_command: b}\n")
    with pytest.raises(ComputeError, match=r"'p' \(lines 2 and 3\); join what belongs together"):
        load_package(str(path), "p")


def test_a_configuration_is_only_read(tmp_path: Path) -> None:
    """By one who must not write to its folder, and whatever others have left there."""
    path = site(tmp_path, "{CODE}")
    before = sorted(tmp_path.rglob("*"))
    load_package(str(path), "p")
    assert sorted(tmp_path.rglob("*")) == before
    for name in ("lock.divvy_config.yaml", "write-lock-divvy_config.yaml", "divvy_config.yaml.lock"):
        (tmp_path / name).touch()
    load_package(str(path), "p")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_configuration_of_another_user(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to others
        folder = Path(name)
        folder.chmod(0o755)
        path = site(folder, "{CODE}")
        load_package(str(path), "p")  # now all modules are imported
        os.seteuid(65534)
        try:
            assert not os.access(folder, os.W_OK, effective_ids=True)
            assert load_package(str(path), "p").text == "{CODE}"
            os.seteuid(0)
            path.chmod(0o600)
            os.seteuid(65534)
            with pytest.raises(ComputeError, match=r"divvy_config\.yaml: cannot be read: Permission denied"):
                load_package(str(path), "p")
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("line", "code", "refused"),
    [
        ('task="{CODE}"', "bash '/My Drive/x.sh'", ""),
        ('task="{CODE}"', "bash '/Lab'\"'\"'s Drive/x.sh'", '"'),
        ('task="{CODE}"', "bash '/cost $1/x.sh'", "$"),
        ('task="{CODE}"', "bash '/a`b/x.sh'", "`"),
        ("task='{CODE}'", "bash /plain/x.sh", ""),
        ("task='{CODE}'", "bash '/My Drive/x.sh'", "'"),
        ('echo "it\'s"; {CODE}', "bash '/cost $1/x.sh'", ""),
        ('echo \\"; {CODE}', "bash '/cost $1/x.sh'", ""),
        ("{CODE}", "bash '/cost $1/x.sh'", ""),
        ('echo {CODE}; x="{CODE}"', "bash '/cost $1/x.sh'", "$"),
    ],
)
def test_a_command_that_the_quotes_of_a_template_would_change_is_refused(
    tmp_path: Path, line: str, code: str, refused: str
) -> None:
    found = package(tmp_path, f"#!/bin/bash\n{line}\n")
    if refused:
        with pytest.raises(ComputeError, match=re.escape(f"has {refused} in it")):
            found.check({"CODE": code})
    else:
        found.check({"CODE": code})


@pytest.mark.parametrize("key", ["submission_template", "submission_command"])
def test_an_incomplete_package_is_refused(tmp_path: Path, key: str) -> None:
    path = site(tmp_path, "")
    config = yaml.safe_load(path.read_text())
    del config["compute_packages"]["p"][key]
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ComputeError, match=f"'p' has no {key}"):
        load_package(str(path), "p")


def test_a_missing_template_is_refused(tmp_path: Path) -> None:
    path = site(tmp_path, "")
    (tmp_path / "templates" / "t.sub").unlink()
    with pytest.raises(ComputeError, match=r"templates/t\.sub: No such file"):
        load_package(str(path), "p")


def test_where_the_configuration_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_config(None).name == "divvy_config.yaml"
    path = site(tmp_path, "")
    monkeypatch.setenv("DIVCFG", str(path))
    assert find_config(None) == path
    monkeypatch.setenv("DIVCFG", str(tmp_path / "gone.yaml"))
    assert find_config(str(path)) == path
    with pytest.raises(ComputeError, match=r"DIVCFG=.*gone\.yaml: no such file"):
        find_config(None)
    with pytest.raises(ComputeError, match=r"--divvy-config=nor\.yaml: no such file"):
        find_config("nor.yaml")


def test_relative_paths_of_the_configuration_start_where_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site(tmp_path, "{CODE}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("DIVCFG", "divvy_config.yaml")
    monkeypatch.setenv("NAME", "divvy_config")
    monkeypatch.chdir(tmp_path)
    settings = ExecutorSettings()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for given in (None, "divvy_config.yaml", "$NAME.yaml", "elsewhere/../divvy_config.yaml"):
        assert find_config(given, settings.folder).samefile(path)
        assert load_package(given, "p", settings.folder).text == "{CODE}"
    with pytest.raises(ComputeError, match=rf"DIVCFG=divvy_config\.yaml: no such file \({tmp_path}/elsewhere/divvy"):
        find_config(None)
