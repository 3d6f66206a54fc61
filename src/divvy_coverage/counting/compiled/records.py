"""A record of BAM at an address, laid out as in the SAM specification, 4.2: its fields, and whether it is sound.

Every length in a record is checked against its size before it is used.
"""

# mypy: ignore-errors

from numba import njit

from divvy_coverage.counting.compiled import layout as at
from divvy_coverage.counting.compiled.constants import (
    EXCLUDED_CONTIG,
    FIRST,
    LOW_MAPQ,
    MISSING_FLAGS,
    PAIRED,
    PROPER_PAIR,
    SECOND,
    SECONDARY,
    SUPPLEMENTARY,
    UNPLACED,
)
from divvy_coverage.counting.compiled.memory import get, read_int32, read_int64

# offsets of the fields of a record, from its start
CONTIG, POSITION, NAME_LENGTH, MAPQ, OPERATIONS, FLAG = 4, 8, 12, 13, 16, 18
SEQUENCE_LENGTH, NEXT_CONTIG, NEXT_POSITION, TEMPLATE_LENGTH, FIXED = 20, 24, 28, 32, 36
ON_REFERENCE = 0b110001101  # bits of the CIGAR operations M, D, N, = and X
MATES = FIRST | SECOND
NEVER_MATES = SECONDARY | SUPPLEMENTARY
MULTIPLIER = -7046029254386353131  # 2^64 / golden ratio, odd


@njit(forceinline=True)
def read_byte(record, offset):
    """Read a byte of a record."""
    return read_int32(record, offset) & 0xFF


@njit(forceinline=True)
def read_uint16(record, offset):
    """Read a little-endian uint16."""
    return read_int32(record, offset) & 0xFFFF


@njit(forceinline=True)
def find_problem(record, size, n_contigs):
    """Return 0 if the record of `size` bytes is sound, or what is wrong with it."""
    operations, bases = read_uint16(record, OPERATIONS), read_int32(record, SEQUENCE_LENGTH)
    if bases < 0 or FIXED + read_byte(record, NAME_LENGTH) + 4 * operations + (bases + 1) // 2 + bases > size:
        return at.BAD_LENGTHS
    if not -1 <= read_int32(record, CONTIG) < n_contigs:
        return at.BAD_CONTIG
    if read_int32(record, POSITION) < -1:
        return at.BAD_POSITION
    return 0


@njit(forceinline=True)
def find_reason(cells, flag, mapq, contig, position):
    """Return why an alignment is not kept: the lowest flag that excludes it, or another reason; -1 if it is kept."""
    unwanted = flag & get(cells, at.EXCLUDE_FLAGS)
    if unwanted:
        bit = 0
        while not unwanted >> bit & 1:
            bit += 1
        return min(bit, MISSING_FLAGS - 1)
    required = get(cells, at.REQUIRE_FLAGS)
    if flag & required != required:
        return MISSING_FLAGS
    if mapq < get(cells, at.MIN_MAPQ):
        return LOW_MAPQ
    if contig < 0 or position < 0:
        return UNPLACED
    if get(get(cells, at.AT_EXCLUDED), contig):
        return EXCLUDED_CONTIG
    return -1


@njit(forceinline=True)
def count_reference_bases(record):
    """Return how many reference bases the CIGAR of a record covers.

    The placeholder of a CIGAR with more than 65,535 operations (4.2.2) covers as many as the CIGAR itself.
    """
    bases = 0
    offset = FIXED + read_byte(record, NAME_LENGTH)
    for _ in range(read_uint16(record, OPERATIONS)):
        operation = read_int32(record, offset) & 0xFFFFFFFF
        if ON_REFERENCE >> (operation & 15) & 1:
            bases += operation >> 4
        offset += 4
    return bases


@njit(forceinline=True)
def is_proper(flag):
    """Tell whether an alignment is a primary one of a proper pair, as its flags say."""
    return (flag & PAIRED != 0) & (flag & PROPER_PAIR != 0) & (flag & NEVER_MATES == 0)


@njit(forceinline=True)
def is_mate(record, flag, contig):
    """Tell whether a kept alignment can be a mate of a fragment: primary, in a proper pair, its mate on its contig."""
    one_of_two = (flag & MATES == FIRST) | (flag & MATES == SECOND)
    return is_proper(flag) & one_of_two & (read_int32(record, NEXT_CONTIG) == contig)


@njit(forceinline=True)
def hash_name(record):
    """Return a hash of a record's name, which is not 0."""
    length = read_byte(record, NAME_LENGTH)
    value = length
    offset, end = FIXED, FIXED + length
    while offset + 8 <= end:
        value = (value ^ read_int64(record, offset)) * MULTIPLIER
        value ^= value >> 29
        offset += 8
    if offset < end:  # the fixed fields are before the name, so there are eight bytes that end with it
        value = (value ^ read_int64(record, end - 8) >> 8 * (8 - (end - offset))) * MULTIPLIER
        value ^= value >> 29
    value *= MULTIPLIER
    value ^= value >> 32
    return value | 1
