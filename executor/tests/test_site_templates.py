"""The compute packages that come with the plugin: they render as they should."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from snakemake_executor_plugin_divvy.__main__ import SITES
from snakemake_executor_plugin_divvy.compute_packages import DIRECTIVE, PLACEHOLDER, ComputeError, load_package
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, choose_scheduler

CONFIG = SITES / "divvy_config.yaml"
PACKAGES = yaml.safe_load(CONFIG.read_text())["compute_packages"]
SCHEDULER_OF = {
    "default": "here",
    "local": "here",
    "slurm": "slurm",
    "apptainer_slurm": "slurm",
    "grid_engine": "grid_engine",
    "lsf": "lsf",
    "pbs": "pbs",
    "torque": "torque",
}
# what a job always has, and the resources that it may have
NEEDED = {
    "JOBNAME": "coverage.peaks.s1",
    "LOGFILE": "/project/.snakemake/divvy/run/s1.scheduler.log",
    "CORES": "2",
    "CODE": "bash '/project/it is/job.sh'",
}
IMAGE = {"APPTAINER_IMAGE": "/images/coverage.sif"}
OPTIONAL = {
    "default": {},
    "local": {},
    "slurm": {
        "PARTITION": "longq",
        "ACCOUNT": "lab",
        "QOS": "high",
        "GRES": "gpu:a100:1",
        "CONSTRAINT": "(avx2&ssd)|big",
    },
    "grid_engine": {"QUEUE": "longq", "PROJECT": "lab", "H_VMEM": "6G"},
    "lsf": {"QUEUE": "longq", "PROJECT": "lab", "GPU": "num=1:mode=shared"},
    "pbs": {"QUEUE": "longq", "PROJECT": "lab", "ACCOUNT": "grant-7"},
    "torque": {"QUEUE": "longq", "ACCOUNT": "grant-7"},
}
OPTIONAL["apptainer_slurm"] = OPTIONAL["slurm"]

# the scripts with every variable, by package; lines with `?` before them depend on an optional one
LOCAL = """\
#!/bin/bash

set -e  # a line that fails before the job's command fails the job
exec > '/project/.snakemake/divvy/run/s1.scheduler.log' 2>&1


(exit $?)  # also when the first part of `a && b` has failed

bash '/project/it is/job.sh'
"""
SLURM = """\
#!/bin/bash
#SBATCH --job-name='coverage.peaks.s1'
#SBATCH --output='/project/.snakemake/divvy/run/s1.scheduler.log'
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task='2'
?#SBATCH --mem='24000'
?#SBATCH --time='01:30:00'
?#SBATCH --partition='longq'
?#SBATCH --account='lab'
?#SBATCH --qos='high'
?#SBATCH --gres='gpu:a100:1'
?#SBATCH --constraint='(avx2&ssd)|big'

set -e  # a line that fails before the job's command fails the job
echo "node: $(hostname), start: $(date '+%F %T')"


(exit $?)  # also when the first part of `a && b` has failed

bash '/project/it is/job.sh'
"""
GRID_ENGINE = """\
#!/bin/bash
#$ -S /bin/bash
#$ -N coverage.peaks.s1
#$ -cwd
#$ -V
#$ -j y
#$ -o /project/.snakemake/divvy/run/s1.scheduler.log
#$ -r y
#$ -pe smp 2
?#$ -l mem_free=24000M
?#$ -l h_vmem=6G
?#$ -l h_rt=01:30:00
?#$ -q longq
?#$ -P lab

set -e  # a line that fails before the job's command fails the job
echo "node: $(hostname), start: $(date '+%F %T')"


(exit $?)  # also when the first part of `a && b` has failed

bash '/project/it is/job.sh'
"""
LSF = """\
#!/bin/bash
#BSUB -J "coverage.peaks.s1"
#BSUB -o "/project/.snakemake/divvy/run/s1.scheduler.log"
#BSUB -r
#BSUB -n 2
#BSUB -R "span[hosts=1]"
?#BSUB -R "rusage[mem=24000MB]"
?#BSUB -M 24000MB
?#BSUB -W 1:30
?#BSUB -q "longq"
?#BSUB -P "lab"
?#BSUB -gpu "num=1:mode=shared"

set -e  # a line that fails before the job's command fails the job
echo "node: $(hostname), start: $(date '+%F %T')"


(exit $?)  # also when the first part of `a && b` has failed

bash '/project/it is/job.sh'
"""
PBS = """\
#!/bin/bash
#PBS -S /bin/bash
#PBS -N coverage.peaks.s1
#PBS -V
#PBS -j oe
#PBS -o /project/.snakemake/divvy/run/s1.scheduler.log
#PBS -r y
#PBS -l select=1:ncpus=2:mem=24000mb
?#PBS -l walltime=01:30:00
?#PBS -q longq
?#PBS -P lab
?#PBS -A grant-7

set -e  # a line that fails before the job's command fails the job
echo "node: $(hostname), start: $(date '+%F %T')"
cd "$PBS_O_WORKDIR"


(exit $?)  # also when the first part of `a && b` has failed

bash '/project/it is/job.sh'
"""
TORQUE = """\
#!/bin/bash
#PBS -S /bin/bash
#PBS -N coverage.peaks.s1
#PBS -V
#PBS -j oe
#PBS -o /project/.snakemake/divvy/run/s1.scheduler.log
#PBS -r y
#PBS -l nodes=1:ppn=2
?#PBS -l mem=24000mb
?#PBS -l walltime=01:30:00
?#PBS -q longq
?#PBS -A grant-7

set -e  # a line that fails before the job's command fails the job
echo "node: $(hostname), start: $(date '+%F %T')"
cd "$PBS_O_WORKDIR"


(exit $?)  # also when the first part of `a && b` has failed

bash '/project/it is/job.sh'
"""
SCRIPTS = {
    "default": LOCAL,
    "local": LOCAL,
    "slurm": SLURM,
    "apptainer_slurm": SLURM.replace("\nbash", "\napptainer exec --bind \"$PWD\"  '/images/coverage.sif' bash"),
    "grid_engine": GRID_ENGINE,
    "lsf": LSF,
    "pbs": PBS,
    "torque": TORQUE,
}
each_package = pytest.mark.parametrize("name", sorted(SCRIPTS))


def needed(name: str) -> dict[str, str]:
    return NEEDED | (IMAGE if name == "apptainer_slurm" else {})


def sizes(name: str, mem_mb: int = 24000, runtime: int = 90) -> dict[str, str]:
    """Return memory and time as the package's scheduler writes them."""
    scheduler = SCHEDULERS[SCHEDULER_OF[name]]
    return {"MEM": scheduler.memory(mem_mb), "TIME": scheduler.time(runtime)}


def commands(folder: Path, **scripts: str) -> None:
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\n{script}\n")
        (folder / name).chmod(0o755)


def test_all_packages_and_templates_are_tested() -> None:
    assert set(PACKAGES) == set(SCRIPTS) == set(SCHEDULER_OF) == set(OPTIONAL)
    templates = {CONFIG.parent / package["submission_template"] for package in PACKAGES.values()}
    assert templates == set((CONFIG.parent / "templates").iterdir())


@each_package
def test_with_every_variable(name: str, tmp_path: Path) -> None:
    package = load_package(str(CONFIG), name)
    variables = needed(name) | sizes(name) | OPTIONAL[name]
    assert package.render(variables, tmp_path / "x") == re.sub(r"^\?", "", SCRIPTS[name], flags=re.MULTILINE)
    assert package.check(variables) == ([], [])


@each_package
def test_without_the_optional_variables(name: str, tmp_path: Path) -> None:
    package = load_package(str(CONFIG), name)
    script = re.sub(r"^\?.*\n", "", SCRIPTS[name], flags=re.MULTILINE).replace("24000", "2000")  # mem of the package
    assert package.render(needed(name), tmp_path / "x") == script
    directives = [line for line in package.text.splitlines() if DIRECTIVE.match(line)]
    optional = {variable for line in directives for variable in PLACEHOLDER.findall(line)} - set(NEEDED)
    assert package.check(needed(name)) == (sorted(optional - ({"MEM"} if name == "pbs" else set())), [])


@each_package
def test_each_optional_variable_for_itself(name: str, tmp_path: Path) -> None:
    package = load_package(str(CONFIG), name)
    without = package.render(needed(name), tmp_path / "x").splitlines()
    for variable, value in (sizes(name) | OPTIONAL[name]).items():
        script = package.render(needed(name) | {variable: value}, tmp_path / "x").splitlines()
        new = [line for line in script if line not in without]
        assert all(DIRECTIVE.match(line) and value in line for line in new)
        assert len(new) == (0 if SCHEDULER_OF[name] == "here" else 2 if (name, variable) == ("lsf", "MEM") else 1)


def test_an_image_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(ComputeError, match=r"needs APPTAINER_IMAGE.*:apptainer_image=VALUE"):
        load_package(str(CONFIG), "apptainer_slurm").check(NEEDED)


@each_package
def test_directives_come_first_and_are_of_one_scheduler(name: str) -> None:
    shebang, *lines = (CONFIG.parent / PACKAGES[name]["submission_template"]).read_text().splitlines()
    assert shebang == "#!/bin/bash"
    directives = [line for line in lines if line.startswith("#")]
    assert directives == lines[: len(directives)]
    prefix = {"here": None, "slurm": "#SBATCH", "grid_engine": "#$", "lsf": "#BSUB"}.get(SCHEDULER_OF[name], "#PBS")
    assert {line.split()[0] for line in directives} == ({prefix} if prefix else set())
    assert all(DIRECTIVE.match(line) for line in directives)


def run_script(name: str, folder: Path, pre_command: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the script of a package by bash, for which directives are comments; its job ends with `status`."""
    config = yaml.safe_load(CONFIG.read_text())
    config["compute_packages"][name]["pre_command"] = pre_command
    (folder / "templates").symlink_to(CONFIG.parent / "templates")
    (folder / "divvy_config.yaml").write_text(yaml.safe_dump(config))
    commands(
        folder,
        apptainer='printf "%s\\n" "${@:1:4}" > container; shift 4; exec "$@"',
        job=f'echo "$MODULE, $*" > ran; exit {status}',
    )
    variables = needed(name) | {"CODE": f"'{folder}/job' 'a b'", "LOGFILE": str(folder / "a log")}
    load_package(str(folder / "divvy_config.yaml"), name).render(variables, folder / "x")
    env = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PBS_O_WORKDIR": str(folder)}
    return subprocess.run(["bash", "x"], cwd=folder, env=env, capture_output=True, text=True, check=False)


@each_package
@pytest.mark.parametrize("status", [0, 3])
def test_the_exit_status_is_the_jobs(name: str, status: int, tmp_path: Path) -> None:
    done = run_script(name, tmp_path, "export MODULE='it is loaded'; true", status)
    assert done.returncode == status, done.stderr
    assert (tmp_path / "ran").read_text() == "it is loaded, a b\n"
    assert (tmp_path / "container").exists() == (name == "apptainer_slurm")
    if name == "apptainer_slurm":
        assert (tmp_path / "container").read_text() == f"exec\n--bind\n{tmp_path}\n/images/coverage.sif\n"
    assert (tmp_path / "a log").exists() == (SCHEDULER_OF[name] == "here")


@each_package
@pytest.mark.parametrize(
    ("pre_command", "status"),
    [
        ("module load tool/2.0", 127),
        ("module load tool/2.0; export MODULE='of the system'", 127),
        ("module load tool/2.0 && module load other", 127),
        ("module() { return 3; }\nmodule load tool/2.0\nexport MODULE='of the system'", 3),
        (". ./activate", 1),
    ],
)
def test_a_line_that_fails_before_the_command_fails_the_job(
    name: str, pre_command: str, status: int, tmp_path: Path
) -> None:
    done = run_script(name, tmp_path, pre_command)
    assert done.returncode == status
    assert not (tmp_path / "ran").exists()
    said = (tmp_path / "a log").read_text() if SCHEDULER_OF[name] == "here" else done.stderr
    assert status == 3 or "module: command not found" in said or "./activate: No such file" in said


@each_package
def test_the_submission_command_tells_the_scheduler(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"pbs": "echo 'pbs_version = 20.0.1'", "torque": "echo 'Version: 6.1.2' >&2"}
    if SCHEDULER_OF[name] in versions:
        commands(tmp_path, qstat=versions[SCHEDULER_OF[name]])
    elif SCHEDULER_OF[name] == "grid_engine":
        commands(tmp_path, qconf="exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choose_scheduler(None, PACKAGES[name]["submission_command"]).name == SCHEDULER_OF[name]


def test_the_comments_name_the_optional_resources() -> None:
    noted = re.findall(r"# Optional resources of a job: (.*(?:\n  # .*)*)\n  (\w+):", CONFIG.read_text())
    assert len(noted) == 5
    for text, name in noted:
        names = re.sub(r"\(.*?\)", "", text).rstrip(".").split(", ")
        assert sorted(n.strip().upper() for n in names) == sorted(OPTIONAL[name]), name
