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
COMMAND = "DIVVY_COVERAGE_COMMAND"  # environment variable: the command line of the run


wildcard_constraints:
    region_set=r"[A-Za-z0-9._-]+",
    sample=r"[A-Za-z0-9._-]+",


def use_library():
    """Let this process and all jobs import the library of this clone or, without a clone, the installed one.

    `python` in the rules is the one that runs Snakemake, also where its environment is not activated.
    """
    prepend("PATH", os.path.dirname(sys.executable))
    source = Path(use_library.__code__.co_filename).resolve().parents[2] / "src"
    if source.is_dir():
        sys.path.insert(0, str(source))
        prepend("PYTHONPATH", str(source))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that nothing uses


def prepend(variable, folder):
    """Put a folder before those of an environment variable."""
    others = [other for other in os.environ.get(variable, "").split(os.pathsep) if other not in ("", folder)]
    os.environ[variable] = os.pathsep.join([folder, *others])


use_library()
try:
    from divvy_coverage import results as names
    from divvy_coverage.installation import compute_digest
except ImportError as error:
    raise WorkflowError(
        "The library divvy_coverage is not installed for the Python that runs Snakemake; workflow/envs/divvy-coverage.yaml"
        f" lists what the rules need: {error}"
    ) from None


def package(*parts):
    """Return a digest of the parts of the library, and of the script, that the results of a rule depend on.

    As a parameter it makes rules run again when the code has changed, but not when it has moved or was touched.
    """
    return compute_digest(*parts)


def in_results(name):
    """Return the path of a result for a rule; if this is a module, Snakemake puts its prefix before it."""
    return f"results/{name}"


def results_folder(wildcards=None):
    """Return the folder of the results as it is, with the prefix of a module."""
    return RESULTS


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
    """Check all inputs, resolve the sample sheet and fix the region sets; files are rewritten only if they change."""
    command = [sys.executable, "-m", "divvy_coverage", "preflight", "--results", RESULTS]
    done = subprocess.run(command, input=json.dumps(config), stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise WorkflowError(done.stderr.strip())
    if done.stderr:
        logger.warning(done.stderr.strip())


@cache
def samples():
    """Return the alignment files of each sample, in sheet order."""
    with open(f"{RESULTS}/{names.SAMPLES}", newline="") as file:
        return {row["sample_name"]: row["bam"].split("\n") for row in csv.DictReader(file, delimiter="\t")}


def sample_bams(wildcards):
    """Return the alignment files of one sample."""
    return [local(path) for path in samples()[wildcards.sample]]


def gigabytes(paths):
    """Return the total size of files in GB; files that do not exist yet count as nothing."""
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path)) / 1e9


def counting_minutes(wildcards, input):
    """Return a generous time limit for counting one sample."""
    return 5 + ceil(10 * gigabytes(input.bam))


def jobs_in_a_submission(wildcards, input):
    """Return how many samples of this size share a submission: about 2 GB of alignments; large ones are submitted alone."""
    return max(1, min(20, int(2 / max(gigabytes(input.bam), 0.001))))


def for_each_sample(name):
    """Return an input function that gives one file per sample."""

    def files(wildcards):
        return [in_results(name.format(region_set=wildcards.region_set, sample=sample)) for sample in samples()]

    return files


def for_each_region_set(*files):
    """Return files of all region sets."""
    return expand([in_results(file) for file in files], region_set=config["regions"])


def coverage_folder(wildcards):
    """Return the folder with the coverage of all samples (a command line cannot hold thousands of paths)."""
    return os.path.dirname(f"{RESULTS}/{names.COUNTS}").format(region_set=wildcards.region_set)


def support(wildcards):
    """Return the table of support of a region set that is built from peaks."""
    given = config["regions"][wildcards.region_set]["bed"]
    return [] if given else in_results(names.SUPPORT.format(region_set=wildcards.region_set))


def support_option(wildcards, input):
    """Return the option for the table of support, if there is one."""
    return shlex.join(["--support", input.support]) if input.support else ""


def kind_options(wildcards):
    """Return what to collect; the counts themselves do not depend on the normalization."""
    normalization = ["--normalization", config["matrix"]["normalization"]] if wildcards.kind == "norm" else []
    return shlex.join(["--kind", wildcards.kind, *normalization])


def cells(input):
    """Return about how many cells a matrix has: a region takes 20 bytes or more in its file."""
    return len(samples()) * os.path.getsize(input.regions) / 20 if os.path.exists(input.regions) else 0


def minutes_for_all_samples(wildcards, input):
    """Return the time limit of what reads all samples."""
    return 10 + ceil(cells(input) / 2e7)


def matrices_in_a_submission(wildcards, input):
    """Return how many small matrix files share a submission."""
    return max(1, min(20, int(2e8 / max(cells(input), 1))))


def excluded_samples(wildcards):
    """Return the table of excluded samples, if any were."""
    return [in_results(names.EXCLUDED)] if os.path.exists(f"{RESULTS}/{names.EXCLUDED}") else []


def optional_inputs(wildcards):
    """Return the other files that the configuration names."""
    return [local(path) for path in (config["statistics"]["tss"], config["reference"]) if path]


def counting_options():
    """Return the counting settings as command-line options."""
    options = config["counting"] | config["statistics"] | {"reference": config["reference"]}
    words = []
    for key, value in options.items():
        if value != "":
            words += [f"--{key.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)


RESULTS = str(workflow.modifier.modify_path("results"))
check_config()
if workflow.is_main_process:
    os.environ[COMMAND] = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    # the linter (alone in not checking envvars) needs no inputs, and jobs read what this process wrote
    if getattr(workflow, "check_envvars", True):
        prepare_inputs()
