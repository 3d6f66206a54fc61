"""The plan of a run, and what the rules have in common."""

import atexit
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from math import ceil, log2

from snakemake.exceptions import WorkflowError

COMMAND = "DIVVY_COVERAGE_COMMAND"  # environment variable: the command line of the run
# what Snakemake is also called for: what needs no plan, and what shows results, of which the inputs may be gone
UNPLANNED = {"--unlock", "--list-rules", "--list", "-l", "--list-target-rules", "--lt"}
SHOWING = {"--report", "--summary", "-S", "--detailed-summary", "-D", "--dag", "--rulegraph", "--filegraph", "--d3dag"}


wildcard_constraints:
    step="[a-z]+",
    region_set=r"[A-Za-z0-9._-]+",
    sample=r"[A-Za-z0-9._-]+",


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


def is_planning():
    """Tell whether this process plans a run or shows one, and does not only read the rules, remove locks or run a job."""
    # the linter is alone in not checking envvars; of what Snakemake is called for, nothing else is known yet
    return workflow.is_main_process and getattr(workflow, "check_envvars", True) and not is_called_for(UNPLANNED)


def is_called_for(options):
    """Tell whether any of some options is on the command line."""
    return any(word.partition("=")[0] in options for word in sys.argv[1:])


def prepare_plan():
    """Check all inputs, and write what the run is to be made of to a temporary folder; return the folder.

    Results can be shown also if their inputs are gone: then they are what is planned.
    """
    plan = tempfile.mkdtemp(prefix="divvy_coverage.")
    atexit.register(shutil.rmtree, plan, ignore_errors=True)
    cache = f".snakemake/divvy_coverage/{RESULTS}"
    folders = ["--plan", plan, "--results", RESULTS, "--cache", cache]
    command = [sys.executable, "-m", "divvy_coverage", "preflight", *folders]
    done = subprocess.run(command, input=json.dumps(config), stderr=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        if not is_called_for(SHOWING) or not os.path.exists(f"{RESULTS}/{names.SAMPLES}"):
            raise WorkflowError(done.stderr.strip())
        logger.warning(f"{done.stderr.strip()}\nThe results are shown as they are.")
        return RESULTS
    if done.stderr:
        logger.warning(done.stderr.strip())
    return plan


def plan(wildcards):
    """Have those results made anew that are not what is wanted now; as an input function, it adds no input.

    Times of files do not tell: another file may have come with an older one.
    """
    if differing_files():
        workflow.dag.forcefiles.update(differing_files())
    return []


def plan_folder(wildcards):
    """Return the folder of the plan: a resource like the folder for temporary files, as it is another one in each run."""
    return PLAN


def only_before(name):
    """Return an input function for a result that a sample's counts follow, but are not made anew for.

    Snakemake does not look for other reasons to run a job after one that runs: if there are some, the result is one.
    """

    def files(wildcards):
        paths = dict.fromkeys(in_results(name.format(region_set=region_set)) for region_set in config["regions"])
        return list(map(ancient, paths)) if has_counts(wildcards.sample) else list(paths)

    return files


@cache
def has_counts(sample):
    """Tell whether all counts of a sample are there, and are what is wanted now."""
    counts = [names.COUNTS.format(region_set=region_set, sample=sample) for region_set in config["regions"]]
    made = [f"{RESULTS}/{file}" for file in (*counts, names.EVIDENCE.format(sample=sample))]
    return all(map(os.path.exists, made)) and differing_files().isdisjoint(made)


@cache
def differing_files():
    """Return the results that are not what is wanted now; jobs have nothing to do with it."""
    if PLAN == RESULTS:
        return set()
    with open(f"{PLAN}/{names.DIFFERING}", encoding="utf-8") as file:
        return {f"{RESULTS}/{name}" for name in json.load(file)}


@cache
def samples():
    """Return the samples by name, in sheet order."""
    return {sample.name: sample for sample in read_samples(Path(PLAN, names.SAMPLES))}


def sample_files(attribute):
    """Return an input function that gives the files of one sample in an attribute; their times do not matter."""

    def files(wildcards):
        return [ancient(local(path)) for path in getattr(samples()[wildcards.sample], attribute) or ()]

    return files


def peaks_option(wildcards, input):
    """Return the option for the sample's own peaks, if it has some."""
    return shlex.join(["--peaks", *input.peaks]) if input.peaks else ""


def gigabytes(paths):
    """Return the total size of files in GB; files that do not exist yet count as nothing."""
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path)) / 1e9


def counting_minutes(wildcards, input):
    """Return a generous time limit for counting one sample."""
    return 5 + ceil(10 * gigabytes(input.bam))


def jobs_in_a_submission(wildcards, input):
    """Return how many samples of this size share a submission: about 2 GB of alignments; large ones are submitted alone."""
    return pack_by_size(2, gigabytes(input.bam))


def pack_by_size(room, size):
    """Return how many jobs of a size share some room, as a power of two: only jobs with the same number do."""
    return 2 ** int(log2(max(1, min(16, room / max(size, 1e-9)))))


def for_each_sample(name):
    """Return an input function that gives one file per sample."""

    def files(wildcards):
        return [in_results(name.format(region_set=wildcards.region_set, sample=sample)) for sample in samples()]

    return files


def for_each_region_set(*files):
    """Return files of all region sets; other wildcards stay."""
    return expand([in_results(file) for file in files], region_set=config["regions"], allow_missing=True)


def coverage_folder(wildcards):
    """Return the folder with the coverage of all samples (a command line cannot hold thousands of paths)."""
    return f"{RESULTS}/{names.COVERAGE}"


def mitochondrial_option():
    """Return the option for the names of mitochondrial contigs, if they are set."""
    return write_options({"mitochondrial_contigs": config["statistics"]["mitochondrial_contigs"]})


def support(wildcards):
    """Return the table of support of a region set that is built from peaks."""
    given = config["regions"][wildcards.region_set]["bed"]
    return [] if given else in_results(names.SUPPORT.format(region_set=wildcards.region_set))


def support_option(wildcards, input):
    """Return the option for the table of support, if there is one."""
    return shlex.join(["--support", input.support]) if input.support else ""


def settings_of_kind(wildcards):
    """Return the settings of normalized values; the counts themselves have none."""
    return in_results(names.SETTINGS.format(step="normalize")) if wildcards.kind == "norm" else []


def kind_options(wildcards):
    """Return what to collect; the counts themselves do not depend on the normalization."""
    normalization = ["--normalization", config["matrix"]["normalization"]] if wildcards.kind == "norm" else []
    return shlex.join(["--kind", wildcards.kind, *normalization])


def cells(wildcards):
    """Return about how many cells a matrix has: a region takes 12 bytes in its file."""
    return len(samples()) * os.path.getsize(f"{PLAN}/{names.REGIONS}".format(region_set=wildcards.region_set)) / 12


def minutes_for_all_samples(wildcards):
    """Return the time limit of what reads all samples."""
    return 10 + ceil(cells(wildcards) / 2e7)


def matrices_in_a_submission(wildcards):
    """Return how many small matrix files share a submission."""
    return pack_by_size(2e8, cells(wildcards))


def optional_inputs(wildcards):
    """Return the other files that the configuration names; their times do not matter."""
    paths = (config["statistics"]["tss"], config["blacklist"], config["reference"])
    return [ancient(local(path)) for path in paths if path]


@cache
def inputs():
    """Return what the samples are counted from; nothing before the inputs are checked, as for the linter."""
    path = f"{PLAN}/{names.INPUTS}"
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def fingerprints(wildcards):
    """Return the fingerprints of the files that a sample is counted from, which a job compares with what it finds."""
    return " ".join(dict.fromkeys(fingerprint for _, fingerprint in inputs()["files"][wildcards.sample]))


def counting_options():
    """Return what is counted as command-line options."""
    if not inputs():
        return ""
    counting = {name: value for name, value in inputs()["counting"].items() if name != "blacklist"}  # its digest
    settings = {"tss": config["statistics"]["tss"], "blacklist": config["blacklist"], "reference": config["reference"]}
    return write_options(counting | {key: value for key, value in settings.items() if value != ""})


RESULTS = str(workflow.modifier.modify_path("results"))
check_config()
if workflow.is_main_process:
    os.environ[COMMAND] = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
PLAN = prepare_plan() if is_planning() else RESULTS  # jobs read what was put into the results
