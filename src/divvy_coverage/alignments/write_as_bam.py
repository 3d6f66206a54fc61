"""Write a CRAM or SAM file as uncompressed BAM to the standard output, in a process that `read_as_bam` starts."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pysam

from divvy_coverage.alignments.htslib import check_whole, open_alignments
from divvy_coverage.command_line import run


def main(argv: Sequence[str] | None = None) -> None:
    """Write the file that is the first argument; the second, if there is one, is the reference genome."""
    path, *reference = map(Path, sys.argv[1:] if argv is None else argv)
    check_whole(path)
    with (
        open_alignments(path, reference[0] if reference else None) as file,
        pysam.AlignmentFile("-", "wbu", template=file) as out,
    ):
        for read in file.fetch(until_eof=True):
            out.write(read)


if __name__ == "__main__":
    sys.exit(run(main))
