"""Region sets: read a BED file, check it, and freeze it for a run.

A region is a half-open interval [start, end) in 0-based coordinates on a contig. The frozen file is plain BED3 in the
order of the input; its SHA-256 identifies the region set in every file that is computed from it.
"""

import argparse
import gzip
import hashlib
import re
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.command_line import run, warn
from divvy_coverage.errors import UserError, listing
from divvy_coverage.files import write_if_changed

LARGEST_COORDINATE = 2**31 - 1  # BAM's coordinates are int32
ROW_NAMES = "region"  # the column of tables and matrices with the names of regions
SUPPORT = "support"  # of a region: the share of samples with a peak there
GZIP_MAGIC = b"\x1f\x8b"
CONTIG = re.compile(r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")  # SAM specification, 1.2.1
PLAIN = re.compile(rb"(?:[!-~]+\t(?:0|[1-9][0-9]{0,9})\t[1-9][0-9]{0,9}\n)+")  # BED3 as `Regions.bed` writes it
UTF8_BOM = b"\xef\xbb\xbf"
NOT_REGIONS = ("#", "track ", "track\t", "browser ", "browser\t")


@dataclass(frozen=True)
class Regions:
    """Regions in input order: `contigs` (list of names), `starts` and `ends` (int64, 0-based half-open), n each."""

    contigs: list[str]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    duplicates: int = 0  # exact duplicates of other regions that were dropped

    def __len__(self) -> int:
        return len(self.contigs)

    def names(self) -> list[str]:
        """Return "contig:start-end" for each region, the row names of the matrix."""
        return [f"{c}:{s}-{e}" for c, s, e in zip(self.contigs, self.starts.tolist(), self.ends.tolist(), strict=True)]

    def bed(self) -> bytes:
        """Return the regions as BED3, the canonical form of a region set."""
        rows = zip(self.contigs, self.starts.tolist(), self.ends.tolist(), strict=True)
        return "".join(f"{c}\t{s}\t{e}\n" for c, s, e in rows).encode()

    def sha256(self) -> str:
        """Return the SHA-256 of the canonical form."""
        return hashlib.sha256(self.bed()).hexdigest()


def read_bed(path: Path) -> Regions:
    """Read regions from a BED-like file (BED3-12, narrowPeak, broadPeak; plain, gzip or bgzip, told by content).

    A byte order mark, CRLF, blank lines, comments and `track`/`browser` lines are accepted; exact duplicates are
    dropped and counted. Raises UserError with file and line numbers for anything that is not a region.
    """
    content = content_of(path)
    regions = _read_plain(content) or _read_any(content, path)
    if not len(regions):
        raise UserError(f"{path}: expected at least one region, found none; give a BED file with regions")
    return regions


def _read_plain(content: bytes) -> Regions | None:
    """Read regions that are as a frozen region set has them, all lines at once; None if there is anything else."""
    lines = content.splitlines()
    if not PLAIN.fullmatch(content) or len(set(lines)) < len(lines):
        return None
    fields = content.decode().split()
    contigs, starts, ends = fields[::3], np.array(fields[1::3], np.int64), np.array(fields[2::3], np.int64)
    sound = (starts < ends).all() and (ends <= LARGEST_COORDINATE).all() and all(map(CONTIG.fullmatch, set(contigs)))
    return Regions(contigs, starts, ends) if sound else None


def _read_any(content: bytes, path: Path) -> Regions:
    """Read regions line by line."""
    seen: dict[tuple[str, int, int], None] = {}
    problems: list[str] = []
    total = 0
    for number, line in enumerate(lines_of(content, path), start=1):
        if not line or line.isspace() or line.startswith(NOT_REGIONS):
            continue
        total += 1
        try:
            seen[parse_region(line)] = None
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise UserError(
            f"{path}: expected contig, start and end in the first three columns of every line, found{listing(problems)}"
            "\nmend or remove these lines"
        )
    contigs, starts, ends = ([row[column] for row in seen] for column in range(3))
    names = [str(contig) for contig in contigs]
    return Regions(names, np.array(starts, np.int64), np.array(ends, np.int64), total - len(seen))


def check_contigs(regions: Regions, lengths: Mapping[str, int], source: Path, absent_contigs: str) -> None:
    """Check that `regions` fit the genome of an alignment file.

    Parameters
    ----------
    regions : the region set
    lengths : contig lengths (bp) of the header of `source`
    absent_contigs : "error", or "zero" to allow regions on contigs that the header lacks

    Raises UserError for absent contigs and for regions that start beyond the end of their contig (another genome
    build); warns of regions that only end beyond it.
    """
    problem, warning = misfit(regions, lengths, absent_contigs)
    if problem:
        raise UserError(f"{source}: {problem}")
    if warning:
        warn(f"{source}: {warning}")


def misfit(regions: Regions, lengths: Mapping[str, int], absent_contigs: str) -> tuple[str, str]:
    """Say why regions do not fit contigs of these lengths, and of what to warn (see `check_contigs`); "" if nothing."""
    absent = [contig for contig in dict.fromkeys(regions.contigs) if contig not in lengths]
    if absent and absent_contigs == "error":
        return (
            f"its header lacks {len(absent)} of the region set's contigs: {', '.join(absent[:10])}"
            f"{_chr_hint(absent, lengths)}; give regions of the same genome, or set counting.absent_contigs to zero"
        ), ""
    length = np.array([lengths.get(contig, LARGEST_COORDINATE) for contig in regions.contigs])
    outside = np.flatnonzero(regions.starts >= length)
    if outside.size:
        found = [
            f"{regions.contigs[i]}:{regions.starts[i]}-{regions.ends[i]}, but {regions.contigs[i]} has {length[i]} bp"
            for i in outside[:5].tolist()
        ]
        return (
            f"{outside.size} regions start beyond the end of their contig: {'; '.join(found)}; "
            "the regions seem to be of another genome build than the alignments; give regions of the same build"
        ), ""
    beyond = int(np.count_nonzero(regions.ends > length))
    return "", f"{beyond} regions end beyond the end of their contig; they are counted as they are" if beyond else ""


def furthest(regions: Regions) -> dict[str, tuple[int, int]]:
    """Return the largest start and the largest end on each contig: enough to tell whether regions fit many headers."""
    numbers = {contig: number for number, contig in enumerate(dict.fromkeys(regions.contigs))}
    contig = np.array([numbers[name] for name in regions.contigs], np.int64)
    largest = np.zeros((2, len(numbers)), np.int64)
    for row, values in zip(largest, (regions.starts, regions.ends), strict=True):
        np.maximum.at(row, contig, values)
    return dict(zip(numbers, zip(*largest.tolist(), strict=True), strict=True))


def content_of(path: Path) -> bytes:
    """Return the content of a file, which may be compressed."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged or truncated gzip file: {error}") from error


def lines_of(content: bytes, path: Path) -> list[str]:
    """Return the lines of a text, whatever ends them."""
    try:
        text = content.removeprefix(UTF8_BOM).decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected a text file (BED, plain or gzip), found other bytes: {error}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def parse_region(line: str) -> tuple[str, int, int]:
    """Return contig, start and end of a line; ValueError says what is wrong with it."""
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) < 3:
        raise ValueError(f"{len(fields)} columns: {line[:60]!r}")
    contig, start, end = fields[0].strip(), _coordinate(fields[1]), _coordinate(fields[2])
    if not CONTIG.fullmatch(contig):
        raise ValueError(f"not a contig name that SAM allows: {contig[:60]!r}")
    if end <= start:
        raise ValueError(f"{'zero length' if end == start else 'start > end'}: {line[:60]!r}")
    return contig, start, end


def _coordinate(text: str) -> int:
    text = text.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"not a whole number: {text[:60]!r}")
    number = int(text) if len(text) < 20 else LARGEST_COORDINATE + 1
    if number < 0:
        raise ValueError(f"negative coordinate: {number}")
    if number > LARGEST_COORDINATE:
        raise ValueError(f"coordinate beyond {LARGEST_COORDINATE}: {text[:60]}")
    return number


def _chr_hint(absent: Sequence[str], lengths: Mapping[str, int]) -> str:
    if any(f"chr{contig}" in lengths for contig in absent):
        return f" (it has chr{absent[0]} and so on: the regions lack the prefix 'chr')"
    if any(contig.removeprefix("chr") in lengths for contig in absent):
        return f" (it has {absent[0].removeprefix('chr')} and so on: the alignments lack the prefix 'chr')"
    return f" (it has {', '.join(list(lengths)[:5])} …)" if lengths else " (it names no contig)"


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: freeze a BED file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bed", type=Path, required=True, help="regions: BED-like, plain, gzip or bgzip")
    parser.add_argument("--out", type=Path, required=True, help="frozen region set, rewritten only if it changed")
    args = parser.parse_args(argv)
    write_if_changed(args.out, read_bed(args.bed).bed())


if __name__ == "__main__":
    sys.exit(run(main))
