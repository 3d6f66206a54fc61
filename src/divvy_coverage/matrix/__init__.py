"""From the counts of single samples to matrices: factors, normalization, summaries, and file formats."""
