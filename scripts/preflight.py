"""Preflight: find everything that is wrong with the inputs before a job starts, and write what all jobs share.

Resolves the sample sheet, looks at every alignment and peak file, makes the region sets, and checks that all of it fits
together. One error names all problems, in groups. The sample table and the region sets are rewritten only if they
changed.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from divvy_coverage.alignments.headers import Cache, Header
from divvy_coverage.command_line import run, warn
from divvy_coverage.errors import UserError
from divvy_coverage.files import write_if_changed
from divvy_coverage.preflight.genomes import compare, fits
from divvy_coverage.preflight.region_sets import frozen
from divvy_coverage.preflight.sheet import Problem, Sample, by_kind, read_pep, write_table

SAMPLE_TABLE, EXCLUDED_TABLE, WARNINGS, CACHE = "samples.tsv", "excluded_samples.tsv", "warnings.txt", ".preflight"

Headers = dict[str, list[Header]]  # of the alignment files of each sample


def preflight(config: Mapping[str, Any], results: Path) -> None:
    """Check all inputs that `config` (with every default filled in) names, and write what jobs share to `results`.

    Raises UserError with every problem. If `config["permissive"]`, samples with problems are left out instead and
    listed in a table, as long as one is left.
    """
    names = config["samples"]
    samples, problems = read_pep(
        Path(config["pep"]), config["amendments"], names["bam"], names["peaks"], names["toggle"]
    )
    headers, found = look_at_alignments(samples, results / CACHE)
    problems += [*found, *compare(headers)]
    kept = without(samples, problems)
    while True:
        try:
            found = _check_region_sets(config, kept, headers, results)
        except UserError as error:
            if config["permissive"] or not problems:
                raise
            found = [Problem("regions", "all samples", str(error))]
        problems += found
        kept = without(kept, found)
        if not found or not config["permissive"]:
            break  # otherwise the consensus of those that are left may be another
    _decide(problems, kept, config["permissive"], results / EXCLUDED_TABLE)
    write_table(kept, results / SAMPLE_TABLE)


def look_at_alignments(samples: Sequence[Sample], cache: Path) -> tuple[Headers, list[Problem]]:
    """Return the headers of the alignment files of each sound sample, and the problems of the others."""
    sound, broken = Cache(cache).examine(Path(path) for sample in samples for path in sample["bam"])
    headers, problems = {}, []
    for sample in samples:
        name, paths = sample["sample_name"][0], [Path(path) for path in sample["bam"]]
        found = [Problem("alignment files", name, broken[path]) for path in paths if path in broken]
        problems += found
        if not found:
            headers[name] = [sound[path] for path in paths]
    return headers, problems


def without(samples: Iterable[Sample], problems: Iterable[Problem]) -> list[Sample]:
    """Return the samples that have no problem."""
    bad = {problem.sample for problem in problems}
    return [sample for sample in samples if sample["sample_name"][0] not in bad]


def _check_region_sets(
    config: Mapping[str, Any], samples: Sequence[Sample], headers: Headers, results: Path
) -> list[Problem]:
    """Make the region sets of these samples; return the problems of their peaks, and of alignments that do not fit."""
    here = {sample["sample_name"][0]: headers[sample["sample_name"][0]] for sample in samples}
    lengths = {contig: length for files in here.values() for file in files for contig, length in file.contigs.items()}
    problems: list[Problem] = []
    for name, settings in config["regions"].items() if samples else ():
        regions, found = frozen(name, settings, samples, lengths, results / "regions")
        problems += found
        if regions is not None:
            problems += fits(regions, here, config["counting"]["absent_contigs"])
    return problems


def _decide(problems: Sequence[Problem], kept: Sequence[Sample], permissive: bool, table: Path) -> None:
    """Stop if there are problems or, if `permissive`, go on without the samples that have them."""
    if not problems:
        table.unlink(missing_ok=True)
        return
    left_out = len({problem.sample for problem in problems})
    if not permissive:
        raise UserError(
            f"{len(problems)} problems with {left_out} samples, so nothing was started; `permissive: true` leaves such "
            f"samples out:{by_kind(problems)}"
        )
    if not kept:
        raise UserError(f"every sample has a problem, so none is left:{by_kind(problems)}")
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["sample", "kind", "reason"])
    writer.writerows((problem.sample, problem.kind, " ".join(problem.text.split())) for problem in problems)
    write_if_changed(table, text.getvalue().encode())
    warn(f"{left_out} samples are left out, {len(kept)} are left; {table} lists why:{by_kind(problems)}")


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: check the inputs of a configuration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--config", default="-", help="the configuration with all its keys, as JSON; - for the standard input (default)"
    )
    parser.add_argument("--results", type=Path, required=True, help="folder to write to")
    args = parser.parse_args(argv)
    text = sys.stdin.read() if args.config == "-" else Path(args.config).read_text()
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            preflight(json.loads(text), args.results)
    finally:
        print(said.getvalue(), end="", file=sys.stderr)
    write_if_changed(args.results / WARNINGS, said.getvalue().encode())


if __name__ == "__main__":
    sys.exit(run(main))
