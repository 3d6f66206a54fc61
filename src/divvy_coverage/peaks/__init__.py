"""Peak files, and the consensus regions that are made of the peaks of all samples."""
