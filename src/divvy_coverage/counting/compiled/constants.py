"""Constants of the compiled loops, which are those of the whole library: units, SAM flags, and what is tallied."""

UNITS = ("fragments", "paired_insertions", "insertions", "reads")
FRAGMENTS, PAIRED_INSERTIONS, INSERTIONS, READS = range(len(UNITS))

PAIRED = 0x1
PROPER_PAIR, UNMAPPED, REVERSE, FIRST, SECOND = 0x2, 0x4, 0x10, 0x40, 0x80
MATE_UNMAPPED, SECONDARY, QC_FAIL, DUPLICATE, SUPPLEMENTARY = 0x8, 0x100, 0x200, 0x400, 0x800
# of the alignments whose copies are told: ENCODE's recipe for the complexity of a library excludes 1804, before
# duplicates are marked
NOT_COMPARED = UNMAPPED | MATE_UNMAPPED | SECONDARY | QC_FAIL
COMPARED_MIN_MAPQ = 30

# why an alignment is not kept: the lowest flag that excludes it (in the order of SAM's flags), else another reason
REASONS = (
    *("paired", "proper_pair", "unmapped", "mate_unmapped", "reverse", "mate_reverse", "first", "second"),
    *("secondary", "qc_fail", "duplicate", "supplementary", "missing_flags", "mapping_quality", "unplaced", "contig"),
)
MISSING_FLAGS, LOW_MAPQ, UNPLACED, EXCLUDED_CONTIG = (
    REASONS.index(name) for name in ("missing_flags", "mapping_quality", "unplaced", "contig")
)

# numbers of alignments by kind, and of what is counted; config/README.md defines each
TOTALS = (
    *("usable", "alignments", "unmapped", "duplicates", "proper_pairs", "kept", "paired", "fragments"),
    *("kept_proper", "excluded_length", "blacklisted", "contradictory_lengths"),
)
LARGEST_FRAGMENT = 2000  # bp; longer fragments are counted with those of this length
TSS_FLANK = 2000  # bp on both sides of a transcription start site
