"""Genomic intervals: region sets, lines of BED files, and overlaps. Coordinates are 0-based and half-open."""
