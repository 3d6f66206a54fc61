"""Whether the filters keep anything of each file, as far as its first alignments tell."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from divvy_coverage.alignments.headers import Header, open_alignments
from divvy_coverage.alignments.text_kinds import TEXT_KINDS
from divvy_coverage.counting.compiled.constants import PAIRED, PROPER_PAIR
from divvy_coverage.counting.definition import PAIRED_UNITS, Counting
from divvy_coverage.errors import UserError
from divvy_coverage.preflight.file_cache import read_files
from divvy_coverage.preflight.sample_files import AlignedSample
from divvy_coverage.problems import Problem

FEW, MANY = 10_000, 1_000_000  # first alignments: of each file, and of those of which none of the few is kept
EXAMPLES = 5  # files of which nothing is kept, after which no others are looked at as far


def check_filters(counting: Counting, samples: Sequence[AlignedSample], cache: Path) -> list[Problem]:
    """Return a warning if there are files of which no alignment is kept, among the first MANY.

    Those on excluded contigs do not tell: a file may begin with mitochondria. The file `cache` remembers in which files
    something is kept.
    """
    headers = {each.path: each for aligned in samples for each in aligned.headers if each.kind not in TEXT_KINDS}
    filters = [counting.exclude_flags, counting.min_mapq, *counting.exclude_contigs, _get_required_flags(counting)]

    def check_few(path: Path) -> bool:
        if _explain_nothing(headers[path], counting, FEW):
            raise UserError(str(path))
        return True

    _, others = read_files(headers, check_few, cache, filters)
    texts = ((path, _explain_nothing(headers[path], counting, MANY)) for path in others)
    found = list(islice((f"{path} ({text})" for path, text in texts if text), EXAMPLES))
    if not found:
        return []
    more = ", and maybe others" if len(found) == EXAMPLES and len(others) > EXAMPLES else ""
    text = (
        f"none of the first alignments, up to {MANY}, is kept of {', '.join(found)}{more}; if that is not meant, "
        "change counting.min_mapq, exclude_flags or require_flags"
    )
    return [Problem("", None, "counting", "warning", text)]


def _get_required_flags(counting: Counting) -> int:
    return counting.require_flags | (PAIRED | PROPER_PAIR if counting.unit in PAIRED_UNITS else 0)


def _explain_nothing(header: Header, counting: Counting, number: int) -> str:
    """Say why none of the first alignments of a file is kept; "" if one is, or if most are on excluded contigs."""
    excluded = {code for code, contig in enumerate(header.contigs) if contig in counting.exclude_contigs}
    required, unwanted, minimum = _get_required_flags(counting), counting.exclude_flags, counting.min_mapq
    elsewhere = flags = low = largest = 0
    try:
        with open_alignments(header.path, header.kind) as (_, alignments):
            for contig, quality, flag, *_ in islice(alignments, number):
                if contig in excluded:
                    elsewhere += 1
                elif flag & unwanted or flag & required != required:
                    flags += 1
                elif quality < minimum:
                    low, largest = low + 1, max(largest, quality)
                else:
                    return ""
    except (UserError, OSError):
        return ""  # counting says what is wrong
    if elsewhere > low + flags:
        return ""
    reasons = [
        *([f"{low} have a mapping quality below {minimum}, at most {largest}"] if low else []),
        *([f"{flags} have flags that are excluded, or lack some that are required"] if flags else []),
    ]
    return "; ".join(reasons)
