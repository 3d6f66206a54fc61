"""Packs: small jobs of one rule that share a submission, one after another in one Snakemake process.

`packing` says which jobs share a submission and what it asks for, and `notes` has what that process writes down about
each job, and how it is read.
"""

from snakemake_executor_plugin_divvy.packs.packing import Member, Pack, combine_resources, get_pack, make_packs

__all__ = ["Member", "Pack", "combine_resources", "get_pack", "make_packs"]
