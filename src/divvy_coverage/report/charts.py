"""The report's plots, as Altair charts of plain data. They have no width: the page and the pictures give them one."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from divvy_coverage.report.colors import GREY, PALETTE, SEQUENTIAL, Colouring

Floats = NDArray[np.float64]

MOST_BARS = 40  # samples; more are points, sorted by value
MOST_LINES = 100  # samples; more are bands
OUTLYING = 5  # samples drawn beside the bands
MOST_LABELS = 60  # samples along an axis of the heatmap
MOST_CELLS = 240  # along an axis of the heatmap; more samples are averaged
BLUE = PALETTE[0]
TEXT = {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 220}
CONFIG: dict[str, Any] = {
    "font": "Helvetica, Arial, DejaVu Sans, sans-serif",
    "axis": {"gridColor": "#e6e6e6", "domainColor": "#888", "tickColor": "#888", **TEXT},
    "legend": {"symbolLimit": 60, **TEXT},
    "view": {"stroke": None},
}

alt.data_transformers.disable_max_rows()


def per_sample(labels: Sequence[str], values: Sequence[float | None], title: str, form: str) -> alt.LayerChart:
    """Draw a value a sample: bars with labels, or for many samples points sorted by value; with the median.

    `form` is how numbers are written, as d3-format has it.
    """
    frame = pd.DataFrame({"sample": list(labels), "value": values})
    value = {"title": title, "axis": alt.Axis(format=form)}
    tooltip = [alt.Tooltip("sample:N"), alt.Tooltip("value:Q", title=title, format=form)]
    base = alt.Chart(frame)
    if len(frame) <= MOST_BARS:
        y = alt.Y("sample:N", title=None, scale=alt.Scale(domain=list(labels)))  # with samples without a value
        marks = base.mark_bar(color=BLUE, height={"band": 0.75}).encode(alt.X("value:Q", **value), y, tooltip=tooltip)
        median = base.mark_rule(strokeDash=[4, 3]).encode(x="median(value):Q")
        return (marks + median).properties(height=alt.Step(18))
    ranked = base.transform_filter("isValid(datum.value)").transform_window(
        rank="row_number()", sort=[alt.SortField("value")]
    )
    x = alt.X("rank:Q", title="samples, sorted", scale=alt.Scale(domain=[0, len(frame) + 1], nice=False))
    y = alt.Y("value:Q", scale=alt.Scale(zero=True), **value)
    marks = ranked.mark_circle(color=BLUE, size=18, opacity=0.8).encode(x, y, tooltip=tooltip)
    median = base.mark_rule(strokeDash=[4, 3]).encode(y="median(value):Q")
    return (marks + median).properties(height=260)


def curves(
    labels: Sequence[str], places: Floats, values: Floats, titles: tuple[str, str], group: Colouring | None = None
) -> alt.LayerChart:
    """Draw a curve a sample (`values`, samples × places), or for many samples their quantiles and some far from them.

    `titles` are those of the axes; `group` colours the curves.
    """
    known = np.flatnonzero(~np.isnan(values).any(axis=1)).tolist()
    if len(known) > MOST_LINES:
        return _bands([labels[i] for i in known], places, values[known], titles)
    frame = _long([labels[i] for i in known], places, values[known])
    colour: Any = alt.value(BLUE)
    if group is not None:
        frame["group"] = np.repeat([str(group.values[i]) for i in known], len(places))
        colour = _colour("group", group)
    near = alt.selection_point(on="pointerover", nearest=True, fields=["sample"], clear="pointerout")
    base = alt.Chart(frame).encode(*_axes(titles), detail="sample:N", color=colour)
    lines = base.mark_line(strokeWidth=1.4).encode(opacity=alt.condition(near, alt.value(0.8), alt.value(0.15)))
    points = base.mark_point(opacity=0).encode(tooltip=[alt.Tooltip("sample:N"), *_tooltips(titles)]).add_params(near)
    return (lines + points).properties(height=280)


def _bands(labels: Sequence[str], places: Floats, values: Floats, titles: tuple[str, str]) -> alt.LayerChart:
    """Draw median, quartiles and 5 to 95 % of all curves, and those farthest from the median."""
    quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    frame = pd.DataFrame(quantiles.T, columns=["low", "first", "value", "third", "high"])
    frame["place"] = places
    base = alt.Chart(frame).encode(_axes(titles)[0])
    wide, narrow = (
        base.mark_area(color=GREY, opacity=opacity).encode(alt.Y(f"{low}:Q", title=titles[1]), alt.Y2(f"{high}:Q"))
        for low, high, opacity in (("low", "high", 0.4), ("first", "third", 0.8))
    )
    median = base.mark_line(color="black", strokeWidth=2).encode(y="value:Q", tooltip=_tooltips(titles))
    far = farthest(values)
    outlying = [labels[i] for i in far]
    colour = _colour("sample", Colouring("farthest from the median", outlying))
    lines = alt.Chart(_long(outlying, places, values[far])).mark_line(strokeWidth=1)
    lines = lines.encode(*_axes(titles), colour, tooltip=[alt.Tooltip("sample:N"), *_tooltips(titles)])
    return (wide + narrow + median + lines).properties(height=280)


def _long(labels: Sequence[str], places: Floats, values: Floats) -> pd.DataFrame:
    """Return curves (`values`, samples × places) with a row a point."""
    points = {"place": np.tile(places, len(labels)), "value": values.ravel()}
    return pd.DataFrame({"sample": np.repeat(list(labels), len(places)), **points})


def farthest(values: Floats) -> list[int]:
    """Return the rows of `values` (samples × places) with the largest absolute distance from the median row."""
    distance = np.abs(values - np.median(values, axis=0)).sum(axis=1)
    return [int(row) for row in np.argsort(-distance, kind="stable")[:OUTLYING]]


def _axes(titles: tuple[str, str]) -> tuple[alt.X, alt.Y]:
    x = alt.X("place:Q", title=titles[0], scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=5))
    return x, alt.Y("value:Q", title=titles[1])


def _tooltips(titles: tuple[str, str]) -> list[alt.Tooltip]:
    return [alt.Tooltip("place:Q", title=titles[0]), alt.Tooltip("value:Q", title=titles[1], format=".3~g")]


def _colour(field: str, group: Colouring) -> alt.Color:
    colours, _ = group.palette()
    scale = alt.Scale(domain=group.groups(), range=colours)
    return alt.Color(f"{field}:N", title=group.title, scale=scale, legend=alt.Legend(symbolType="stroke"))


def heatmap(labels: Sequence[str], correlation: Floats) -> alt.Chart:
    """Draw correlations (n × n) of samples in the order given; more than MOST_CELLS samples in means of blocks."""
    names, values = averaged(labels, correlation)
    n = len(names)
    frame = pd.DataFrame({"x": np.tile(names, n), "y": np.repeat(names, n), "r": values.ravel()})
    side = n * max(2, min(30, 640 // n))
    told = {
        "title": None,
        "labels": n <= MOST_LABELS,
        "ticks": n <= MOST_LABELS,
        "labelFontSize": min(11, side // n - 1),
    }
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    scale = alt.Scale(scheme=SEQUENTIAL, domain=[min(low, high - 0.001), high], clamp=True)
    return (
        alt.Chart(frame)
        .mark_rect()
        .encode(
            alt.X("x:N", sort=None, axis=alt.Axis(labelAngle=-90, **told)),
            alt.Y("y:N", sort=None, axis=alt.Axis(**told)),
            alt.Color("r:Q", title="Pearson's r", scale=scale),
            tooltip=[*(alt.Tooltip(f"{side}:N", title=side) for side in "xy"), alt.Tooltip("r:Q", format=".3f")],
        )
        .properties(width=side, height=side)
    )


def averaged(labels: Sequence[str], values: Floats) -> tuple[list[str], Floats]:
    """Return a square matrix with at most MOST_CELLS rows: means of blocks of neighbours, named after their ends."""
    step = -(-len(labels) // MOST_CELLS)
    if step <= 1:
        return list(labels), values
    starts = np.arange(0, len(labels), step)
    known = np.isfinite(values)
    sums, numbers = (
        np.add.reduceat(np.add.reduceat(part, starts, axis=0), starts, axis=1)
        for part in (np.where(known, values, 0.0), known.astype(np.float64))
    )
    blocks = [labels[start : start + step] for start in starts.tolist()]
    means = np.divide(sums, numbers, out=np.full_like(sums, np.nan), where=numbers > 0)
    return [f"{block[0]} … {block[-1]}" if len(block) > 1 else block[0] for block in blocks], means


def pca(frame: pd.DataFrame, encoding: dict[str, Any]) -> alt.Chart:
    """Draw samples by principal components; `encoding` is of `pca_axes` and `pca_colour`, `frame` has its fields."""
    size = 80 if len(frame) <= 100 else 40 if len(frame) <= 1000 else 15
    return alt.Chart(frame).mark_point(filled=True, size=size, opacity=0.8).encode(**encoding).properties(height=420)


def pca_axes(x: int, y: int, explained: Sequence[float]) -> dict[str, Any]:
    """Return the axes of two principal components (numbers from 1), which tell the share of the variance explained."""
    known = {number for number, share in enumerate(explained, start=1) if np.isfinite(share)}
    titles = [
        f"PC{number} ({explained[number - 1]:.1%} of the variance)" if number in known else f"PC{number}"
        for number in (x, y)
    ]
    scale = alt.Scale(zero=False, padding=15)
    return {
        "x": alt.X(f"PC{x}:Q", title=titles[0], scale=scale),
        "y": alt.Y(f"PC{y}:Q", title=titles[1], scale=scale),
    }


def pca_colour(field: str, colouring: Colouring | None) -> dict[str, Any]:
    """Return colour, shape and tooltip of samples by a field; None: all alike."""
    sample = alt.Tooltip("sample:N")
    if colouring is None:
        return {"color": alt.value(BLUE), "shape": alt.value("circle"), "tooltip": [sample]}
    # a tooltip of this name would be an image
    title = colouring.title if colouring.title != "image" else "image:"
    if colouring.continuous:
        known = alt.Color(f"{field}:Q", title=colouring.title, scale=alt.Scale(scheme=SEQUENTIAL))
        colour = alt.condition(f"isValid(datum.{field})", known, alt.value(GREY))
        tooltip = [sample, alt.Tooltip(f"{field}:Q", title=title, format=",.4~g")]
        return {"color": colour, "shape": alt.value("circle"), "tooltip": tooltip}
    colours, shapes = colouring.palette()
    groups = colouring.groups()
    return {
        "color": alt.Color(f"{field}:N", title=colouring.title, scale=alt.Scale(domain=groups, range=colours)),
        "shape": alt.Shape(f"{field}:N", title=colouring.title, scale=alt.Scale(domain=groups, range=shapes)),
        "tooltip": [sample, alt.Tooltip(f"{field}:N", title=title)],
    }


def mean_variance(mean: Floats, variance: Floats) -> alt.LayerChart | None:
    """Draw how many regions have which mean and variance, and the line on which they are equal (Poisson)."""
    return _density(mean, variance, "variance", [mean[mean > 0].min(), mean.max()] if (mean > 0).any() else [])


def dispersion(mean: Floats, values: Floats) -> alt.LayerChart | None:
    """Draw how many regions have which mean and dispersion; those that vary less than Poisson have none to draw."""
    return _density(mean, values, "dispersion", [])


def _density(x: Floats, y: Floats, title: str, line: Sequence[float]) -> alt.LayerChart | None:
    """Draw numbers of points in bins of both logarithms, the median of y by x, and y = x at the ends of `line`."""
    drawn = (x > 0) & (y > 0)
    if np.count_nonzero(drawn) < 2:
        return None
    log_x, log_y = np.log10(x[drawn]), np.log10(y[drawn])
    numbers, edges_x, edges_y = np.histogram2d(log_x, log_y, bins=(90, 60))
    chart = _rectangles(numbers, 10**edges_x, 10**edges_y, title) + _trend(log_x, log_y, edges_x)
    if line:
        ends = pd.DataFrame({"x": [max(line[0], 10 ** edges_y[0]), min(line[1], 10 ** edges_y[-1])]})
        dashes = alt.Chart(ends).mark_line(color="black", strokeDash=[5, 3], clip=True)
        chart += dashes.encode(alt.X("x:Q"), alt.Y("x:Q"))
    return chart.properties(height=320)


def _rectangles(numbers: Floats, x: Floats, y: Floats, title: str) -> alt.Chart:
    """Draw a rectangle a bin that has points; `x` and `y` are the edges."""
    i, j = np.nonzero(numbers)
    cells = {"x": x[i], "x2": x[i + 1], "y": y[j], "y2": y[j + 1], "regions": numbers[i, j].astype(int)}
    scale = alt.Scale(type="log", nice=False)
    axes = [alt.Axis(format="~g", tickCount=6, grid=False, title=text) for text in ("mean count", title)]
    colour = alt.Scale(scheme=SEQUENTIAL, type="log" if numbers.max() > 1 else "linear")
    lower = {"x": "mean from", "y": f"{title} from"}
    return (
        alt.Chart(pd.DataFrame(cells))
        .mark_rect()
        .encode(
            alt.X("x:Q", scale=scale, axis=axes[0]),
            alt.Y("y:Q", scale=scale, axis=axes[1]),
            alt.X2("x2:Q"),
            alt.Y2("y2:Q"),
            alt.Color("regions:Q", scale=colour, legend=alt.Legend(title="regions", tickCount=4, format="~s")),
            tooltip=[
                "regions:Q",
                *(alt.Tooltip(f"{name}:Q", title=text, format=".3~g") for name, text in lower.items()),
            ],
        )
    )


def _trend(log_x: Floats, log_y: Floats, edges: Floats) -> alt.Chart:
    """Draw the median of y in every third bin of x that has at least 10 points."""
    wide = edges[::3]
    bins = np.digitize(log_x, wide[1:-1])
    medians = pd.Series(log_y).groupby(bins).agg(["median", "size"])
    medians = medians[medians["size"] >= 10]
    middle = (wide[:-1] + wide[1:])[medians.index] / 2
    frame = pd.DataFrame({"x": 10**middle, "y": 10 ** medians["median"].to_numpy()})
    return alt.Chart(frame).mark_line(color=PALETTE[1], strokeWidth=2).encode(alt.X("x:Q"), alt.Y("y:Q"))


def detection(shares: Floats) -> alt.Chart:
    """Draw how many regions have a count in which share of the samples."""
    numbers, edges = np.histogram(shares[np.isfinite(shares)], bins=20, range=(0, 1))
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "regions": numbers})
    x = alt.X("from:Q", title="share of samples with a count", axis=alt.Axis(format=".0%", tickCount=5), bin="binned")
    tooltip = [alt.Tooltip("regions:Q", format=","), *(alt.Tooltip(f"{end}:Q", format=".0%") for end in ("from", "to"))]
    y = alt.Y("regions:Q", axis=alt.Axis(format=",.9~g"))
    return alt.Chart(frame).mark_bar(color=BLUE).encode(x, alt.X2("to:Q"), y, tooltip=tooltip).properties(height=260)
