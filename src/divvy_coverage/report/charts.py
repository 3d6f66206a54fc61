"""The report's plots of samples, as Altair charts of plain data, and the Vega-Lite specifications of charts.

Charts have no width: the page and the pictures give them one.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from divvy_coverage.arrays import Floats
from divvy_coverage.report.colors import BLUE, GRAY, SEQUENTIAL, Coloring

MOST_BARS = 40  # samples; more are points, sorted by value
MOST_LINES = 100  # samples; more are bands
OUTLYING = 5  # samples drawn beside the bands
MOST_LABELS = 60  # samples along an axis of the heatmap
MOST_CELLS = 240  # along an axis of the heatmap; more samples are averaged
TEXT = {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 220}
CONFIG: dict[str, Any] = {
    "font": "Helvetica, Arial, DejaVu Sans, sans-serif",
    "axis": {"gridColor": "#e6e6e6", "domainColor": "#888", "tickColor": "#888", **TEXT},
    "legend": {"symbolLimit": 60, **TEXT},
    "view": {"stroke": None},
}


def build_spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """Return the specification of a chart, with data of any size; the page and the pictures have the configuration."""
    with alt.data_transformers.enable("default", max_rows=None):
        spec: dict[str, Any] = chart.to_dict()
    spec.pop("config", None)
    return spec


def build_encoding(channels: dict[str, Any]) -> dict[str, Any]:
    """Return encoding channels as a specification has them."""
    encoding: dict[str, Any] = build_spec(alt.Chart(alt.NamedData("none")).mark_point().encode(**channels))["encoding"]
    return encoding


def draw_values(labels: Sequence[str], values: Sequence[float | None], title: str, form: str) -> alt.LayerChart:
    """Draw one value per sample, and the median: bars with labels, or for many samples points sorted by value.

    `form` is the format of the numbers, as d3-format has it.
    """
    frame = pd.DataFrame({"sample": list(labels), "value": values})
    value = {"title": title, "axis": alt.Axis(format=form)}
    tooltip = [alt.Tooltip("sample:N"), alt.Tooltip("value:Q", title=title, format=form)]
    base = alt.Chart(frame)
    if len(frame) <= MOST_BARS:
        y = alt.Y("sample:N", title=None, scale=alt.Scale(domain=list(labels)))  # also of samples without a value
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


def draw_curves(
    labels: Sequence[str], places: Floats, values: Floats, titles: tuple[str, str], group: Coloring | None = None
) -> alt.LayerChart:
    """Draw one curve per sample, or for many samples their quantiles and the curves farthest from the median.

    Parameters
    ----------
    labels
        Of the samples.
    places, values
        The curves (samples × places; rows of NaN are not drawn).
    titles
        Of the axes.
    group
        What colors the curves; None: all alike.
    """
    known = np.flatnonzero(~np.isnan(values).any(axis=1)).tolist()
    if len(known) > MOST_LINES:
        return _draw_bands([labels[i] for i in known], places, values[known], titles)
    frame = _build_frame([labels[i] for i in known], places, values[known])
    color: Any = alt.value(BLUE)
    if group is not None:
        frame["group"] = np.repeat([str(group.values[i]) for i in known], len(places))
        color = _encode_group("group", group)
    near = alt.selection_point(on="pointerover", nearest=True, fields=["sample"], clear="pointerout")
    base = alt.Chart(frame).encode(*_encode_axes(titles), detail="sample:N", color=color)
    lines = base.mark_line(strokeWidth=1.4).encode(opacity=alt.condition(near, alt.value(0.8), alt.value(0.15)))
    points = (
        base.mark_point(opacity=0).encode(tooltip=[alt.Tooltip("sample:N"), *_encode_tooltips(titles)]).add_params(near)
    )
    return (lines + points).properties(height=280)


def _draw_bands(labels: Sequence[str], places: Floats, values: Floats, titles: tuple[str, str]) -> alt.LayerChart:
    """Draw median, quartiles and the 5–95% range of all curves, and the curves farthest from the median."""
    quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    frame = pd.DataFrame(quantiles.T, columns=["low", "first", "value", "third", "high"])
    frame["place"] = places
    base = alt.Chart(frame).encode(_encode_axes(titles)[0])
    wide, narrow = (
        base.mark_area(color=GRAY, opacity=opacity).encode(alt.Y(f"{low}:Q", title=titles[1]), alt.Y2(f"{high}:Q"))
        for low, high, opacity in (("low", "high", 0.4), ("first", "third", 0.8))
    )
    median = base.mark_line(color="black", strokeWidth=2).encode(y="value:Q", tooltip=_encode_tooltips(titles))
    far = find_farthest(values)
    outlying = [labels[i] for i in far]
    color = _encode_group("sample", Coloring("farthest from the median", outlying))
    lines = alt.Chart(_build_frame(outlying, places, values[far])).mark_line(strokeWidth=1)
    lines = lines.encode(*_encode_axes(titles), color, tooltip=[alt.Tooltip("sample:N"), *_encode_tooltips(titles)])
    return (wide + narrow + median + lines).properties(height=280)


def _build_frame(labels: Sequence[str], places: Floats, values: Floats) -> pd.DataFrame:
    """Return curves (`values`, samples × places) with one row per point."""
    points = {"place": np.tile(places, len(labels)), "value": values.ravel()}
    return pd.DataFrame({"sample": np.repeat(list(labels), len(places)), **points})


def find_farthest(values: Floats) -> list[int]:
    """Return the rows of `values` (samples × places) with the largest absolute distance from the median row."""
    distance = np.abs(values - np.median(values, axis=0)).sum(axis=1)
    return [int(row) for row in np.argsort(-distance, kind="stable")[:OUTLYING]]


def _encode_axes(titles: tuple[str, str]) -> tuple[alt.X, alt.Y]:
    x = alt.X("place:Q", title=titles[0], scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=5))
    return x, alt.Y("value:Q", title=titles[1])


def _encode_tooltips(titles: tuple[str, str]) -> list[alt.Tooltip]:
    return [alt.Tooltip("place:Q", title=titles[0]), alt.Tooltip("value:Q", title=titles[1], format=".3~g")]


def _encode_group(field: str, group: Coloring) -> alt.Color:
    colors, _ = group.get_palette()
    scale = alt.Scale(domain=group.get_groups(), range=colors)
    return alt.Color(f"{field}:N", title=group.name, scale=scale, legend=alt.Legend(symbolType="stroke"))


def draw_heatmap(labels: Sequence[str], correlation: Floats) -> alt.Chart:
    """Draw correlations (n × n) of samples in the order given; for more than MOST_CELLS samples means of blocks."""
    names, values = average_blocks(labels, correlation)
    n = len(names)
    frame = pd.DataFrame({"x": np.tile(names, n), "y": np.repeat(names, n), "r": values.ravel()})
    side = n * max(2, min(30, 640 // n))
    axis = {
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
            alt.X("x:N", sort=None, axis=alt.Axis(labelAngle=-90, **axis)),
            alt.Y("y:N", sort=None, axis=alt.Axis(**axis)),
            alt.Color("r:Q", title="Pearson's r", scale=scale),
            tooltip=[*(alt.Tooltip(f"{side}:N", title=side) for side in "xy"), alt.Tooltip("r:Q", format=".3f")],
        )
        .properties(width=side, height=side)
    )


def average_blocks(labels: Sequence[str], values: Floats) -> tuple[list[str], Floats]:
    """Return a square matrix with at most MOST_CELLS rows: means of blocks of neighbors, named after their ends."""
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


def draw_components(frame: pd.DataFrame, encoding: dict[str, Any]) -> alt.Chart:
    """Draw samples by principal components.

    `encoding` is made by `encode_component_axes` and `encode_coloring`; `frame` has its fields, one row per sample.
    """
    size = 80 if len(frame) <= 100 else 40 if len(frame) <= 1000 else 15
    return alt.Chart(frame).mark_point(filled=True, size=size, opacity=0.8).encode(**encoding).properties(height=420)


def encode_component_axes(x: int, y: int, explained: Sequence[float]) -> dict[str, Any]:
    """Return the axes of two principal components (numbers from 1), with the fractions of the variance explained."""
    known = {number for number, fraction in enumerate(explained, start=1) if np.isfinite(fraction)}
    titles = [
        f"PC{number} ({explained[number - 1]:.1%} of the variance)" if number in known else f"PC{number}"
        for number in (x, y)
    ]
    scale = alt.Scale(zero=False, padding=15)
    return {
        "x": alt.X(f"PC{x}:Q", title=titles[0], scale=scale),
        "y": alt.Y(f"PC{y}:Q", title=titles[1], scale=scale),
    }


def encode_coloring(field: str, coloring: Coloring | None) -> dict[str, Any]:
    """Return color, shape and tooltip of samples by a field; None: all alike."""
    sample = alt.Tooltip("sample:N")
    if coloring is None:
        return {"color": alt.value(BLUE), "shape": alt.value("circle"), "tooltip": [sample]}
    # a tooltip of this name would be an image
    title = coloring.name if coloring.name != "image" else "image:"
    if coloring.continuous:
        known = alt.Color(f"{field}:Q", title=coloring.name, scale=alt.Scale(scheme=SEQUENTIAL))
        color = alt.condition(f"isValid(datum.{field})", known, alt.value(GRAY))
        tooltip = [sample, alt.Tooltip(f"{field}:Q", title=title, format=",.4~g")]
        return {"color": color, "shape": alt.value("circle"), "tooltip": tooltip}
    colors, shapes = coloring.get_palette()
    groups = coloring.get_groups()
    return {
        "color": alt.Color(f"{field}:N", title=coloring.name, scale=alt.Scale(domain=groups, range=colors)),
        "shape": alt.Shape(f"{field}:N", title=coloring.name, scale=alt.Scale(domain=groups, range=shapes)),
        "tooltip": [sample, alt.Tooltip(f"{field}:N", title=title)],
    }
