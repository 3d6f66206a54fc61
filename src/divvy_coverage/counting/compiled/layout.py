"""The block of memory that the compiled loop works on: int64 cells, which are settings, counters, and addresses.

The cells whose names begin with AT_ hold the addresses of arrays of int64. Regions of all region sets lie in one list,
ordered by set, contig and coordinate. A row is set × contigs + contig; its regions are those from first[row] to
first[row + 1]. The blacklist, if there is one, is the last set.
"""

CELLS = 47
(
    # what is counted, and which alignments are kept (`Counting`)
    UNIT,
    EXCLUDE_FLAGS,
    REQUIRE_FLAGS,
    MIN_MAPQ,
    SHIFT_FORWARD,
    SHIFT_REVERSE,
    MIN_LENGTH,
    MAX_LENGTH,
    EXTEND,
    # numbers of contigs and of region sets, without the blacklist, and whether there is one
    CONTIGS,
    SETS,
    HAS_BLACKLIST,
    # per contig: its length (bp), and whether its alignments are excluded
    AT_LENGTHS,
    AT_EXCLUDED,
    # per row, the first region; per region, starts and ends, each sorted for itself within its row
    AT_FIRST,
    AT_STARTS,
    AT_ENDS,
    # spans by rank, one slot more than regions in each row: by how many regions end at or before their start, and by
    # how many start before their end
    AT_START_RANKS,
    AT_END_RANKS,
    # per set: the two ranks of the last span, where the search for the next starts; and spans that overlap any region
    AT_NEAR,
    AT_IN_REGIONS,
    # per region by start: its end, the largest end up to it in its row, and fragments with both insertions in it
    AT_PAIRED_ENDS,
    AT_REACH,
    AT_BOTH,
    # start sites: per contig, the first of them; positions, and strands (1 or -1)
    AT_TSS_FIRST,
    AT_TSS_POSITIONS,
    AT_TSS_STRANDS,
    # statistics: see `Tally`
    AT_TOTALS,
    AT_REASONS,
    AT_MAPQ,
    AT_FRAGMENT_LENGTHS,
    AT_PROFILE,
    AT_ALIGNMENTS,
    # bins of the genome: their width (bp; 0 without them); per contig, how many (0 before its first alignment), and the
    # addresses of two arrays of int32: spans that start in each bin, and that end in it
    BIN_SIZE,
    AT_BINS,
    AT_BIN_STARTS,
    AT_BIN_ENDS,
    # fragments whose copies are told: pairs of a hash of where both mates are and of contig << 32 | end, room, number
    AT_COPIES,
    COPIES_ROOM,
    COPIES,
    # mates that wait for the other one: the table, its slots (a power of two), and how many wait
    AT_MATES,
    SLOTS,
    WAITING,
    # whether the file is taken to be in order of coordinates, so that mates which are passed can be given up
    IN_ORDER,
    # contig and position of the last alignment that has them
    CONTIG,
    POSITION,
    # why `walk` stopped before the end of the data; 0 if it did not
    STATUS,
) = range(CELLS)

LARGEST_RECORD = 1 << 29  # bytes; no record of a sound file comes near

# what `walk` can stop for
MATES_FULL, NOT_IN_ORDER, COPIES_FULL, NEW_CONTIG = 1, 2, 3, 4
BAD_SIZE, BAD_LENGTHS, BAD_CONTIG, BAD_POSITION = -1, -2, -3, -4
PROBLEMS = {
    BAD_SIZE: "a record claims an impossible size",
    BAD_LENGTHS: "the lengths of a record's name, CIGAR or sequence do not fit its size",
    BAD_CONTIG: "a record is on a contig that the header does not have",
    BAD_POSITION: "a record has an impossible position",
}

# a slot of the table of mates: a hash of the name (0 if it is empty), and what is known of the mate that waits; `FLAG`
# is its FLAG & (FIRST | REVERSE), and what it waits for: to be counted, or to be compared with copies
SLOT = 8  # int64 each, as many bytes as a line of the processor's cache
KEY, START, MATE_START, SLOT_CONTIG, LENGTH, END, FLAG = range(7)
KEPT, COMPARED = 1, 2  # bits that no FLAG of a slot has
