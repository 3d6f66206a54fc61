"""Count the alignments of one sample in every region of one or more region sets, in one pass over its files.

Writes the counts of each region set, which has the name of its file (.npy, int32, region order), and all else that was
found: what was counted in which files, whole numbers and histograms (.json). If asked for, writes counts in bins.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.alignments.headers import are_paired
from divvy_coverage.command_line import run, warn
from divvy_coverage.counting.bins import write_bins
from divvy_coverage.counting.count import count_sample
from divvy_coverage.counting.options import add_counting_options, get_settings
from divvy_coverage.counting.origin import check_planned, check_unchanged, describe_files
from divvy_coverage.counting.passes import Wanted
from divvy_coverage.counting.presets import check_shift, resolve_counting
from divvy_coverage.counting.writing import make_evidence, write_sample
from divvy_coverage.errors import UserError
from divvy_coverage.files import check_outputs
from divvy_coverage.intervals.contigs import ABSENT_CONTIGS
from divvy_coverage.intervals.regions import join_regions, read_regions
from divvy_coverage.intervals.start_sites import NO_START_SITES, read_start_sites
from divvy_coverage.naming import name_region_sets
from divvy_coverage.progress import show_progress


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--bam", type=Path, nargs="+", required=True, help="alignments: BAM, CRAM, SAM, fragments, BEDPE or tagAlign")
    add("--regions", type=Path, nargs="+", required=True, help="region sets: BED-like, plain, gzip or bgzip")
    add_counting_options(parser)
    add("--blacklist", type=Path, help="regions (BED-like): what overlaps one is not counted")
    add("--peaks", type=Path, nargs="+", help="peaks of the sample (BED-like), for the fraction in them")
    add("--tss", type=Path, help="BED with strands: transcription start sites, for a profile of insertions around them")
    add("--reference", type=Path, help="reference genome (FASTA), for CRAM files that do not carry their own")
    add("--absent-contigs", choices=ABSENT_CONTIGS, default="error", help="regions on contigs that a header lacks")
    add("--fingerprints", nargs="+", metavar="SHA256", help="of all these files but --regions: others are refused")
    add("--threads", type=int, default=1, help="threads for a BAM file (%(default)s)")
    add("--out", type=Path, nargs="+", required=True, help="counts to write: .npy, or BED with a column of counts")
    add("--stats", type=Path, required=True, help="all else that was found, to write (.json)")
    add("--bins", type=Path, help="counts in bins of the genome to write (.arrow)")
    add("--bin-size", type=int, default=50, metavar="BP", help="width of these bins (%(default)s)")
    return parser


def name_outputs(args: argparse.Namespace) -> list[str]:
    """Return the names of the region sets. Raises UserError unless there are as many outputs."""
    if (given := len(args.out)) != len(args.regions):
        raise UserError(f"--out: expected one file for each of {len(args.regions)} region sets, found {given}")
    return name_region_sets(args.regions)


def read_wanted(args: argparse.Namespace) -> Wanted:
    """Return what to count."""
    counting = resolve_counting(args.assay, get_settings(args), are_paired(args.bam))
    check_shift(get_settings(args), counting, args.tss is not None)
    return Wanted(
        [read_regions(path, warn) for path in args.regions],
        counting,
        read_regions(args.blacklist) if args.blacklist else None,
        read_start_sites(args.tss) if args.tss else NO_START_SITES,
        join_regions([read_regions(path) for path in args.peaks]) if args.peaks else None,
        args.bin_size if args.bins else None,
        args.absent_contigs,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: count one sample."""
    args = _parser().parse_args(argv)
    names = name_outputs(args)
    check_outputs(*args.out, args.stats, *([args.bins] if args.bins else []))  # before hours of counting
    sources = (args.bam, args.peaks or [], args.tss, args.blacklist, args.reference)
    check_planned(files := describe_files(*sources), args.fingerprints)
    wanted = read_wanted(args)
    with show_progress(args.bam) as progress:
        counted = count_sample(args.bam, wanted, args.reference, args.threads, progress, warn)
    check_unchanged(files, describe_files(*sources))
    evidence = make_evidence(files, wanted, counted, names)
    if args.bins and counted.bins:
        write_bins(args.bins, counted.bins, {"counting": evidence.counting, "files": files})
    write_sample(evidence, counted, wanted, args.stats, args.out)


if __name__ == "__main__":
    sys.exit(run(main))
