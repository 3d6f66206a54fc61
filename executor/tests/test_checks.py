"""What is checked before jobs are submitted, and what a mistake costs: the job that makes it."""

import stat
import subprocess
from pathlib import Path

import pytest

from plugin_helpers import command, refuse, start, succeed, wait_until, write_profile, write_site

slow = pytest.mark.slow
LATE = """\
rule all:
    input: "good", "bad", "after"

rule first:
    output: "first"
    shell: "touch {output}"

rule bad:
    input: "first"
    output: "bad"
    resources: partition=lambda wildcards, input: "a'b" if open(input[0]).read() == "" else "x"
    shell: "touch {output}"

rule good:
    output: "good"
    shell: "touch {output}"

rule after:
    input: "first"
    output: "after"
    shell: "touch {output}"
"""


def snakemake(folder: Path, text: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a workflow with a template that prints a partition, and starts jobs here."""
    (folder / "Snakefile").write_text(text)
    write_profile(folder)
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "here.sub").write_text("#SBATCH --partition='{PARTITION}'\n#SBATCH --mem={MEM}\n{CODE}\n")
    (site / "divvy.yaml").write_text(
        "compute_packages:\n  here: {submission_template: here.sub, submission_command: bash}\n"
    )
    package = ["--divvy-config", "site/divvy.yaml", "--divvy-compute-package", "here"]
    return command("snakemake", "--profile", "divvy", *package, *options, folder=folder, **env)


def one(body: str, targets: str = "range(1)") -> str:
    return (
        f"rule all:\n    input: expand('{{n}}.txt', n={targets})\n\n\nrule job:\n    output: '{{n}}.txt'\n{body}"
        "    shell: 'touch {output:q}'\n"
    )


def test_a_value_that_turns_out_bad_fails_its_job_alone(tmp_path: Path) -> None:
    said = refuse(snakemake(tmp_path, LATE), "Error in rule bad:", 'the resource partition is "a\'b"', "not submitted")
    assert (tmp_path / "good").exists()
    assert (tmp_path / "after").exists()
    assert "canceling" not in said


def test_a_bad_value_that_is_known_at_the_start_ends_the_run_before_anything_is_submitted(tmp_path: Path) -> None:
    body = "    resources: partition=lambda wildcards: f\"a'{wildcards.n}\" if int(wildcards.n) > 3 else 'x'\n"
    said = refuse(snakemake(tmp_path, one(body, "range(6)")), 'rule job: the resource partition is "a\'4"', '"a\'5"')
    assert "submitted job" not in said
    assert not list(tmp_path.glob("*.txt"))


@pytest.mark.parametrize(
    ("options", "essentials"),
    [
        (["--immediate-submit", "--notemp"], ["--immediate-submit cannot be used"]),
        (["--jobscript", "Snakefile"], ["--jobscript cannot be used", "template of the compute package"]),
        (["--jobname", "x.{jobid}"], ["--jobname cannot be used", "{JOBNAME}"]),
        (["--shared-fs-usage", "input-output", "sources"], ["--shared-fs-usage lacks persistence"]),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path: Path, options: list[str], essentials: list[str]) -> None:
    said = refuse(snakemake(tmp_path, one(""), *options), *essentials)
    assert "submitted job" not in said


def test_a_profile_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    """That it was given and the workflow's own one, which Snakemake finds by itself."""
    resources = "set-resources:\n  job: {mem_mb: 500}\n"
    (tmp_path / "profiles" / "default").mkdir(parents=True)
    (tmp_path / "profiles" / "default" / "config.yaml").write_text(resources + "jobs: 2\n" + resources)
    (tmp_path / "twice.yaml").write_text("executor: divvy\njobs: 1\njobs: 3\n")
    essentials = [
        "config.yaml: keys that stand twice, of which only the last would count: 'set-resources' (lines 1 and 4)",
        "twice.yaml: keys that stand twice, of which only the last would count: 'jobs' (lines 2 and 3)",
    ]
    assert "submitted job" not in refuse(snakemake(tmp_path, one(""), "--profile", "twice.yaml"), *essentials)


@pytest.mark.parametrize(
    ("command", "directive"), [("sbatch", "#SBATCH --array=1-3"), ("sbatch -a 1-3", ""), ("qsub -t 1-3", "")]
)
def test_a_template_that_makes_an_array_of_each_job_is_refused(tmp_path: Path, command: str, directive: str) -> None:
    snakemake(tmp_path, one(""), "--unlock")
    (tmp_path / "site" / "here.sub").write_text(f"{directive}\n{{CODE}}\n")
    config = f"compute_packages:\n  here: {{submission_template: here.sub, submission_command: {command}}}\n"
    (tmp_path / "site" / "divvy.yaml").write_text(config)
    scheduler = ["--divvy-scheduler", "grid_engine"] if "qsub" in command else []
    package = ["--divvy-config", "site/divvy.yaml", "--divvy-compute-package", "here", *scheduler]
    refuse(run_again(tmp_path, *package), directive or command, "makes an array of each job")


def run_again(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return command("snakemake", "--profile", "divvy", *options, folder=folder)


ODD_WILDCARDS = ["it's", "a,b", "\\'", 'say "x"']


@pytest.mark.parametrize("value", ODD_WILDCARDS)
def test_a_wildcard_that_would_not_arrive_as_it_is_is_refused(tmp_path: Path, value: str) -> None:
    """Snakemake itself hands them over in a way that cannot hold all characters."""
    done = snakemake(tmp_path, one("", repr([value])))
    if done.returncode:
        assert "the wildcard n=" in done.stdout
        assert "would not arrive at the job" in done.stdout
        assert "submitted job" not in done.stdout
    else:
        assert (tmp_path / f"{value}.txt").exists()
    assert not (tmp_path / "\\.txt").exists()


@pytest.mark.parametrize("value", ["a=b", "a:b", "$HOME", "a b", "`id`", "a;b", 'a "x" b'])
def test_other_odd_wildcards_arrive(tmp_path: Path, value: str) -> None:
    succeed(snakemake(tmp_path, one("", repr([value]))))
    assert (tmp_path / f"{value}.txt").exists()


def test_directives_that_nothing_fills_are_no_warning_but_names_that_nothing_uses_are_one(tmp_path: Path) -> None:
    said = succeed(snakemake(tmp_path, one("    resources: slurm_account='x', mem_mb=100\n", "range(2)")))
    assert "not set" not in said
    assert said.count("SLURM_ACCOUNT: set as a resource, but not used by the template") == 1
    assert said.count("rule job: mem_mb=100, but Snakemake itself takes 250 MB in a job") == 1


@pytest.mark.parametrize(
    ("resources", "essential"),
    [
        (
            "cores=2",
            "the resource cores would be ignored: the variable CORES is filled with the threads of the job",
        ),
        (
            "time='01:00:00', runtime=5",
            "the resource time would be ignored: the variable TIME is filled with runtime",
        ),
        ("JobName='x'", "the resource JobName would be ignored: the variable JOBNAME is filled with the name of"),
    ],
)
def test_a_resource_that_would_be_ignored_is_refused(tmp_path: Path, resources: str, essential: str) -> None:
    said = refuse(snakemake(tmp_path, one(f"    resources: {resources}\n")), essential)
    assert "submitted job" not in said


def test_snakemakes_own_resources_are_no_warning(tmp_path: Path) -> None:
    text = one("").replace("output: '{n}.txt'", "output: update('{n}.txt')")
    assert "not used by the template" not in succeed(snakemake(tmp_path, text))


@slow
def test_a_group_gets_the_threads_that_it_needs(tmp_path: Path) -> None:
    text = one("    group: 'g'\n    threads: 2\n", "range(3)")
    succeed(snakemake(tmp_path, text, "--group-components", "g=3", "--cores", "8", "--keep-incomplete"))
    text = one("    group: 'g'\n    threads: 2\n", "range(3)").replace("touch {output:q}", "exit 1")
    folder = tmp_path / "failing"
    folder.mkdir()
    refuse(snakemake(folder, text, "--cores", "8"))
    (script, *_) = (folder / ".snakemake" / "divvy").rglob("*.sh")
    assert "--cores 2 " in script.read_text()


def test_the_environment_adds_no_options_to_a_submission_unless_the_template_names_them(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(
        'envvars: "SECRET"\nrule job:\n    output: "a"\n    shell: "echo $SECRET > {output}"\n'
    )
    write_profile(tmp_path)
    # sbatch with SBATCH_EXPORT=NONE, as far as this test goes: the job has no variable of this process
    (tmp_path / "batch").write_text('#!/bin/bash\nenv >> seen\nenv -i PATH="$PATH" bash "$1" &> /dev/null &\necho $!\n')
    (tmp_path / "batch").chmod(0o755)
    words = write_site(tmp_path, "# SBATCH_QOS is what each user has\n{CODE}\n", "./batch")
    options = {
        "SBATCH_EXPORT": "NONE",
        "SBATCH_QOS": "q",
        "LSB_DEFAULTQUEUE": "l",
        "BSUB_QUIET": "y",
        "PBS_DPREFIX": "#P",
    }
    said = succeed(command("snakemake", "--profile", "divvy", *words, folder=tmp_path, SECRET="of all", **options))
    assert (tmp_path / "a").read_text() == "of all\n"
    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines() if "=" in line)
    assert options.keys() & seen.keys() == {"SBATCH_QOS"}
    dropped = ", ".join(sorted(options.keys() - {"SBATCH_QOS"}))
    assert f"divvy: {dropped}: the environment does not change what is submitted" in said


def test_what_may_hold_secrets_is_private(tmp_path: Path) -> None:
    text = 'envvars: "SECRET"\n\n' + one("").replace("touch {output:q}", "echo $SECRET; exit 1")
    refuse(snakemake(tmp_path, text, SECRET="hush"))
    holders = [path for path in (tmp_path / ".snakemake" / "divvy").rglob("*.sh") if "hush" in path.read_text()]
    assert len(holders) == 1
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(holders[0].parent.stat().st_mode) == 0o700
    logs = [path for path in (tmp_path / "logs").rglob("*.sub") if "hush" in path.read_text()]
    assert not logs


@slow
def test_two_runs_in_one_folder_do_not_make_the_same_output_at_once(tmp_path: Path) -> None:
    text = one("").replace(
        "touch {output:q}", "echo start >> starts; while [ ! -e go ]; do sleep 0.2; done; touch {output}"
    )
    succeed(snakemake(tmp_path, text, "--dry-run"))
    package = ["--divvy-config", "site/divvy.yaml", "--divvy-compute-package", "here"]
    first = start("snakemake", "--profile", "divvy", *package, folder=tmp_path)
    wait_until((tmp_path / "starts").exists)
    refuse(
        run_again(tmp_path, *package, "--nolock"), "another run, which still lives, has submitted a job for the same"
    )
    (tmp_path / "go").touch()
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert (tmp_path / "starts").read_text() == "start\n"
