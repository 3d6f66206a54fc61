"""The sections of the report: which plots there are, and what is said about each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import pandas as pd

from divvy_coverage.report import charts
from divvy_coverage.report.colors import Colouring, colourings, grouping, statistic
from divvy_coverage.report.data import RegionSet, Run
from divvy_coverage.report.table import OF_REGION_SETS, OF_SAMPLES, of

Option = tuple[str, dict[str, Any]]  # its label, and the encoding of the plot that it sets

SVG_MARKS = 3000  # rows of data; plots of more are drawn as pixels


@dataclass(frozen=True)
class Plot:
    """A plot: its Vega-Lite specification, what it shows, and selections (by label) that change its encoding."""

    id: str
    title: str
    caption: str
    spec: dict[str, Any]
    choices: dict[str, list[Option]] = field(default_factory=dict)
    wide: bool = False

    @property
    def renderer(self) -> str:
        """Return how the page should draw it."""
        return "svg" if sum(map(len, self.spec.get("datasets", {}).values())) <= SVG_MARKS else "canvas"


@dataclass(frozen=True)
class Section:
    """Plots under a heading."""

    id: str
    title: str
    text: str
    plots: list[Plot]


FRIP = (
    "The share of what is counted that overlaps a region; the dashed line is the median. High is good: samples "
    "far below the others have a weak signal. Of ATAC-seq in its peaks, ENCODE calls 20 % acceptable, 30 % good."
)
LIBRARY = (
    "What counts are divided by to compare samples; the dashed line is the median. Samples of like size compare "
    "best; of a small one, differences from others are noise first."
)
DETECTED = (
    "Regions with at least one count. The number grows with the size of the library; a sample with few of them "
    "for its library is of low complexity."
)
DETECTION = (
    "How many regions have a count in which share of the samples. Most regions should be to the right; those to "
    "the left are seen in few samples, and tell little about the others."
)
FRAGMENTS = (
    "Lengths of the fragments up to 1,000 bp. ATAC-seq of good quality has a peak below 100 bp (open chromatin) "
    "and one at about 200 bp (one nucleosome), with smaller ones for more; a curve unlike the others is another "
    "library preparation."
)
QUALITY = (
    "The share of the primary alignments that have at least this mapping quality: what would remain with it as "
    "min_mapq. A curve that falls early has many alignments in repeats, or of another organism."
)
TSS = (
    "Cut sites by their distance from transcription start sites, over those 2 kb away. A high and narrow peak is "
    "good; a flat line means little signal."
)
CORRELATION = (
    "Pearson's r of the normalised counts of the most variable regions; samples are in the order of their "
    "clustering. Replicates should be neighbours in a bright block; a dark cross is a sample unlike all others."
)
PCA = (
    "Samples by their principal components: those near each other have like counts. Groups of the experiment "
    "should explain the first components; if library size, FRiP or batch do so, they have to be accounted for."
)
MEAN_VARIANCE = (
    "Regions by mean and variance of their counts, scaled to the mean library size. Noise of counting alone would "
    "be on the dashed line (Poisson); the orange line, the median, rises above it where samples differ."
)
DISPERSION = (
    "The variance beyond that of counting: (variance − mean) / mean². Its root is the coefficient of variation "
    "between samples. It falls and then levels off (the orange line is the median); near 1 at high means, samples "
    "differ a lot. Regions that vary less than Poisson are not drawn."
)


def sections(run: Run, title: str) -> list[Section]:
    """Return the sections: the size of libraries, what regions have no part in, and a section a region set.

    `title` is the attribute that labels the samples.
    """
    colours = colourings(run.samples, title)
    libraries = [plot for region_set in run.region_sets for plot in _bars(run, region_set, ("frip", "library_size"))]
    found = [
        Section("libraries", "FRiP and library sizes", "", libraries),
        Section("alignments", "Alignments", "These do not depend on regions.", _of_samples(run, grouping(colours))),
        *(_of_region_set(run, region_set, colours) for region_set in run.region_sets),
    ]
    return [section for section in found if section.plots]


def _of_samples(run: Run, group: Colouring | None) -> list[Plot]:
    """Return the plots with a curve a sample."""
    kinds = {
        "fragments": ("Fragment lengths", FRAGMENTS, ("length (bp)", "% of fragments per bp")),
        "mapping_quality": ("Mapping quality", QUALITY, ("mapping quality", "share with at least this")),
        "tss": ("Start sites (TSS)", TSS, ("distance from a start site (bp)", "enrichment")),
    }
    plots = []
    for kind, (title, caption, axes) in kinds.items():
        if kind in run.curves:
            curves = run.curves[kind]
            chart = charts.curves(run.labels, curves.places, curves.values, axes, group)
            plots.append(Plot(kind, title, f"{caption} {_how_drawn(len(run))}", _wide(chart)))
    return plots


def _how_drawn(samples: int) -> str:
    if samples <= charts.MOST_LINES:
        return "A line a sample; point at one to see which."
    return (
        f"Of so many samples: median (black), quartiles and 5 to 95 % (grey), "
        f"and the {charts.OUTLYING} samples farthest from the median."
    )


def _of_region_set(run: Run, region_set: RegionSet, colours: Sequence[Colouring]) -> Section:
    """Return the section of a region set, without the plots that it has no data for."""
    plots = [
        *_bars(run, region_set, ("regions_detected",)),
        _detection(region_set),
        _heatmap(run, region_set),
        _pca(run, region_set, colours),
        *_regions(region_set),
    ]
    title = f"Regions: {region_set.name}"
    return Section(f"set-{region_set.name}", title, _described(region_set), [plot for plot in plots if plot])


def _described(region_set: RegionSet) -> str:
    summary = region_set.summary
    counting = summary.get("counting", {})
    told = [
        f"{len(region_set.regions):,} regions",
        f"counted: {counting['mode']}" if "mode" in counting else "",
        f"normalised: {summary['normalization']}" if "normalization" in summary else "",
        f"library size: {summary['library_size']}" if "library_size" in summary else "",
    ]
    return " · ".join(part for part in told if part)


def _bars(run: Run, region_set: RegionSet, columns: Sequence[str]) -> list[Plot]:
    """Return a plot of each of these statistics that is told of a region set."""
    told = {
        "frip": ("FRiP", ".0%", FRIP),
        "library_size": ("Library size", "~s", LIBRARY),
        "regions_detected": ("Detected regions", ",.9~g", DETECTED),
    }
    plots = []
    for column in columns:
        title, form, caption = told[column]
        numbers = of(region_set, column)
        if any(number is not None for number in numbers):
            chart = charts.per_sample(run.labels, numbers, title, form)
            heading = f"{title}: {region_set.name}" if len(run.region_sets) > 1 and len(columns) > 1 else title
            plots.append(Plot(f"{column}-{region_set.name}", heading, caption, _wide(chart)))
    return plots


def _detection(region_set: RegionSet) -> Plot | None:
    shares = region_set.regions.get("detection")
    if shares is None or not shares.notna().any():
        return None
    chart = charts.detection(shares.to_numpy())
    return Plot(f"detection-{region_set.name}", "Regions by detection", DETECTION, _wide(chart))


def _heatmap(run: Run, region_set: RegionSet) -> Plot | None:
    n = len(region_set.clustered)
    if n < 2:
        return None
    chart = charts.heatmap([run.labels[i] for i in region_set.clustered], region_set.correlation)
    more = "" if n == len(run) else f" {n:,} of {len(run):,} samples."
    more += f" Neighbours are averaged, at most {charts.MOST_CELLS} a side." if n > charts.MOST_CELLS else ""
    title = "Correlation of samples"
    return Plot(f"correlation-{region_set.name}", title, CORRELATION + more, finished(chart), wide=True)


def _pca(run: Run, region_set: RegionSet, colours: Sequence[Colouring]) -> Plot | None:
    number = min(3, region_set.scores.shape[1])
    if number < 2:
        return None
    candidates = [*colours, *_statistics(region_set)]
    first = grouping(colours) or next(iter(candidates), None)
    fields = {f"c{i}": colouring for i, colouring in enumerate(candidates)}
    options = [(c.title, _encoding(charts.pca_colour(name, c))) for name, c in fields.items()]
    options.sort(key=lambda option: first is None or option[0] != first.title)
    axes = [(x, y) for x in range(1, number) for y in range(x + 1, number + 1)]
    explained = region_set.summary.get("explained_variance", [])
    pairs = [(f"PC{x} and PC{y}", _encoding(charts.pca_axes(x, y, explained))) for x, y in axes]
    frame = pca_frame(run, region_set, number, {name: list(c.values) for name, c in fields.items()})
    spec = finished(charts.pca(frame, charts.pca_axes(1, 2, explained) | charts.pca_colour("", None)))
    choices = {"Colour": [*options, ("none", _encoding(charts.pca_colour("", None)))], "Axes": pairs}
    spec["width"] = "container"
    return Plot(f"pca-{region_set.name}", "Principal components", PCA, spec, choices, wide=True)


def pca_frame(run: Run, region_set: RegionSet, number: int, more: dict[str, list[Any]]) -> pd.DataFrame:
    """Return a row a sample: its label, its first `number` principal components, and `more`."""
    scores = {f"PC{i + 1}": region_set.scores[:, i] for i in range(number)}
    return pd.DataFrame({"sample": run.labels, **scores, **more})


def _statistics(region_set: RegionSet) -> list[Colouring]:
    """Return the statistics that can colour samples."""
    told = [statistic(column.title, of(region_set, column.name)) for column in (*OF_REGION_SETS, *OF_SAMPLES)]
    return [colouring for colouring in told if colouring]


def _regions(region_set: RegionSet) -> list[Plot]:
    """Return the plots of mean, variance and dispersion, if there are any."""
    regions, name = region_set.regions, region_set.name
    if not {"mean", "variance", "dispersion"} <= set(regions):
        return []
    mean, variance, spread = (regions[column].to_numpy() for column in ("mean", "variance", "dispersion"))
    found = (
        (f"mean-variance-{name}", "Mean and variance", MEAN_VARIANCE, charts.mean_variance(mean, variance)),
        (f"dispersion-{name}", "Dispersion", DISPERSION, charts.dispersion(mean, spread)),
    )
    return [Plot(id, title, caption, _wide(chart)) for id, title, caption, chart in found if chart is not None]


def finished(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """Return a chart's specification; the page and the pictures have the configuration."""
    spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)
    return spec


def _wide(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """Return a specification of a chart that is as wide as its place on the page."""
    return finished(chart) | {"width": "container"}


def _encoding(channels: dict[str, Any]) -> dict[str, Any]:
    """Return channels as a specification has them."""
    chart = alt.Chart(alt.NamedData("none")).mark_point().encode(**channels)
    encoding: dict[str, Any] = chart.to_dict()["encoding"]
    return encoding
