"""The library and the configuration, which everything else needs."""

import os
import re
import sys
from difflib import get_close_matches
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from snakemake.exceptions import WorkflowError
from snakemake.io import regex_from_filepattern
from snakemake.utils import validate

SCHEMA = "../schemas/config.schema.yaml"  # relative to this file
PATHS = ("pep", "bed", "blacklist", "tss", "reference")  # settings that hold one


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
    from divvy_coverage import naming, results as names
    from divvy_coverage.command_line import write_options
    from divvy_coverage.errors import UserError
    from divvy_coverage.installation import compute_digest
    from divvy_coverage.samples import read_samples
    from divvy_coverage.sheets.paths import fill_path
    from divvy_coverage.sheets.yaml_files import read_yaml
except ImportError as error:
    raise WorkflowError(
        "The library divvy_coverage is not installed for the Python that runs Snakemake; workflow/envs/divvy-coverage.yaml"
        f" lists what the rules need: {error}"
    ) from None


def check_config():
    """Stop with every problem of the configuration, fill in the defaults, and make values what they mean."""
    if workflow.is_main_process:
        check_folder()
        check_files()
    with open(workflow.source_path(SCHEMA), encoding="utf-8") as file:
        validator = Draft202012Validator(yaml.safe_load(file))
    stop_for([describe(error) for error in validator.iter_errors(config)])
    validate(config, SCHEMA)
    config.update(take_whole_numbers(config))
    stop_for(fill_paths(config))


def check_folder():
    """Stop if Snakemake could not work in this folder, as it takes what is between braces in its path for wildcards."""
    try:
        re.compile(regex_from_filepattern(os.getcwd()))
    except re.error as error:
        raise WorkflowError(
            f"{os.getcwd()}: Snakemake takes {{…}} in this path for a wildcard ({error}); rename the folder"
        ) from None


def check_files():
    """Stop if a configuration file has a key twice: Snakemake takes one of the two."""
    try:
        for path in workflow.configfiles:
            if os.path.isfile(path):
                read_yaml(Path(path))
    except UserError as error:
        raise WorkflowError(str(error)) from None


def stop_for(problems):
    """Stop if there are problems."""
    if problems:
        raise WorkflowError("The configuration has problems (config/README.md explains every key):", *problems)


def describe(error):
    """Say in one line where the configuration breaks the schema, and what would be right."""
    place = ".".join(map(str, error.absolute_path)) or "the configuration"
    if "propertyNames" in error.schema_path:
        kind = type(error.instance).__name__
        quote = "" if kind == "str" else f"YAML makes a value of it ({kind}), so write it in quotes; "
        return f"{place}: not a valid name: {error.instance!r}; {quote}{naming.RULE}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if error.message.startswith(repr(name)))
        schema = error.schema["properties"][missing]
        choices = f"; choose one of {', '.join(schema['enum'])}" if "enum" in schema else ""
        return f"{place}: {missing!r} is missing: {schema['description']}{choices}"
    if error.validator != "additionalProperties":
        return f"{place}: {error.message}"
    valid = list(error.schema["properties"])
    unknown = [key for key in error.instance if key not in valid]
    nearest = get_close_matches(str(unknown[0]), valid, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{place}: unknown key {unknown[0]!r}; {hint}valid keys: {', '.join(valid)}"


def take_whole_numbers(value):
    """Return a value with the whole numbers in it as such: R writes 30 as 30.0, which the schema takes for a whole number."""
    if isinstance(value, dict):
        return {key: take_whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(take_whole_numbers, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def fill_paths(settings, place=""):
    """Fill ~ and $VARIABLES in the paths among settings; return what is wrong with them."""
    problems = []
    for name, value in settings.items():
        if isinstance(value, dict):
            problems += fill_paths(value, f"{place}{name}.")
        elif name in PATHS and value:
            try:
                settings[name] = fill_path(value)
            except UserError as error:
                problems.append(f"{place}{name}: {error}")
    return problems
