"""Sample sheets: PEPs and plain tables, what is wrong with them, and the samples that they describe."""
