"""The workflow from Python: the same rules, files and messages as on the command line, and nothing of its own."""

import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from divvy_coverage import results
from divvy_coverage.errors import UserError
from divvy_coverage.installation import find_folder

if TYPE_CHECKING:
    import pandas as pd

STEPS = re.compile(r"(\d+) of (\d+) steps \(")  # how Snakemake tells how far it is
FAILURE = re.compile(r"^(?:\w*(?:Error|Exception)\b|Error in |error: )", re.MULTILINE)
RULES = ("measure_coverage", "summarize_coverage", "collect_coverage")
OF_THE_RUN = ("fix_samples", "fix_inputs", "fix_settings", "fix_regions", "fix_support")  # what it is made of
PROFILE = "divvy"
MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(?:([MGT])B?)?")
MEGABYTES = {None: 1, "M": 1, "G": 1000, "T": 1_000_000}
TIME = re.compile(r"(?:([0-9]+)-)?([0-9]+(?::[0-9]+){0,2})")


class Project:
    """A cohort of samples as a configuration file describes it, and the workflow that counts it.

    Parameters
    ----------
    config
        Configuration of the workflow (YAML; config/README.md explains every key).
    folder
        Where the workflow runs: relative paths in the configuration start here, and results go to `folder`/results. By
        default the folder of the configuration, or the one above it if that is called `config`.

    Raises
    ------
    UserError
        If the configuration file does not exist.

    Examples
    --------
    >>> project = Project("my_cohort/config/config.yaml")  # doctest: +SKIP
    >>> project.measure_coverage(distributed=True, partition="longq", mem=24000)  # doctest: +SKIP
    """

    def __init__(self, config: str | Path, folder: str | Path | None = None) -> None:
        self.config = Path(config).absolute()
        if not self.config.is_file():
            raise UserError(f"{config}: expected a configuration file (YAML), found none")
        home = self.config.parent
        self.folder = Path(folder or (home.parent if home.name == "config" else home)).absolute()

    def __repr__(self) -> str:
        return f"Project({str(self.config)!r}, {str(self.folder)!r})"

    def measure_coverage(
        self,
        *,
        distributed: bool = False,
        region_set: str | None = None,
        package: str | None = None,
        cores: int | None = None,
        mem: str | int | None = None,
        time: str | int | None = None,
        force: bool = False,
        progress: bool = True,
        **resources: str | int,
    ) -> "pd.DataFrame":
        """Count every sample in every region, and collect the counts; what is up to date is not counted again.

        Parameters
        ----------
        distributed
            False: run on this machine. True: one job per sample through a divvy compute package.
        region_set
            Name of the region set; needed if the configuration has several.
        package
            divvy compute package; by default that of the profile `divvy`.
        cores
            Number of cores: of this machine (by default one) or, if `distributed`, of each job that counts a sample
            (CORES).
        mem
            Memory of a job (MEM) in MB, or with its unit, as "24 GB".
        time
            Time limit of a job (TIME) in minutes, or as "HH:MM:SS" or "D-HH:MM:SS".
        force
            Whether to count all samples again.
        progress
            Whether to show a progress bar.
        **resources
            Other resources of the jobs, named like the variables of the compute package's template
            (`partition="longq"`, `qos="long"` …). If any is given, they take the place of all `set-resources` of the
            profile, and `cores` that of `set-threads`.

        Returns
        -------
        DataFrame
            Counts (integers) of regions × samples: regions as "chrom:start-end" in the order of the region set,
            samples in the order of the sheet.

        Raises
        ------
        UserError
            With the workflow's messages, if inputs are wrong or a job fails, and for a memory or a time that is none.
        """
        target = self._get_target(region_set)
        resources |= name_resources(mem, time, resources)
        # Snakemake evaluates unquoted values
        settings = [f"{rule}:{name}={value!r}" for rule in RULES for name, value in resources.items()]
        options = ["--set-resources", *settings] if settings else []
        options += ["--forcerun", RULES[0]] if force else []
        if distributed:
            options += ["--profile", self._find_profile()]
            options += ["--set-threads", f"{RULES[0]}={cores}"] if cores else []
            options += ["--divvy-compute-package", package] if package else []
        else:
            options += ["--cores", str(cores or 1)]
        self._run_workflow([*options, "--", target], progress)
        return self._read(target)

    def collect_coverage(self, region_set: str | None = None, *, progress: bool = True) -> "pd.DataFrame":
        """Collect the counts of all samples, which have to be there, into one matrix; see `measure_coverage`.

        Raises
        ------
        UserError
            If samples have not been counted, or their counts are damaged.
        """
        target = self._get_target(region_set)
        # do not count thousands of samples here unasked
        self._run_workflow(["--cores", "1", "--allowed-rules", *RULES[1:], *OF_THE_RUN, "--", target], progress)
        return self._read(target)

    def run(self, *options: str, progress: bool = True) -> None:
        """Run the whole workflow: matrices, tables and report. `options` are Snakemake's; by default one core is used.

        Raises
        ------
        UserError
            With the workflow's messages, if inputs are wrong or a job fails.
        """
        self._run_workflow(options or ("--cores", "1"), progress)

    def _get_target(self, region_set: str | None) -> str:
        from divvy_coverage.sheets.yaml_files import read_yaml

        names = list(map(str, (read_yaml(self.config) or {}).get("regions") or {}))
        if region_set is None and len(names) == 1:
            (region_set,) = names
        if region_set not in names:
            found = repr(region_set) if region_set else "none"
            raise UserError(f"region_set: expected one of {', '.join(names)} ({self.config}), found {found}")
        return "results/" + results.MATRIX.format(region_set=region_set, kind="raw", format="parquet")

    def _find_profile(self) -> str:
        """Return the profile that `snakemake --profile divvy` would use in the folder, or else ours."""
        home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
        for parent in (self.folder, home / "snakemake", Path("/etc/xdg/snakemake")):
            if (parent / PROFILE).is_dir():
                return str(parent / PROFILE)
        return str(find_folder("profiles") / PROFILE)

    def _read(self, target: str) -> "pd.DataFrame":
        from divvy_coverage.matrix.reading import read_matrix  # importing pandas is slow

        return read_matrix(self.folder / target)

    def _run_workflow(self, options: Sequence[str], progress: bool) -> None:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(find_folder("workflow") / "Snakefile")]
        command += ["--directory", str(self.folder), "--configfile", str(self.config), "--show-failed-logs"]
        process = subprocess.Popen(
            [*command, *options],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        try:
            printed = follow(process.stdout, progress)
        except BaseException:  # Ctrl-C in a notebook reaches this process alone
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        if process.wait():
            raise UserError(find_failure(printed))


def name_resources(mem: str | int | None, time: str | int | None, others: Iterable[str]) -> dict[str, str | int]:
    """Return what divvy calls MEM and TIME by the names that Snakemake's resources have.

    Raises
    ------
    UserError
        For values that are no memory and no time, and for those that `others` has under Snakemake's name, too.
    """
    named: dict[str, str | int] = {}
    if mem is not None:
        found = MEMORY.fullmatch(str(mem).strip())
        if not found:
            raise UserError(f'mem: expected MB (24000), or a number of MB, GB or TB ("24 GB"), found {mem!r}')
        named["mem_mb"] = ceil(float(found[1]) * MEGABYTES[found[2]])
    if time is not None:
        named["runtime"] = _count_minutes(time)
    if twice := [name for name in named if name in others]:
        ours = {"mem_mb": "mem", "runtime": "time"}[twice[0]]
        raise UserError(f"{ours}: is given as {twice[0]}, too; give one of the two")
    return named


def _count_minutes(time: str | int) -> int:
    """Return minutes, rounded up, of a time limit as Slurm writes it; of two numbers, the first are minutes."""
    found = TIME.fullmatch(str(time).strip())
    if not found:
        raise UserError(f'time: expected minutes (60), "HH:MM:SS" or "D-HH:MM:SS", found {time!r}')
    numbers = [int(number) for number in found[2].split(":")]
    if not found[1] and len(numbers) < 3:
        numbers.insert(0, 0)
    hours, minutes, seconds = [*numbers, 0, 0][:3]
    return max(1, ceil(1440 * int(found[1] or 0) + 60 * hours + minutes + seconds / 60))


def follow(lines: Iterable[str], progress: bool) -> str:
    """Return what Snakemake prints, and show how many of its steps are done, in a terminal and in a notebook."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets the bar of a notebook is one of text
        from tqdm.auto import tqdm
    printed: list[str] = []
    with tqdm(desc="coverage", unit="step", disable=not progress) as bar:
        for line in lines:
            printed.append(line)
            if found := STEPS.match(line):
                done, total = map(int, found.groups())
                bar.total = total
                bar.update(done - bar.n)
    return "".join(printed)


def find_failure(printed: str) -> str:
    """Return what Snakemake printed from the first error on, or all of it if no known error is found."""
    found = FAILURE.search(printed)
    return printed[found.start() if found else 0 :].strip() or "Snakemake failed without a message"
