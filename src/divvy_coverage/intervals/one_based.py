"""Tables whose coordinates are 1-based, known by their form.

Cut down to chrom, start and end they would pass for BED, and every region would begin one base late.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from divvy_coverage.errors import UserError
from divvy_coverage.files import split_lines
from divvy_coverage.intervals.bed import NOT_INTERVALS, read_content, split_fields

LOOKED_AT = 1 << 16  # bytes of a file that show its form
POSITION = re.compile(r"\S+:[0-9,]+-[0-9,]+")
FIRST_WORDS = {  # of lines that only these formats have, and no BED
    "@HD": "an interval_list of Picard",
    "@SQ": "an interval_list of Picard",
    "##gff-version": "GFF",
    "##fileformat=VCF": "VCF",
    "fixedStep": "wiggle",
    "variableStep": "wiggle",
}
COLUMNS = {  # that only headers of these tables have
    "abs_summit": "the xls table of MACS",
    "geneid": "SAF (of featureCounts)",
    "seqnames": "a table of GRanges",
    "peakid": "a peak file of HOMER",
}
ADVICE = "give BED or narrowPeak; of a 1-based table, BED has chrom, start - 1 and end of each line, and no header"

Fields = Sequence[str]


def read_bed(path: Path) -> bytes:
    """Return the content of a file of intervals, as `read_content` does.

    Raises
    ------
    UserError
        For a file that cannot be read, and with the name of the format for a table that is or may be 1-based.
    """
    content = read_content(path)
    check_zero_based(content, path)
    return content


def check_zero_based(content: bytes, path: Path) -> None:
    """Raise UserError with the name of the format for a table that is or may be 1-based."""
    if found := find_one_based(content):
        raise UserError(f"{path}: expected BED, found {found}; {ADVICE}")


def find_one_based(content: bytes) -> str:
    """Name the format of a table whose coordinates are 1-based, or may be; "" for any other."""
    lines = split_lines(content[:LOOKED_AT].decode(errors="replace").removeprefix("\ufeff"))
    lines = [line for line in (lines if len(content) <= LOOKED_AT else lines[:-1]) if line.strip()]
    for line in lines[:10]:
        if known := next((FIRST_WORDS[word] for word in FIRST_WORDS if line.startswith(word)), ""):
            return f"{known}, which is 1-based"
    rows = [split_fields(line) for line in lines if not line.startswith(NOT_INTERVALS)]
    if not rows:
        return ""
    names = {field.strip(' "').lower() for field in rows[0]}
    if names >= {"start", "end"}:
        known = next((COLUMNS[name] for name in COLUMNS if name in names), "")
        return f"{known}, which is 1-based" if known else "a table with a header, as R writes tables that are 1-based"
    return next((name for is_one, name in FORMS if all(is_one(row) for row in rows)), "")


def _is_gtf(row: Fields) -> bool:
    return len(row) >= 8 and _are_numbers(row[3:5]) and row[6] in {*"+-.?"}


def _is_saf(row: Fields) -> bool:
    return len(row) >= 5 and not _are_numbers(row[1:2]) and _are_numbers(row[2:4]) and row[4] in {*"+-.*01"}


def _is_position(row: Fields) -> bool:
    return len(row) == 1 and POSITION.fullmatch(row[0]) is not None


def _is_interval_list(row: Fields) -> bool:
    return len(row) >= 5 and _are_numbers(row[1:3]) and row[3] in {*"+-"}


def _has_width(row: Fields) -> bool:
    """Tell whether column 4 is the width if the end is included, and column 5 a summit or a strand."""
    if len(row) < 5 or not _are_numbers(row[1:4]):
        return False
    start, end, width = map(int, row[1:4])
    return width == end - start + 1 and (row[4] in {*"+-*"} or (_are_numbers(row[4:5]) and start <= int(row[4]) <= end))


def _are_numbers(fields: Fields) -> bool:
    return all(field.isascii() and field.isdigit() for field in fields)


FORMS: tuple[tuple[Callable[[Fields], bool], str], ...] = (
    (_is_gtf, "GTF or GFF, which is 1-based"),
    (_is_saf, "SAF or a peak file of HOMER, which are 1-based"),
    (_is_interval_list, "an interval_list without its header, which is 1-based (in BED, strands are in column 6)"),
    (_has_width, "the table of MACS or of GRanges without its header, which is 1-based (column 4 is end - start + 1)"),
    (_is_position, "positions like chr1:101-200, which genome browsers write 1-based"),
)
