"""What the report says about its plots."""

from divvy_coverage.report.charts import MOST_CELLS, MOST_LINES, OUTLYING

FRIP = (
    "The fraction of the usable {counted} that are in regions; the dashed line is the median. High is good: samples "
    "far below the others have a weak signal. For ATAC-seq in its peaks, ENCODE calls 20% acceptable and 30% good."
)
LIBRARY = (
    "What counts are divided by to compare samples; the dashed line is the median. Samples of similar size compare "
    "best; for a small library, differences from the others are mostly noise."
)
DETECTED = (
    "Regions with at least one count. Their number grows with library size; a sample with few of them for its library "
    "size is of low complexity."
)
DETECTION_RATE = (
    "Numbers of regions by detection rate: the fraction of samples that have a count there. Most regions should be on "
    "the right; those on the left are seen in few samples and say little about the others."
)
FRAGMENTS = (
    "Fragment lengths up to 1,000 bp. ATAC-seq of good quality has a peak below 100 bp (open chromatin) and one at "
    "about 200 bp (one nucleosome), followed by smaller ones for more nucleosomes; a curve unlike the others means a "
    "different library preparation."
)
QUALITY = (
    "The fraction of the primary alignments with at least this mapping quality: what would remain with it as min_mapq. "
    "A curve that falls early has many alignments in repeats or from another organism."
)
TSS = (
    "Insertions by their distance from transcription start sites, over those 2 kb away. A high and narrow peak is "
    "good; a flat line means little signal."
)
CORRELATION = (
    "Pearson's r of the normalized counts in the most variable regions; samples are in the order of their clustering. "
    "Replicates should be neighbors in a bright block; a dark cross is a sample unlike all others."
)
PCA = (
    "Samples by their principal components; samples near each other have similar counts. The groups of the experiment "
    "should explain the first components; if library size, FRiP or batch explains them, account for it."
)
MEAN_VARIANCE = (
    "Regions by the mean and the variance of their counts, scaled to the mean library size. Counting noise alone would "
    "lie on the dashed line (Poisson); the orange line, the median, rises above it where samples differ."
)
DISPERSION = (
    "The variance beyond counting noise: (variance − mean) / mean². Its square root is the coefficient of variation "
    "between samples. Dispersion falls with the mean and then levels off (the orange line is the median); where it is "
    "near 1 at high means, samples differ a lot. Regions that vary less than Poisson are not drawn."
)


def describe_curves(samples: int) -> str:
    """Say what the lines of a plot are that shows the curves of this many samples."""
    if samples <= MOST_LINES:
        return "One line per sample; point at a line to see which."
    return (
        "With this many samples: the median (black), quartiles and the 5–95% range (gray), "
        f"and the {OUTLYING} samples farthest from the median."
    )


def describe_heatmap(shown: int, samples: int) -> str:
    """Say which of the samples a heatmap shows, and how."""
    some = "" if shown == samples else f" {shown:,} of {samples:,} samples are shown."
    return some + (f" Neighbors are averaged, to at most {MOST_CELLS} per side." if shown > MOST_CELLS else "")
