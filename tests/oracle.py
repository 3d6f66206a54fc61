"""What is counted, in plain Python over pysam's records, written from config/README.md alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysam

from divvy_coverage.counting.definition import Counting

Row = tuple[str, int, int]
FLAGS = (  # from 0x1 to 0x800
    *("paired", "proper_pair", "unmapped", "mate_unmapped", "reverse", "mate_reverse", "first", "second"),
    *("secondary", "qc_fail", "duplicate", "supplementary"),
)
ON_REFERENCE = (0, 2, 3, 7, 8)  # M, D, N, =, X


@dataclass
class Item:
    """One thing to count: the parts of which one has to be in a region, and all that it spans."""

    contig: str
    parts: list[tuple[int, int]]
    start: int
    end: int

    def is_in(self, row: Row) -> bool:
        return self.contig == row[0] and any(overlap(start, end, row[1], row[2]) for start, end in self.parts)


def overlap(start: int, end: int, other_start: int, other_end: int) -> bool:
    """Tell whether two intervals share at least 1 bp."""
    return min(end, other_end) - max(start, other_start) >= 1


def read_all(path: Path) -> list[pysam.AlignedSegment]:
    with pysam.AlignmentFile(str(path), check_sq=False) as file:
        return list(file.fetch(until_eof=True))


def get_lengths(path: Path) -> dict[str, int]:
    with pysam.AlignmentFile(str(path), check_sq=False) as file:
        return dict(zip(file.references, file.lengths, strict=True))


def find_reason(read: pysam.AlignedSegment, counting: Counting) -> str:
    """Say why an alignment is not kept, the first reason that applies; "" if it is kept."""
    for bit, name in enumerate(FLAGS):
        if read.flag & counting.exclude_flags & 1 << bit:
            return name
    if read.flag & counting.require_flags != counting.require_flags:
        return "missing_flags"
    if read.mapping_quality < counting.min_mapq:
        return "mapping_quality"
    if read.reference_id < 0 or read.reference_start < 0:
        return "unplaced"
    return "contig" if read.reference_name in counting.exclude_contigs else ""


def is_kept(read: pysam.AlignedSegment, counting: Counting) -> bool:
    return not find_reason(read, counting)


def find_end(read: pysam.AlignedSegment) -> int:
    return read.reference_start + sum(n for operation, n in read.cigartuples or () if operation in ON_REFERENCE)


def could_be_mate(read: pysam.AlignedSegment) -> bool:
    proper = read.flag & 0x1 and read.flag & 0x2 and not read.flag & 0x900
    return bool(proper) and read.flag & 0xC0 in (0x40, 0x80) and read.next_reference_id == read.reference_id


def are_mates(one: pysam.AlignedSegment, other: pysam.AlignedSegment) -> bool:
    return (
        one.query_name == other.query_name
        and one.reference_id == other.reference_id
        and one.next_reference_start == other.reference_start
        and other.next_reference_start == one.reference_start
        and one.flag & 0x40 != other.flag & 0x40
    )


@dataclass
class Fragment:
    contig: str
    start: int
    end: int
    contradictory: bool = False  # whether a TLEN is not its length

    @property
    def length(self) -> int:
        return self.end - self.start


def find_pairs(kept: Sequence[pysam.AlignedSegment]) -> Iterator[list[pysam.AlignedSegment]]:
    """Yield the pairs of which both mates are kept, each mate in one pair at most; the leftmost mate comes first."""
    waiting: dict[str, list[pysam.AlignedSegment]] = {}
    for read in filter(could_be_mate, kept):
        of_its_name = waiting.setdefault(read.query_name, [])
        mate = next((other for other in of_its_name if are_mates(read, other)), None)
        if mate is None:
            of_its_name.append(read)
            continue
        of_its_name.remove(mate)
        yield sorted([read, mate], key=lambda each: (each.reference_start, not each.flag & 0x40))


def find_fragments(kept: Sequence[pysam.AlignedSegment]) -> Iterator[Fragment]:
    """Yield the fragments of the pairs of which both mates are kept: from the 5' end of one to that of the other."""
    for mates in find_pairs(kept):
        forward, reverse = sorted(mates, key=lambda mate: mate.flag & 0x10)
        start, end = forward.reference_start, find_end(reverse)
        if forward.flag & 0x10 != reverse.flag & 0x10 and start < end:
            lengths = {abs(mate.template_length) for mate in mates if mate.template_length}
            yield Fragment(forward.reference_name, start, end, lengths not in (set(), {end - start}))


def count_copies(path: Path, mitochondrial: Sequence[str]) -> dict[str, int]:
    """Return how many fragments there are once, twice and so on, as ENCODE's recipe tells them apart."""
    reads = [
        read
        for read in read_all(path)
        if not read.flag & (1804 & ~1024)
        and read.mapping_quality >= 30
        and read.reference_id >= 0
        and read.reference_start >= 0
        and read.reference_name not in mitochondrial
    ]
    pairs = [
        (left.reference_id, left.reference_start, find_end(right), left.flag & 0x10, right.flag & 0x10)
        for left, right in find_pairs(reads)
    ]
    single = [read for read in reads if not read.flag & 0x1]
    alone = [(read.reference_id, read.reference_start, find_end(read), read.flag & 0x10) for read in single]
    return {str(times): number for times, number in Counter(Counter([*pairs, *alone]).values()).items()}


def list_insertions(
    reads: Sequence[pysam.AlignedSegment], shift: Sequence[int], lengths: Mapping[str, int]
) -> list[Item]:
    items = []
    for read in reads:
        start, end = read.reference_start, find_end(read)
        site = end - 1 + shift[1] if read.flag & 0x10 else start + shift[0]
        if start < end and 0 <= site < lengths[read.reference_name]:
            items.append(Item(read.reference_name, [(site, site + 1)], site, site + 1))
    return items


def list_reads(reads: Sequence[pysam.AlignedSegment], extend: int | None, lengths: Mapping[str, int]) -> list[Item]:
    items = []
    for read in reads:
        start, end = read.reference_start, find_end(read)
        if extend and start < end:
            if read.flag & 0x10:
                start = max(0, end - extend)
            else:
                end = max(min(start + extend, lengths[read.reference_name]), start)
        items.append(Item(read.reference_name, [(start, end)], start, end))
    return items


def list_pairs(fragments: Sequence[Fragment], counting: Counting, lengths: Mapping[str, int]) -> list[Item]:
    shortest, longest = counting.fragment_length or (0, 2**40)
    items = []
    for each in fragments:
        if not shortest <= each.length <= longest:
            continue
        start, end = each.start, each.end
        parts = [(start, end)]
        if counting.unit == "paired_insertions":
            sites = (start + counting.shift[0], end - 1 + counting.shift[1])
            parts = [(site, site + 1) for site in sites if 0 <= site < lengths[each.contig]]
        items.append(Item(each.contig, parts, start, end))
    return items


@dataclass
class Expected:
    """What has to be found of a file: numbers by name, the counts per region, and the items in any region."""

    kept: int
    fragments: int
    contradictory: int
    excluded_length: int
    blacklisted: int
    usable: int
    without_mate: int
    counts: list[int]
    in_regions: int
    items: list[Item]

    def count_bin(self, contig: str, start: int, end: int) -> int:
        """Return how many parts of items overlap a bin."""
        parts = [part for item in self.items if item.contig == contig for part in item.parts]
        return sum(overlap(*part, start, end) for part in parts)


def count(path: Path, counting: Counting, rows: Sequence[Row], blacklist: Sequence[Row] = ()) -> Expected:
    """Count a file as it is defined."""
    kept = [read for read in read_all(path) if is_kept(read, counting)]
    return count_kept(kept, list(find_fragments(kept)), get_lengths(path), counting, rows, blacklist)


def count_kept(
    kept: Sequence[pysam.AlignedSegment],
    fragments: Sequence[Fragment],
    lengths: Mapping[str, int],
    counting: Counting,
    rows: Sequence[Row],
    blacklist: Sequence[Row] = (),
) -> Expected:
    """Count alignments that are kept, and their fragments."""
    if counting.unit == "reads":
        items = list_reads(kept, counting.extend, lengths)
    elif counting.unit == "insertions":
        items = list_insertions(kept, counting.shift, lengths)
    else:
        items = list_pairs(fragments, counting, lengths)
    good = [
        item
        for item in items
        if not any(item.contig == b[0] and overlap(item.start, item.end, *b[1:]) for b in blacklist)
    ]
    return Expected(
        len(kept),
        len(fragments),
        sum(each.contradictory for each in fragments),
        len(fragments) - len(items) if counting.unit in ("fragments", "paired_insertions") else 0,
        len(items) - len(good),
        len(good),
        sum(read.flag & 0x903 == 0x3 for read in kept) - 2 * len(fragments),
        [sum(item.is_in(row) for item in good) for row in rows],
        sum(any(item.is_in(row) for row in rows) for item in good),
        good,
    )


def describe(path: Path, counting: Counting) -> dict[str, int | dict[object, int]]:
    """Return numbers of alignments by kind, and histograms without their zeros."""
    reads = read_all(path)
    primary = [read for read in reads if not read.flag & 0x904 and read.reference_id >= 0]
    reasons = Counter(find_reason(read, counting) for read in reads)
    del reasons[""]
    kept = [read for read in reads if is_kept(read, counting)]
    kinds = {"unmapped": 0x4, "duplicates": 0x400, "proper_pairs": 0x2, "paired": 0x1}
    return {
        "alignments": len(reads),
        **{kind: sum(read.flag & flag > 0 for read in reads) for kind, flag in kinds.items()},
        "excluded": dict(reasons),
        "mapping_quality": dict(Counter(str(read.mapping_quality) for read in primary)),
        "fragment_lengths": dict(Counter(str(min(each.length, 2000)) for each in find_fragments(kept))),
        "contigs": dict(Counter(read.reference_name for read in primary)),
    }


def tss_profile(
    path: Path, counting: Counting, contigs: Sequence[str], positions: Sequence[int], strands: Sequence[int]
) -> dict[int, int]:
    """Return how many insertions are at each distance, within 2000 bp, from a start site in the direction of its strand."""
    profile: dict[int, int] = {}
    kept = [read for read in read_all(path) if is_kept(read, counting)]
    for item in list_insertions(kept, counting.shift, get_lengths(path)):
        for contig, position, strand in zip(contigs, positions, strands, strict=True):
            distance = int(strand) * (item.start - int(position))
            if contig == item.contig and abs(distance) <= 2000:
                profile[distance] = profile.get(distance, 0) + 1
    return profile
