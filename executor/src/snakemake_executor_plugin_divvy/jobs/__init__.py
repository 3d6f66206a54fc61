"""The process of a job: Snakemake, which here does what was planned or refuses to.

`plan` is what the run hands to its jobs, `process` what a job runs.
"""
