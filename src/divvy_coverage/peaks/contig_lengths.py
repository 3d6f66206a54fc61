"""Files with the lengths of contigs: chrom.sizes, or the index of a FASTA file (.fai)."""

from pathlib import Path

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import read_content, read_lines


def read_contig_lengths(path: Path) -> dict[str, int]:
    """Read the lengths (bp) of contigs, by name, from the first two columns; UserError names a line that has none."""
    lengths: dict[str, int] = {}
    for number, line in enumerate(read_lines(read_content(path), path), start=1):
        fields = line.split()
        if len(fields) == 1 or (fields and not (fields[1].isascii() and fields[1].isdigit())):
            raise UserError(f"{path}: line {number}: expected a contig and its length in bp, found {line[:60]!r}")
        if fields:
            lengths[fields[0]] = int(fields[1])
    return lengths
