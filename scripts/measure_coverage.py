"""Count the alignments of one sample in every region.

Writes the counts (.npy, int32, region order) and their description (.json): the region set, what was counted, the
alignment files, and the statistics.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import run, warn
from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import FLAG_BITS, MODES, Counting
from divvy_coverage.counting.sample_files import describe, to_int32, write_sample
from divvy_coverage.counting.statistics import MITOCHONDRIAL_CONTIGS
from divvy_coverage.intervals.contigs import ABSENT_CONTIGS
from divvy_coverage.intervals.regions import describe_duplicates, read_regions
from divvy_coverage.intervals.start_sites import NO_START_SITES
from divvy_coverage.progress import show_progress


def _parser() -> argparse.ArgumentParser:
    default = Counting()
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--bam", type=Path, nargs="+", required=True, help="alignments of the sample: BAM, CRAM or SAM")
    add("--regions", type=Path, required=True, help="regions: BED-like, plain, gzip or bgzip")
    add("--mode", choices=MODES, default=default.mode, help="what one count is (%(default)s)")
    exclude_help, require_help = "SAM flags to exclude (%(default)s)", "SAM flags to require (%(default)s)"
    add("--exclude-flags", type=_parse_flags, metavar="FLAGS", default=default.exclude_flags, help=exclude_help)
    add("--require-flags", type=_parse_flags, metavar="FLAGS", default=default.require_flags, help=require_help)
    add("--min-mapq", type=int, default=default.min_mapq, help="minimum mapping quality (%(default)s)")
    shift_help = "shift of insertions by strand, bp (%(default)s)"
    add("--shift", type=int, nargs=2, default=default.shift, metavar=("FORWARD", "REVERSE"), help=shift_help)
    absent_help = "what to do about regions on contigs that a header lacks (%(default)s)"
    add("--absent-contigs", choices=ABSENT_CONTIGS, default=default.absent_contigs, help=absent_help)
    mitochondrial_help = "mitochondrial contigs (%(default)s)"
    add("--mitochondrial-contigs", nargs="*", default=[*MITOCHONDRIAL_CONTIGS], help=mitochondrial_help)
    add("--tss", type=Path, help="BED with strands: transcription start sites, for a profile of insertions around them")
    add("--reference", type=Path, help="reference genome (FASTA), for CRAM files that do not carry their own")
    add("--threads", type=int, default=1, help="threads for a BAM file (%(default)s)")
    add("--out", type=Path, required=True, help="counts to write: .npy, or BED with a column of counts")
    add("--stats", type=Path, required=True, help="statistics to write (.json)")
    return parser


def _parse_flags(text: str) -> int:
    """Parse SAM flags: decimal, or hexadecimal with 0x."""
    flags = int(text, 0)
    if not 0 <= flags <= FLAG_BITS:
        raise argparse.ArgumentTypeError(f"expected SAM flags, 0 to {FLAG_BITS} (0x{FLAG_BITS:X}), found {text}")
    return flags


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: count one sample."""
    args = _parser().parse_args(argv)
    filters = (args.exclude_flags, args.require_flags, args.min_mapq)
    counting = Counting(args.mode, *filters, tuple(args.shift), args.absent_contigs)
    regions = read_regions(args.regions)
    if warning := describe_duplicates(regions, args.regions):
        warn(warning)
    sites = args.tss or NO_START_SITES
    with show_progress(args.bam) as progress:
        totals, tally = count_alignments(
            args.bam, regions, counting, sites, args.reference, args.threads, progress, warn
        )
    counts = to_int32(totals, args.bam[0])
    statistics = tally.describe(args.mitochondrial_contigs, with_profile=args.tss is not None)
    description = describe(args.bam, regions, counting, counts, statistics)
    write_sample(args.out, args.stats, counts, description, regions)


if __name__ == "__main__":
    sys.exit(run(main))
