"""The sections of the report: which plots there are, and what each is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import pandas as pd

from divvy_coverage.report import captions, charts, region_charts
from divvy_coverage.report.colors import Coloring, build_statistic_coloring, choose_grouping
from divvy_coverage.report.data import RegionSet, Run
from divvy_coverage.report.table_columns import REGION_SET_COLUMNS, SAMPLE_COLUMNS, get_values

Option = tuple[str, dict[str, Any]]  # its label, and the encoding of the plot that it sets

SVG_MARKS = 3000  # rows of data; plots with more are drawn as pixels
# of each statistic that is drawn: title, format of numbers (d3), caption with {counted} for what is counted
BARS = {
    "frip": ("FRiP", ".0%", captions.FRIP),
    "library_size": ("Library size", "~s", captions.LIBRARY),
    "regions_detected": ("Detected regions", ",.9~g", captions.DETECTED),
}
# of each kind of curves: title, caption, titles of the axes
CURVES = {
    "fragments": ("Fragment lengths", captions.FRAGMENTS, ("length (bp)", "% of fragments per bp")),
    "mapping_quality": ("Mapping quality", captions.QUALITY, ("mapping quality", "fraction with at least this")),
    "tss": ("Start sites (TSS)", captions.TSS, ("distance from a start site (bp)", "enrichment")),
}


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes
    ----------
    id
        Of its element on the page.
    title, caption
        What stands above and below it.
    spec
        Its Vega-Lite specification.
    choices
        Selections (by label) that change its encoding.
    wide
        Whether it takes the whole width of the page.
    """

    id: str
    title: str
    caption: str
    spec: dict[str, Any]
    choices: dict[str, list[Option]] = field(default_factory=dict)
    wide: bool = False

    @property
    def renderer(self) -> str:
        """How the page should draw it."""
        return "svg" if sum(map(len, self.spec.get("datasets", {}).values())) <= SVG_MARKS else "canvas"


@dataclass(frozen=True)
class Section:
    """Plots under a heading."""

    id: str
    title: str
    text: str
    plots: list[Plot]


def build_sections(run: Run) -> list[Section]:
    """Return the sections: library sizes, what does not depend on regions, and one section per region set."""
    libraries = [
        plot for region_set in run.region_sets for plot in _build_bars(run, region_set, ("frip", "library_size"))
    ]
    sections = [
        Section("libraries", "FRiP and library sizes", "", libraries),
        Section("alignments", "Alignments", "These do not depend on the regions.", _build_curves(run)),
        *(_build_region_section(run, region_set) for region_set in run.region_sets),
    ]
    return [section for section in sections if section.plots]


def _build_curves(run: Run) -> list[Plot]:
    """Return the plots with one curve per sample."""
    group = choose_grouping(run.colorings)
    plots = []
    for kind, (title, caption, axes) in CURVES.items():
        if kind in run.curves:
            curves = run.curves[kind]
            chart = charts.draw_curves(run.labels, curves.places, curves.values, axes, group)
            plots.append(Plot(kind, title, f"{caption} {captions.describe_curves(len(run))}", _build_fluid_spec(chart)))
    return plots


def _build_region_section(run: Run, region_set: RegionSet) -> Section:
    """Return the section of a region set, without the plots that there is no data for."""
    plots = [
        *_build_bars(run, region_set, ("regions_detected",)),
        _build_detection(region_set),
        _build_heatmap(run, region_set),
        _build_components(run, region_set),
        *_build_variances(region_set),
    ]
    title = f"Regions: {region_set.name}"
    return Section(f"set-{region_set.name}", title, _describe(region_set), [plot for plot in plots if plot])


def _describe(region_set: RegionSet) -> str:
    summary = region_set.summary
    sizes = {"usable": f"usable {region_set.counted}", "regions": "the sum of the counts"}
    parts = [
        f"{len(region_set.regions):,} regions",
        f"counted: {region_set.counting['unit'].replace('_', ' ')}" if "unit" in region_set.counting else "",
        f"normalized: {summary['normalization']}" if "normalization" in summary else "",
        f"library size: {sizes[summary['library_size']]}" if summary.get("library_size") in sizes else "",
    ]
    return " · ".join(part for part in parts if part)


def _build_bars(run: Run, region_set: RegionSet, columns: Sequence[str]) -> list[Plot]:
    """Return one plot for each of these statistics (of BARS) that the region set has."""
    plots = []
    for column in columns:
        title, form, caption = BARS[column]
        numbers = get_values(region_set, column)
        if any(number is not None for number in numbers):
            chart = charts.draw_values(run.labels, numbers, title, form)
            heading = f"{title}: {region_set.name}" if len(run.region_sets) > 1 and len(columns) > 1 else title
            text = caption.format(counted=region_set.counted)
            plots.append(Plot(f"{column}-{region_set.name}", heading, text, _build_fluid_spec(chart)))
    return plots


def _build_detection(region_set: RegionSet) -> Plot | None:
    rates = region_set.regions.get("detection_rate")
    if rates is None or not rates.notna().any():
        return None
    spec = _build_fluid_spec(region_charts.draw_detection_rates(rates.to_numpy()))
    return Plot(f"detection_rate-{region_set.name}", "Regions by detection rate", captions.DETECTION_RATE, spec)


def _build_heatmap(run: Run, region_set: RegionSet) -> Plot | None:
    shown = len(region_set.clustered)
    if shown < 2:
        return None
    chart = charts.draw_heatmap([run.labels[i] for i in region_set.clustered], region_set.correlation)
    caption = captions.CORRELATION + captions.describe_heatmap(shown, len(run))
    spec = charts.build_spec(chart)
    return Plot(f"correlation-{region_set.name}", "Correlation of samples", caption, spec, wide=True)


def _build_components(run: Run, region_set: RegionSet) -> Plot | None:
    number = min(3, region_set.scores.shape[1])
    if number < 2:
        return None
    candidates = [*run.colorings, *_find_statistic_colorings(region_set)]
    first = choose_grouping(run.colorings) or next(iter(candidates), None)
    fields = {f"c{i}": coloring for i, coloring in enumerate(candidates)}
    options = [(c.name, charts.build_encoding(charts.encode_coloring(name, c))) for name, c in fields.items()]
    options.sort(key=lambda option: first is None or option[0] != first.name)
    plain = charts.encode_coloring("", None)
    explained = region_set.summary.get("explained_variance", [])
    pairs = [(x, y) for x in range(1, number) for y in range(x + 1, number + 1)]
    axes = {(x, y): charts.encode_component_axes(x, y, explained) for x, y in pairs}
    frame = build_component_table(run, region_set, number, {name: list(c.values) for name, c in fields.items()})
    spec = _build_fluid_spec(charts.draw_components(frame, axes[1, 2] | plain))
    choices = {
        "Color": [*options, ("none", charts.build_encoding(plain))],
        "Axes": [(f"PC{x} and PC{y}", charts.build_encoding(each)) for (x, y), each in axes.items()],
    }
    return Plot(f"pca-{region_set.name}", "Principal components", captions.PCA, spec, choices, wide=True)


def build_component_table(run: Run, region_set: RegionSet, number: int, more: dict[str, list[Any]]) -> pd.DataFrame:
    """Return one row per sample: its label, its first `number` principal components, and the columns `more`."""
    scores = {f"PC{i + 1}": region_set.scores[:, i] for i in range(number)}
    return pd.DataFrame({"sample": run.labels, **scores, **more})


def _find_statistic_colorings(region_set: RegionSet) -> list[Coloring]:
    """Return the statistics that can color samples."""
    columns = [column.fill(region_set.counted) for column in (*REGION_SET_COLUMNS, *SAMPLE_COLUMNS)]
    colorings = [build_statistic_coloring(column.title, get_values(region_set, column.name)) for column in columns]
    return [coloring for coloring in colorings if coloring]


def _build_variances(region_set: RegionSet) -> list[Plot]:
    """Return the plots of variance and dispersion by the mean, if there are any."""
    regions, name = region_set.regions, region_set.name
    if not {"mean", "variance", "dispersion"} <= set(regions):
        return []
    mean, variance, dispersion = (regions[column].to_numpy() for column in ("mean", "variance", "dispersion"))
    plots = (
        (
            f"mean-variance-{name}",
            "Mean and variance",
            captions.MEAN_VARIANCE,
            region_charts.draw_mean_variance(mean, variance),
        ),
        (f"dispersion-{name}", "Dispersion", captions.DISPERSION, region_charts.draw_dispersion(mean, dispersion)),
    )
    return [Plot(id, title, text, _build_fluid_spec(chart)) for id, title, text, chart in plots if chart is not None]


def _build_fluid_spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """Return the specification of a chart that is as wide as its place on the page."""
    return charts.build_spec(chart) | {"width": "container"}
