"""Genomic intervals: lines of BED files, region sets, start sites, and overlaps. Coordinates are 0-based, half-open."""
