"""What runs leave behind: `journal` knows what was submitted, `records` is its file, `lease` tells who still lives."""

from snakemake_executor_plugin_divvy.journal.journal import NAME, Entry, Journal

__all__ = ["NAME", "Entry", "Journal"]
