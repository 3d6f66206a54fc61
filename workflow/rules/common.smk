"""Configuration, sample sheet and region sets: checked and resolved once, in the process that plans the run."""

import csv
import json
import os
import shlex
import subprocess
import sys
from difflib import get_close_matches
from functools import cache
from math import ceil
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SCHEMA = "../schemas/config.schema.yaml"  # relative to this file
SAMPLE_TABLE = "results/samples.tsv"
EXCLUDED_TABLE = "results/excluded_samples.tsv"
PROVENANCE = "results/provenance.json"  # never an input: it is new with each run


wildcard_constraints:
    region_set=r"[A-Za-z0-9._-]+",
    sample=r"[A-Za-z0-9._-]+",


def script(name):
    """Return the path of a script or module; rules name them as input, so that what was edited runs again."""
    clone = Path(script.__code__.co_filename).parents[2]
    path = clone / "scripts" / name
    return str(path.relative_to(Path.cwd()) if clone == Path.cwd() else path)


def modules(*names):
    """Return the paths of modules that a script imports."""
    return [script(f"{name}.py") for name in names]


def check_config():
    """Stop with every problem of the configuration, and fill in the defaults."""
    with open(workflow.source_path(SCHEMA)) as file:
        validator = Draft202012Validator(yaml.safe_load(file))
    problems = [describe(error) for error in validator.iter_errors(config)]
    if problems:
        raise WorkflowError("The configuration has problems (config/README.md explains every key):", *problems)
    validate(config, SCHEMA)


def describe(error):
    """Say in one line where the configuration breaks the schema, and what would be right."""
    place = ".".join(map(str, error.absolute_path)) or "the configuration"
    if error.validator != "additionalProperties":
        return f"{place}: {error.message}"
    valid = list(error.schema["properties"])
    unknown = [key for key in error.instance if key not in valid]
    nearest = get_close_matches(str(unknown[0]), valid, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{place}: unknown key {unknown[0]!r}; {hint}valid keys: {', '.join(valid)}"


def prepare_inputs():
    """Check all inputs, resolve the sample sheet and freeze the region sets; files are rewritten only if they change."""
    command = [sys.executable, script("preflight.py"), "--results", "results"]
    done = subprocess.run(command, input=json.dumps(config), stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise WorkflowError(done.stderr.strip())
    if done.stderr:
        logger.warning(done.stderr.strip())


def record_run():
    """Record versions, configuration, command line and date of this run."""
    command = [sys.executable, script("provenance.py"), "--results", "results", "--out", PROVENANCE]
    called = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
    subprocess.run([*command, "--", *called], input=json.dumps(config), text=True, check=True)


@cache
def samples():
    """Return the alignment files of each sample, in sheet order."""
    with open(SAMPLE_TABLE, newline="") as file:
        return {row["sample_name"]: row["bam"].split("\n") for row in csv.DictReader(file, delimiter="\t")}


def sample_bams(wildcards):
    """Return the alignment files of one sample."""
    return samples()[wildcards.sample]


def gigabytes(paths):
    """Return the size of files together, in GB; of those that are not there yet, nothing."""
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path)) / 1e9


def counting_minutes(wildcards, input):
    """Return how long a sample may take at most: far more than it does on any file system."""
    return 5 + ceil(10 * gigabytes(input.bam))


def jobs_in_a_submission(wildcards, input):
    """Return how many samples of this size share a submission: about 2 GB of alignments, large ones are alone."""
    return max(1, min(20, int(2 / max(gigabytes(input.bam), 0.001))))


def collected(suffix):
    """Return an input function that gives one file a sample."""

    def files(wildcards):
        return [f"results/coverage/{wildcards.region_set}/{sample}.{suffix}" for sample in samples()]

    return files


def coverage_folder(wildcards):
    """Return the folder with the coverage of all samples: for thousands of them no command line is long enough."""
    return f"results/coverage/{wildcards.region_set}"


def support(wildcards):
    """Return the table of support of a region set that is made of peaks."""
    given = config["regions"][wildcards.region_set]["bed"]
    return [] if given else f"results/regions/{wildcards.region_set}.support.parquet"


def support_option(wildcards, input):
    """Return the option of summarize.py for the table of support, if there is one."""
    return shlex.join(["--support", input.support]) if input.support else ""


def kind_options(wildcards):
    """Return what collect.py writes; the counts themselves do not depend on the normalisation."""
    normalization = ["--normalization", config["matrix"]["normalization"]] if wildcards.kind == "norm" else []
    return shlex.join(["--kind", wildcards.kind, *normalization])


def cells(input):
    """Return about how many cells a matrix has: a region has 20 bytes or more in its file."""
    return len(samples()) * os.path.getsize(input.regions) / 20 if os.path.exists(input.regions) else 0


def minutes_for_all_samples(wildcards, input):
    """Return how long what reads all samples may take at most."""
    return 10 + ceil(cells(input) / 2e7)


def matrices_in_a_submission(wildcards, input):
    """Return how many matrix files share a submission: small ones, all of them."""
    return max(1, min(20, int(2e8 / max(cells(input), 1))))


def excluded_samples(wildcards):
    """Return the table of the samples that were left out, if some were."""
    return [EXCLUDED_TABLE] if os.path.exists(EXCLUDED_TABLE) else []


def of_each_region_set(*names):
    """Return files of all region sets; {region_set} in a name is that of the region set."""
    return expand(list(names), region_set=config["regions"])


def optional_inputs(wildcards):
    """Return the files besides the alignments that the configuration names."""
    return [path for path in (config["statistics"]["tss"], config["reference"]) if path]


def counting_options():
    """Return what the configuration says of counting as options of coverage.py."""
    options = config["counting"] | config["statistics"] | {"reference": config["reference"]}
    words = []
    for key, value in options.items():
        if value != "":
            words += [f"--{key.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


# `python` in the rules is the one that runs Snakemake, also where its environment is not activated
os.environ.update(PATH=os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()]))
check_config()
# neither a job nor the linter (alone in not checking envvars) needs the inputs: jobs read what the controller wrote
if workflow.is_main_process and getattr(workflow, "check_envvars", True):
    prepare_inputs()
