"""Peak files, and the consensus regions that are built from them."""
