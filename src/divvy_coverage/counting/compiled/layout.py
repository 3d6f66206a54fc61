"""The memory that the compiled loops work on: blocks of int64 cells, which are settings, counters, and addresses.

Each loop has a block of its own. The cells whose names begin with AT_ hold the addresses of arrays of int64. What goes
from one loop to another is a batch: rows of contig, start and end (bp, 0-based half-open), of which some may be empty.
"""

# the loops; each takes its cells, and the address and the number of what it works on
DECODE, SPLIT, DROP, COUNT_SPANS, COUNT_PAIRS, MARK_BINS, PROFILE = range(7)

ROW = 3  # of a batch, int64 each
ROW_CONTIG, ROW_START, ROW_END = range(ROW)

DECODER_CELLS = 36
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
    # number of contigs; whether the insertions of all kept alignments are wanted
    CONTIGS,
    WITH_INSERTIONS,
    # per contig: its length (bp), and whether its alignments are excluded
    AT_LENGTHS,
    AT_EXCLUDED,
    # statistics: see `Tally`; alignments by FLAG
    AT_TOTALS,
    AT_FLAGS,
    AT_REASONS,
    AT_MAPQ,
    AT_FRAGMENT_LENGTHS,
    AT_ALIGNMENTS,
    # what was found: rows for which a batch has room; batches of units and of insertions, and how many rows they have
    BATCH_ROOM,
    AT_UNITS,
    UNITS,
    AT_INSERTIONS,
    INSERTIONS,
    # fragments whose copies are told: hashes of where both mates are; contig << 32 | end; room for how many; how many
    AT_COPY_HASHES,
    AT_COPY_ENDS,
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
    # why `decode` stopped before the end of the data; 0 if it did not
    STATUS,
    # of the fragments that are split: where their insertions go
    AT_SPLIT,
) = range(DECODER_CELLS)

REGION_SET_CELLS = 11
(
    # per contig, the first region; per region, starts and ends, each sorted for itself within its contig
    AT_FIRST,
    AT_STARTS,
    AT_ENDS,
    # per region by start: its end, and the largest end up to it on its contig
    AT_PAIRED_ENDS,
    AT_REACH,
    # spans by rank, one slot more than regions on each contig: by how many regions end at or before their start, and by
    # how many start before their end
    AT_START_RANKS,
    AT_END_RANKS,
    # per region by start, the fragments of which both insertions are in it
    AT_BOTH,
    # the two ranks of the last span, where the search for the next starts
    ENDED,
    BEGUN,
    # units that overlap any region
    IN_REGIONS,
) = range(REGION_SET_CELLS)

BINS_CELLS = 6
(
    # width (bp); per contig: length (bp), number of bins (0 before there is something on it), and the addresses of two
    # arrays of int32, spans that start in each bin, and that end in it
    BIN_SIZE,
    AT_CONTIG_LENGTHS,
    AT_BINS,
    AT_BIN_STARTS,
    AT_BIN_ENDS,
    # the contig for want of whose bins `mark_bins` stopped
    WITHOUT_BINS,
) = range(BINS_CELLS)

PROFILE_CELLS = 5
(
    # per contig, the first start site; per site, position and strand (1 or -1); insertions by distance
    AT_FIRST_SITE,
    AT_SITES,
    AT_STRANDS,
    AT_DISTANCES,
    # where the search for the next insertion starts
    NEAR_SITE,
) = range(PROFILE_CELLS)

LARGEST_RECORD = 1 << 29  # bytes; no record of a sound file comes near
FLAGS = 1 << 12  # of the SAM specification; more bits of a FLAG mean nothing

# what `decode` can stop for
MATES_FULL, NOT_IN_ORDER, COPIES_FULL, BATCH_FULL = 1, 2, 3, 4
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
