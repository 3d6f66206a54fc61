"""Count the alignments of one sample in every region.

Writes the counts (.npy, int32, region order) and the statistics (.json), which name the region set, what was counted
and the alignment files.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that counting has no use for

import numpy as np
from numpy.typing import NDArray

from divvy_coverage import __version__
from divvy_coverage.command_line import run
from divvy_coverage.counting.count import count
from divvy_coverage.counting.definition import ABSENT_CONTIGS, FLAG_BITS, MODES, Counting, sha256
from divvy_coverage.errors import UserError
from divvy_coverage.files import replacing
from divvy_coverage.intervals.regions import Regions, read_bed
from divvy_coverage.intervals.start_sites import NO_START_SITES, enrichment, read_start_sites
from divvy_coverage.progress import shown


def to_int32(counts: NDArray[np.int64], source: Path) -> NDArray[np.int32]:
    """Return counts as int32; UserError beyond its range."""
    if counts.size and counts.max() > np.iinfo(np.int32).max:
        raise UserError(f"{source}: a region has {counts.max()} counts, more than the largest possible 2147483647")
    return counts.astype(np.int32)


def describe(
    bams: Sequence[Path], regions: Regions, counting: Counting, counts: NDArray[np.int32], statistics: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of the statistics file; `statistics` has the line of statistics and the histograms."""
    return {
        "version": __version__,
        "regions": {"number": len(regions), "sha256": regions.sha256()},
        "counting": counting.describe(),
        "files": [{"path": str(bam), "bytes": bam.stat().st_size} for bam in bams],
        "counts": {"sum": int(counts.sum(dtype=np.int64)), "sha256": sha256(counts)},
        **statistics,
    }


def write_counts(path: Path, regions: Regions, counts: NDArray[np.int32]) -> None:
    """Write counts as .npy or, under any other name, as BED with the count in the fourth column."""
    if path.name.endswith(".npy"):
        np.save(path, counts)
        return
    lines = zip(regions.bed().decode().splitlines(), counts.tolist(), strict=True)
    path.write_text("".join(f"{line}\t{number}\n" for line, number in lines))


def _parser() -> argparse.ArgumentParser:
    default = Counting()
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--bam", type=Path, nargs="+", required=True, help="alignments of the sample: BAM, CRAM or SAM")
    add("--regions", type=Path, required=True, help="regions: BED-like, plain, gzip or bgzip")
    add("--mode", choices=MODES, default=default.mode, help="what one count is (%(default)s)")
    add("--exclude-flags", type=_flags, default=default.exclude_flags, help="SAM flags to leave out (%(default)s)")
    add("--require-flags", type=_flags, default=default.require_flags, help="SAM flags to ask for (%(default)s)")
    add("--min-mapq", type=int, default=default.min_mapq, help="least mapping quality (%(default)s)")
    add(
        "--shift",
        type=int,
        nargs=2,
        default=default.shift,
        metavar=("FORWARD", "REVERSE"),
        help="shift of cut sites by strand, bp (%(default)s)",
    )
    add(
        "--absent-contigs",
        choices=ABSENT_CONTIGS,
        default=default.absent_contigs,
        help="what to do about regions on contigs that a header lacks (%(default)s)",
    )
    add("--mitochondrial", nargs="*", default=["chrM", "MT"], help="mitochondrial contigs (%(default)s)")
    add("--tss", type=Path, help="BED with strands: transcription start sites, for a profile of cut sites around them")
    add("--reference", type=Path, help="reference genome (FASTA), for CRAM files that do not carry their own")
    add("--threads", type=int, default=1, help="threads for a BAM file (%(default)s)")
    add("--out", type=Path, required=True, help="counts to write: .npy, or BED with a column of counts")
    add("--stats", type=Path, required=True, help="statistics to write (.json)")
    return parser


def _flags(text: str) -> int:
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
    regions = read_bed(args.regions)
    sites = read_start_sites(args.tss) if args.tss else NO_START_SITES
    if args.reference and not args.reference.is_file():
        raise UserError(f"{args.reference}: no such file; give a reference genome (FASTA)")
    with shown(args.bam) as progress:
        totals, tally = count(args.bam, regions, counting, sites, args.reference, max(1, args.threads), progress)
    counts = to_int32(totals, args.bam[0])
    statistics = tally.statistics(args.mitochondrial) | {"tss_enrichment": enrichment(tally.tss_profile)}
    told = {"statistics": statistics, "histograms": tally.histograms()}
    if args.tss:
        told["tss_profile"] = tally.tss_profile.tolist()
    description = describe(args.bam, regions, counting, counts, told)
    with replacing(args.out) as counts_file, replacing(args.stats) as stats_file:
        write_counts(counts_file, regions, counts)
        stats_file.write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(run(main))
