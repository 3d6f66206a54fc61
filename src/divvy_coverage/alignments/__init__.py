"""Files of alignments: which kind they are, whether they are whole, their headers, and the blocks of BGZF."""
