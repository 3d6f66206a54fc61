"""Damaged and truncated alignment files are refused or count as the intact file does: never another number."""

import gzip
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pysam
import pytest

from divvy_coverage.alignments.bam import read_bam_header
from divvy_coverage.alignments.bgzf import END, read_blocks
from divvy_coverage.alignments.htslib import CRAM_END_SIZE
from divvy_coverage.counting.compiled.constants import UNITS
from divvy_coverage.counting.count import count_alignments, count_sample
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.passes import Wanted
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions
from helpers import bgzf

CONTIGS = {"chr1": 5000, "chr2": 3000}
STARTS = np.arange(0, 3000, 50)
REGIONS = Regions.from_names([c for c in CONTIGS for _ in STARTS], np.tile(STARTS, 2), np.tile(STARTS + 80, 2))
BLACKLIST = Regions.from_names(["chr1", "chr2"], np.array([700, 1500]), np.array([760, 1501]))
FIELDS = {"BSIZE": slice(16, 18), "CRC": slice(-8, -4), "ISIZE": slice(-4, None)}  # of a block
FIELD_SETS = [fields for number in (1, 2, 3) for fields in combinations(FIELDS, number)]
SIZES = (1500, 5000, 60_000)  # bytes of content in a block

Damage = tuple[str, bytes]
Check = Callable[..., None]


def write_pairs(path: Path, number: int = 300) -> None:
    """Write a BAM file of pairs, of which some are duplicates or of low mapping quality."""
    random = np.random.default_rng(1)
    header = pysam.AlignmentHeader.from_references(list(CONTIGS), list(CONTIGS.values()))
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for pair, start in enumerate(np.sort(random.integers(0, 2500, number)).tolist()):
            length = int(random.integers(60, 400))
            for flag, position in ((99, start), (147, start + length - 50)):
                read = pysam.AlignedSegment(header)
                read.query_name, read.flag = f"pair{pair}", flag | (1024 if pair % 9 == 0 else 0)
                read.reference_id = read.next_reference_id = pair % 2
                read.reference_start, read.cigarstring = position, "50M"
                read.next_reference_start = start if flag == 147 else start + length - 50
                read.template_length = length if flag == 99 else -length
                read.query_sequence = "".join(random.choice(list("ACGT"), 50))
                read.mapping_quality = int(random.integers(0, 61))
                file.write(read)


def compress_records(content: bytes, path: Path, size: int) -> bytes:
    """Return a BAM file whose blocks hold whole records, as htslib writes them: one that is lost breaks no record."""
    header = read_bam_header(bytearray(content), path)
    assert header
    first, at, blocks = 0, header.size, b""
    while at < len(content):
        if at - first >= size or first == 0:
            blocks += bgzf(content[first:at])[: -len(END)]
            first = at
        at += 4 + struct.unpack_from("<I", content, at)[0]
    return blocks + bgzf(content[first:])


def damage_fields(content: bytes, path: Path, random: np.random.Generator, step: int = 1) -> Iterator[Damage]:
    """Yield the file with fields of one block zeroed or random, alone and together; of every `step`-th block."""
    with path.open("rb") as file:
        blocks = [block for batch in read_blocks(file, path) for block in batch]
    for block in blocks[::step]:
        for fields in FIELD_SETS:
            for way in ("zeroed", "random"):
                raw = bytearray(block.raw)
                for field in fields:
                    size = len(raw[FIELDS[field]])
                    raw[FIELDS[field]] = bytes(size) if way == "zeroed" else random.bytes(size)
                end = block.offset + len(block.raw)
                yield f"{fields} {way} at byte {block.offset}", content[: block.offset] + raw + content[end:]


def damage_bytes(content: bytes, random: np.random.Generator, number: int) -> Iterator[Damage]:
    """Yield the file with one to three changed bytes."""
    for _ in range(number):
        damaged = bytearray(content)
        places = random.integers(0, len(content), int(random.integers(1, 4))).tolist()
        for place in places:
            damaged[place] ^= int(random.integers(1, 256))
        yield f"bytes {places}", bytes(damaged)


def truncate(content: bytes, random: np.random.Generator, number: int, end: bytes = END) -> Iterator[Damage]:
    """Yield the file cut off, as it is and, if that is within a block, with the block that ends a sound file."""
    for size in random.integers(0, len(content), number).tolist():
        yield f"the first {size} bytes", content[:size]
        if content[size : size + 4] != end[:4]:
            yield f"the first {size} bytes and an end", content[:size] + end


def gunzip(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def outcome(path: Path, unit: str, threads: int) -> list[object] | None:
    """Return counts and all statistics of a file; None if it is refused."""
    counting = Counting(unit, exclude_flags=0x400, min_mapq=10)
    wanted = Wanted([REGIONS], counting, BLACKLIST, absent_contigs="zero")
    try:
        counted = count_sample([path], wanted, threads=threads, warn=lambda text: None)
    except UserError as error:
        assert str(path) in str(error)  # noqa: PT017
        return None
    tally = counted.tally
    return [counted.counts[0].tolist(), counted.in_regions.tolist(), tally.describe()]


def write_small_blocks(path: Path, size: int, number: int = 300) -> bytes:
    """Write pairs into blocks of about that size, and return the file's content."""
    write_pairs(path, number)
    content = compress_records(gunzip(path), path, size)
    path.write_bytes(content)
    return content


def check(path: Path, unit: str, every: Iterable[Damage]) -> tuple[int, int]:
    """Count damaged versions of a file; return how many were refused, and how many counted as the file itself."""
    intact = outcome(path, unit, 1)
    assert intact
    assert sum(intact[0]) > 100
    found = {True: 0, False: 0}
    for place, (label, damaged) in enumerate(every):
        path.write_bytes(damaged)
        result = outcome(path, unit, 1 + place % 2)
        assert result in (None, intact), label
        found[result is None] += 1
    return found[True], found[False]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("unit", UNITS)
def test_a_damaged_file_never_gives_another_number(tmp_path: Path, unit: str, size: int) -> None:
    path, random = tmp_path / "x.bam", np.random.default_rng(size)
    content = write_small_blocks(path, size)
    fields = damage_fields(content, path, random, 8 if size == 1500 else 3)
    refused, alike = check(path, unit, [*fields, *damage_bytes(content, random, 30), *truncate(content, random, 30)])
    assert refused > 50
    assert alike < refused


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_no_damage_of_many_gives_another_number(tmp_path: Path, unit: str) -> None:
    path, random = tmp_path / "x.bam", np.random.default_rng(UNITS.index(unit))
    content = write_small_blocks(path, 5000, number=900)
    with path.open("rb") as file:
        blocks = sum(len(batch) for batch in read_blocks(file, path))
    assert blocks > 20
    fields = damage_fields(content, path, random, blocks // 20)
    refused, alike = check(path, unit, [*fields, *damage_bytes(content, random, 1000), *truncate(content, random, 200)])
    assert refused > 1200
    assert alike < refused / 4


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_damage_of_a_real_file_is_an_error_or_harmless(tmp_path: Path, data: Path, part: int) -> None:
    """500 changed bytes and 50 truncations a part, at random places."""
    original, unit = (data / "atac-scate8-hg19" / "bam" / "GSM1596942.bam").read_bytes(), UNITS[part]
    path, random = tmp_path / "x.bam", np.random.default_rng(part)
    path.write_bytes(original)
    starts = np.arange(0, 200_000_000, 50_000)
    regions = Regions.from_names(["chr1"] * len(starts), starts, starts + 50_000)

    def count() -> list[int] | None:
        try:
            return count_alignments(path, regions, Counting(unit))[0].tolist()
        except UserError as error:
            assert str(path) in str(error)  # noqa: PT017
            return None

    intact = count()
    assert intact
    assert sum(intact) > 100
    found = []
    for label, damaged in [*damage_bytes(original, random, 500), *truncate(original, random, 50)]:
        path.write_bytes(damaged)
        found.append(count())
        assert found[-1] in (None, intact), label
    assert found.count(None) > 450


def write_as(path: Path, kind: str) -> bytes:
    """Write pairs as CRAM or SAM, and return the file's content."""
    write_pairs(path)
    options = ["-C", "--output-fmt-option", "no_ref=1"] if kind == "cram" else ["-h"]
    pysam.view(*options, "-o", str(path.with_suffix(f".{kind}")), str(path), catch_stdout=False)
    return path.with_suffix(f".{kind}").read_bytes()


def check_cram(folder: Path, seed: int, number: int) -> None:
    """Count a CRAM file with changed bytes, and cut off, with and without the container that ends a sound file."""
    content, random = write_as(folder / "x.bam", "cram"), np.random.default_rng(seed)
    cut = truncate(content, random, number, content[-CRAM_END_SIZE:])
    refused, alike = check(folder / "x.cram", "fragments", [*damage_bytes(content, random, number), *cut])
    assert refused > 2 * number
    assert alike < number / 10


def check_sam(folder: Path, seed: int, number: int) -> None:
    """Count a SAM file that ends within a line, as it is and with an end of that line."""
    content, random = write_as(folder / "x.bam", "sam"), np.random.default_rng(seed)
    sizes = random.integers(1, len(content), number).tolist()
    starts = [content[:size] for size in sizes if b"\n" not in content[size - 1 : size + 1]]
    cut = [(f"the first {len(start)} bytes and {end!r}", start + end) for start in starts for end in (b"", b"\n")]
    assert check(folder / "x.sam", "fragments", cut) == (len(cut), 0)


@pytest.mark.parametrize("check_kind", [check_cram, check_sam])
def test_a_damaged_cram_or_sam_file_never_gives_another_number(tmp_path: Path, check_kind: Check) -> None:
    check_kind(tmp_path, seed=1, number=15)


def hide(block: bytes) -> bytes:
    """Return a block that claims to be empty: its content is there, but its size and checksum are 0."""
    return block[:-8] + bytes(8)


def test_a_block_that_claims_to_be_empty_is_one_only_without_content(tmp_path: Path) -> None:
    path = tmp_path / "x.bam"
    write_pairs(path)
    intact = outcome(path, "fragments", 1)
    content = gunzip(path)
    first, second = bgzf(content[:20_000])[: -len(END)], bgzf(content[20_000:])
    for empty in (END, other_end(b"\x01\0\0\xff\xff"), other_end(b"\0\0\0\xff\xff\x03\0")):
        path.write_bytes(first + empty + second)
        assert outcome(path, "fragments", 1) == intact
    swallowing = END[:16] + struct.pack("<H", 2 * len(END) + len(first) - 1) + END[18:]
    for damaged in (hide(first) + second, swallowing + first + END + second, first + other_end(b"\x03") + second):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=rf"{path}: at byte \d+: a block claims to be empty, but is not"):
            count_alignments(path, REGIONS, warn=lambda text: None)


def other_end(stream: bytes) -> bytes:
    """Return a block without content as another program may write it."""
    return END[:16] + struct.pack("<H", len(END) - 2 + len(stream) - 1) + stream + bytes(8)
