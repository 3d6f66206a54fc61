"""The names of the files in the folder of results, relative to it.

The rules read this module too, by its path, so it imports nothing.
"""

SAMPLES = "samples.tsv"
EXCLUDED = "excluded_samples.tsv"
WARNINGS = "warnings.tsv"
INPUTS = "inputs.json"
DIFFERING = "differing.json"  # only of a plan
SETTINGS = "settings/{step}.json"  # of what is made of the counts
PROVENANCE = "provenance.json"
REGIONS = "regions/{region_set}.npz"  # for jobs
BED = "regions/{region_set}.bed"  # the same for people
SUPPORT = "regions/{region_set}.support.parquet"
COVERAGE = "coverage"
COUNTS_THERE, EVIDENCE_THERE = "{sample}/{region_set}.npy", "{sample}/evidence.json"  # relative to this folder
COUNTS, EVIDENCE = f"{COVERAGE}/{COUNTS_THERE}", f"{COVERAGE}/{EVIDENCE_THERE}"
STATS = "matrix/{region_set}.stats.tsv"
REGION_STATS = "matrix/{region_set}.region_stats.tsv.gz"
PCA = "matrix/{region_set}.pca.tsv"
CORRELATION = "matrix/{region_set}.correlation.tsv"
SUMMARY = "matrix/{region_set}.summary.json"
MATRIX = "matrix/{region_set}.matrix_{kind}.{format}"
REPORT = "report.html"
PICTURES = "report"
MULTIQC = "multiqc"
