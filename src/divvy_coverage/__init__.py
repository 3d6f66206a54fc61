"""Coverage of genomic regions by sequencing alignments: from a sample sheet to one matrix of regions × samples."""

__version__ = "0.1.0"
