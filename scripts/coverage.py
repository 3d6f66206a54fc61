"""Count the alignments of one sample in every region.

Writes the counts (.npy, int32, region order) and the statistics (.json), which name the region set, what was counted
and the alignment files.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignments import ABSENT_CONTIGS, FLAG_BITS, MODES, Counting, count
from common import VERSION, UserError, replacing, run
from regions import Regions, read_bed


def sha256(counts: NDArray[np.int32]) -> str:
    """Return the SHA-256 of counts, by which `collect` recognises a damaged file."""
    return hashlib.sha256(np.ascontiguousarray(counts, "<i4").tobytes()).hexdigest()


def to_int32(counts: NDArray[np.int64], source: Path) -> NDArray[np.int32]:
    """Return counts as int32; UserError beyond its range."""
    if counts.size and counts.max() > np.iinfo(np.int32).max:
        raise UserError(f"{source}: a region has {counts.max()} counts, more than the largest possible 2147483647")
    return counts.astype(np.int32)


def describe(
    bams: Sequence[Path], regions: Regions, counting: Counting, counts: NDArray[np.int32], statistics: dict[str, Any]
) -> dict[str, Any]:
    """Return the content of the statistics file."""
    return {
        "version": VERSION,
        "regions": {"number": len(regions), "sha256": regions.sha256()},
        "counting": asdict(counting),
        "files": [{"path": str(bam), "bytes": bam.stat().st_size} for bam in bams],
        "counts": {"sum": int(counts.sum(dtype=np.int64)), "sha256": sha256(counts)},
        "statistics": statistics,
    }


def _parser() -> argparse.ArgumentParser:
    default = Counting()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bam", type=Path, nargs="+", required=True, help="alignments of the sample: BAM, CRAM or SAM")
    parser.add_argument("--regions", type=Path, required=True, help="regions: BED-like, plain, gzip or bgzip")
    parser.add_argument("--mode", choices=MODES, default=default.mode, help="what one count is (default: %(default)s)")
    parser.add_argument(
        "--exclude-flags",
        type=_flags,
        default=default.exclude_flags,
        help="SAM flags to leave out (default: %(default)s)",
    )
    parser.add_argument(
        "--require-flags",
        type=_flags,
        default=default.require_flags,
        help="SAM flags to ask for (default: %(default)s)",
    )
    parser.add_argument(
        "--min-mapq", type=int, default=default.min_mapq, help="least mapping quality (default: %(default)s)"
    )
    parser.add_argument(
        "--absent-contigs",
        choices=ABSENT_CONTIGS,
        default=default.absent_contigs,
        help="regions on contigs that the header lacks (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, help="counts to write (.npy)")
    parser.add_argument("--stats", type=Path, required=True, help="statistics to write (.json)")
    return parser


def _flags(text: str) -> int:
    """Parse SAM flags: decimal, or hexadecimal with 0x."""
    flags = int(text, 0)
    if not 0 <= flags <= FLAG_BITS:
        raise argparse.ArgumentTypeError(
            f"expected SAM flags between 0 and {FLAG_BITS} (0x{FLAG_BITS:X}), found {text}"
        )
    return flags


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: count one sample."""
    args = _parser().parse_args(argv)
    counting = Counting(args.mode, args.exclude_flags, args.require_flags, args.min_mapq, args.absent_contigs)
    regions = read_bed(args.regions)
    totals, tally = count(args.bam, regions, counting)
    counts = to_int32(totals, args.bam[0])
    description = describe(args.bam, regions, counting, counts, tally.statistics())
    with replacing(args.out) as counts_file, replacing(args.stats) as stats_file:
        np.save(counts_file, counts)
        stats_file.write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(run(main))
