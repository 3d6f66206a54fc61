"""The report's plots of regions, as Altair charts of plain data."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from divvy_coverage.arrays import Floats
from divvy_coverage.report.colors import BLUE, PALETTE, SEQUENTIAL


def draw_mean_variance(mean: Floats, variance: Floats) -> alt.LayerChart | None:
    """Draw numbers of regions by mean and variance, and the line on which these are equal (Poisson).

    None if there is nothing to draw.
    """
    return _draw_density(mean, variance, "variance", [mean[mean > 0].min(), mean.max()] if (mean > 0).any() else [])


def draw_dispersion(mean: Floats, values: Floats) -> alt.LayerChart | None:
    """Draw numbers of regions by mean and dispersion; regions that vary less than Poisson are not drawn.

    None if there is nothing to draw.
    """
    return _draw_density(mean, values, "dispersion", [])


def _draw_density(x: Floats, y: Floats, title: str, line: Sequence[float]) -> alt.LayerChart | None:
    """Draw numbers of points in bins of both logarithms, the median of y by x, and y = x at the ends of `line`."""
    drawn = (x > 0) & (y > 0)
    if np.count_nonzero(drawn) < 2:
        return None
    log_x, log_y = np.log10(x[drawn]), np.log10(y[drawn])
    numbers, edges_x, edges_y = np.histogram2d(log_x, log_y, bins=(90, 60))
    chart = _draw_bins(numbers, 10**edges_x, 10**edges_y, title) + _draw_trend(log_x, log_y, edges_x)
    if line:
        ends = pd.DataFrame({"x": [max(line[0], 10 ** edges_y[0]), min(line[1], 10 ** edges_y[-1])]})
        dashes = alt.Chart(ends).mark_line(color="black", strokeDash=[5, 3], clip=True)
        chart += dashes.encode(alt.X("x:Q"), alt.Y("x:Q"))
    return chart.properties(height=320)


def _draw_bins(numbers: Floats, x: Floats, y: Floats, title: str) -> alt.Chart:
    """Draw one rectangle per bin that has points; `x` and `y` are the edges."""
    i, j = np.nonzero(numbers)
    cells = {"x": x[i], "x2": x[i + 1], "y": y[j], "y2": y[j + 1], "regions": numbers[i, j].astype(int)}
    scale = alt.Scale(type="log", nice=False)
    axes = [alt.Axis(format="~g", tickCount=6, grid=False, title=text) for text in ("mean count", title)]
    color = alt.Scale(scheme=SEQUENTIAL, type="log" if numbers.max() > 1 else "linear")
    lower = {"x": "mean from", "y": f"{title} from"}
    return (
        alt.Chart(pd.DataFrame(cells))
        .mark_rect()
        .encode(
            alt.X("x:Q", scale=scale, axis=axes[0]),
            alt.Y("y:Q", scale=scale, axis=axes[1]),
            alt.X2("x2:Q"),
            alt.Y2("y2:Q"),
            alt.Color("regions:Q", scale=color, legend=alt.Legend(title="regions", tickCount=4, format="~s")),
            tooltip=[
                "regions:Q",
                *(alt.Tooltip(f"{name}:Q", title=text, format=".3~g") for name, text in lower.items()),
            ],
        )
    )


def _draw_trend(log_x: Floats, log_y: Floats, edges: Floats) -> alt.Chart:
    """Draw the median of y in every third bin of x that has at least 10 points."""
    wide = edges[::3]
    bins = np.digitize(log_x, wide[1:-1])
    medians = pd.Series(log_y).groupby(bins).agg(["median", "size"])
    medians = medians[medians["size"] >= 10]
    middle = (wide[:-1] + wide[1:])[medians.index] / 2
    frame = pd.DataFrame({"x": 10**middle, "y": 10 ** medians["median"].to_numpy()})
    return alt.Chart(frame).mark_line(color=PALETTE[1], strokeWidth=2).encode(alt.X("x:Q"), alt.Y("y:Q"))


def draw_detection_rates(rates: Floats) -> alt.Chart:
    """Draw numbers of regions by detection rate (NaN where it is not known)."""
    numbers, edges = np.histogram(rates[np.isfinite(rates)], bins=20, range=(0, 1))
    frame = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "regions": numbers})
    axis = alt.Axis(format=".0%", tickCount=5)
    x = alt.X("from:Q", title="fraction of samples with a count", axis=axis, bin="binned")
    tooltip = [alt.Tooltip("regions:Q", format=","), *(alt.Tooltip(f"{end}:Q", format=".0%") for end in ("from", "to"))]
    y = alt.Y("regions:Q", axis=alt.Axis(format=",.9~g"))
    return alt.Chart(frame).mark_bar(color=BLUE).encode(x, alt.X2("to:Q"), y, tooltip=tooltip).properties(height=260)
