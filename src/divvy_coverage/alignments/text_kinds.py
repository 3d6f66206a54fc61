"""Text files of alignments: fragments (10x Genomics, chromap, SnapATAC2), BEDPE, and tagAlign or BED6.

Which kind a file is of, the columns of its first line tell.
"""

import re
from dataclasses import dataclass

from divvy_coverage.intervals.bed import LARGEST_COORDINATE

ANY_NUMBER = 1 << 20  # of columns
WHERE = f"0 <= start < end <= {LARGEST_COORDINATE}"


@dataclass(frozen=True)
class TextKind:
    """A kind of text files.

    Attributes
    ----------
    name
        "fragments", "bedpe" or "tagalign".
    start
        What a line looks like, as far as it tells the kind from others.
    columns
        What every line holds, for messages.
    least, most
        How many columns a line has.
    paired
        Whether alignments are paired-end.
    """

    name: str
    start: re.Pattern[bytes]
    columns: str
    least: int
    most: int
    paired: bool


_INTERVAL = rb"[^\t]+\t-?\d+\t-?\d+\t"
TEXT_KINDS = {
    kind.name: kind
    for kind in (
        TextKind(
            "fragments",
            re.compile(_INTERVAL + rb"[^\t]+(?:\t\d+)?"),
            f"chrom, start, end, barcode and maybe a count, separated by tabs, with {WHERE}",
            *(4, 5, True),
        ),
        TextKind(
            "bedpe",
            re.compile(2 * _INTERVAL + rb"[^\t]*\t[^\t]*\t[+.-]\t[+.-](?:\t.*)?"),
            "chrom1, start1, end1, chrom2, start2, end2, name, score, strand1 and strand2 (+ or -), separated by tabs, "
            f"with {WHERE}",
            *(10, ANY_NUMBER, True),
        ),
        TextKind(
            "tagalign",
            re.compile(_INTERVAL + rb"[^\t]*\t[^\t]*\t[+-]"),
            f"chrom, start, end, name, score and strand (+ or -), separated by tabs, with {WHERE}",
            *(6, 6, False),
        ),
    )
}


def name_text_kind(line: bytes) -> str:
    """Return the kind of a file whose first line, without its end, is this one; "" if it is none."""
    return next((kind.name for kind in TEXT_KINDS.values() if kind.start.fullmatch(line)), "")
