"""Build the consensus regions of the samples of a table, and the table of which samples support which region.

Intervals of all samples that overlap or touch become one region.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import run, warn
from divvy_coverage.errors import UserError
from divvy_coverage.files import check_outputs, write_if_changed
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.peaks.consensus import build_consensus
from divvy_coverage.peaks.contig_lengths import read_contig_lengths
from divvy_coverage.peaks.peak_files import SOURCES
from divvy_coverage.peaks.sample_peaks import read_sample_peaks
from divvy_coverage.peaks.support import write_support
from divvy_coverage.preflight.region_sets import check_duplicates
from divvy_coverage.problems import list_by_kind, select_errors
from divvy_coverage.samples import read_samples


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--samples", type=Path, required=True, help="table with the columns sample_name and peaks")
    add("--source", choices=SOURCES, default="summits", help="windows around summits, or whole peaks (%(default)s)")
    add("--extension", type=int, default=250, help="bp to both sides of a summit (%(default)s)")
    add("--min-samples", type=int, default=1, help="minimum number of samples with a peak in a region (%(default)s)")
    add(
        "--group-attribute",
        default="",
        help="attribute with groups of samples; --min-samples then holds within a group",
    )
    add("--blacklist", type=Path, help="BED: regions that overlap these are removed")
    add("--contigs", default=".*", help="regular expression of the contigs to keep (%(default)s)")
    add("--lengths", type=Path, help="contig lengths, where regions end: chrom.sizes or FASTA index (.fai)")
    add("--out", type=Path, required=True, help="regions to write (BED), rewritten only if they changed")
    add("--support", type=Path, required=True, help="table of support to write (.parquet)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: build the consensus regions of the samples of a table."""
    args = _parser().parse_args(argv)
    check_outputs(args.out, args.support)
    blacklist = read_regions(args.blacklist) if args.blacklist else None
    lengths = read_contig_lengths(args.lengths) if args.lengths else None
    samples = read_samples(args.samples)
    peaks, groups, problems = read_sample_peaks(samples, args.source, args.extension, args.group_attribute)
    if errors := select_errors(problems):
        raise UserError(
            f"{args.samples}: {len(errors)} of {len(samples)} samples cannot be used:{list_by_kind(errors)}"
        )
    if not peaks:
        raise UserError(f"{args.samples}: no sample has peaks; give the paths of peak files in the column peaks")
    problems += check_duplicates(blacklist, args.blacklist) if blacklist else []
    consensus = build_consensus(peaks, args.min_samples, groups, blacklist, args.contigs, lengths)
    write_support(consensus, args.support)
    write_if_changed(args.out, consensus.regions.bed())
    for problem in [*problems, *consensus.problems]:
        warn(str(problem))


if __name__ == "__main__":
    sys.exit(run(main))
