"""The tables and the picture of what scale.py measured."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

Result = dict[str, Any]

GUIDE = "#d4d4d4"
# color and dash of each line, in the rows of the legend; colors of Okabe and Ito (https://jfly.uni-koeln.de/color)
LINES = {
    "collect raw csv.gz": ("#E69F00", [1, 0]),
    "collect norm csv.gz": ("#E69F00", [3, 3]),
    "summarize": ("#000000", [1, 0]),
    "compare": ("#000000", [3, 3]),
    "measure_coverage.py": ("#56B4E9", [1, 0]),
    "collect raw parquet": ("#0072B2", [1, 0]),
    "collect norm parquet": ("#0072B2", [3, 3]),
    "ngs_toolkit default": ("#D55E00", [1, 0]),
    "samtools view -c": ("#888888", [1, 0]),
    "collect raw h5ad": ("#009E73", [1, 0]),
    "collect norm h5ad": ("#009E73", [3, 3]),
    "ngs_toolkit fast_and_unsafe": ("#D55E00", [3, 3]),
    "inflate (C)": ("#888888", [3, 3]),
    "collect raw mtx.gz": ("#CC79A7", [1, 0]),
    "collect norm mtx.gz": ("#CC79A7", [3, 3]),
    "time in proportion to size": (GUIDE, [1, 0]),
}
MEASURES = {"cpu": ("CPU seconds", 240), "mib": ("peak memory, MiB", 180)}
WIDTH = 226


def tables(results: Sequence[Result]) -> str:
    """Return one Markdown table per question, with one row per command and one column per size."""
    return "\n\n".join(table(question, lines) for question, lines in by(results, "question").items())


def table(question: str, results: Sequence[Result]) -> str:
    """Return the Markdown table of a question."""
    sizes = sorted({result["size"] for result in results})
    rows = [
        f"| {question}: CPU s / wall s / peak MiB | {' | '.join(f'{size:,}' for size in sizes)} | exponents of CPU s |",
        "|---" * (len(sizes) + 2) + "|",
    ]
    for name, points in by(results, "name").items():
        cells = {p["size"]: f"{p['cpu']:.2f} / {p['wall']:.2f} / {p['mib']:.0f}" for p in points}
        found = ", ".join(f"{exponent:.2f}" for exponent in exponents(points))
        rows.append(f"| {name} | {' | '.join(cells.get(size, '–') for size in sizes)} | {found or '–'} |")
    return "\n".join(rows)


def exponents(points: Sequence[Result]) -> list[float]:
    """Return the exponent k of CPU seconds ~ sizeᵏ between consecutive sizes: 1 if time is linear."""
    points = sorted(points, key=lambda point: int(point["size"]))
    return [math.log(b["cpu"] / a["cpu"]) / math.log(b["size"] / a["size"]) for a, b in itertools.pairwise(points)]


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw a column of panels a question, and write it as SVG and PNG."""
    columns = [column(question, lines) for question, lines in by(results, "question").items()]
    chart = alt.hconcat(*columns, spacing=10)
    chart = chart.configure_view(stroke=None).configure_legend(labelFontSize=12, symbolSize=200, symbolStrokeWidth=2)
    chart = chart.configure_axis(labelFontSize=11, titleFontSize=12, titleFontWeight="normal")
    specification = chart.to_json()
    path.with_name(path.name + ".svg").write_text(vl_convert.vegalite_to_svg(specification), encoding="utf-8")
    path.with_name(path.name + ".png").write_bytes(vl_convert.vegalite_to_png(specification, scale=2))


def column(question: str, results: Sequence[Result]) -> alt.VConcatChart:
    """Return the panels of a question."""
    title = alt.TitleParams(question, fontSize=13, anchor="middle", offset=8)
    return alt.vconcat(*(panel(results, measure) for measure in MEASURES), title=title, spacing=8)


def panel(results: Sequence[Result], measure: str) -> alt.LayerChart:
    """Return lines of a measure; behind those of time are lines on which it is in proportion to size."""
    title, height = MEASURES[measure]
    frame = pd.DataFrame(results)
    sizes = extent(frame["size"])
    x, y = axis(alt.X, "size", sizes, labels=measure == "mib"), axis(alt.Y, measure, extent(frame[measure]), title)
    colors = alt.Scale(domain=list(LINES), range=[color for color, _ in LINES.values()])
    dashes = alt.Scale(domain=list(LINES), range=[dash for _, dash in LINES.values()])
    legend = alt.Legend(title=None, orient="bottom", columns=4, labelLimit=220, symbolType="stroke")
    lines = (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=28), strokeWidth=1.6)
        .encode(
            x,
            y,
            alt.Color("name", scale=colors, legend=legend),
            alt.StrokeDash("name", scale=dashes, legend=legend),
        )
    )
    guides = alt.Chart(proportional(sizes)).mark_line(clip=True, color=GUIDE, strokeWidth=1)
    behind = [guides.encode(x, y, alt.Detail("guide"))] if measure == "cpu" else []
    return alt.layer(*behind, lines).properties(width=WIDTH, height=height)


def extent(values: "pd.Series[float]") -> tuple[float, float]:
    """Return the ends of a logarithmic axis, with some air."""
    return float(values.min()) / 1.3, float(values.max()) * 1.3


def axis(
    channel: type[Any], field: str, domain: tuple[float, float], title: str | None = None, labels: bool = True
) -> Any:
    """Return a logarithmic axis of a field, with ticks at decades, or at 1, 2 and 5 if it spans few of them."""
    steps = (1,) if field == "size" or domain[1] / domain[0] > 1000 else (1, 2, 5)
    ticks = [s * 10.0**d for d in range(-3, 12) for s in steps if domain[0] <= s * 10.0**d <= domain[1]]
    words = alt.Axis(values=ticks, labels=labels, format="~s" if field == "size" else ",~r", grid=False)
    return channel(field, title=title, scale=alt.Scale(type="log", domain=list(domain)), axis=words)


def proportional(sizes: Sequence[float]) -> pd.DataFrame:
    """Return lines, a decade apart, on which CPU seconds are in proportion to size."""
    return pd.DataFrame([{"guide": d, "size": size, "cpu": size * 10.0**d} for d in range(-12, 5) for size in sizes])


def by(results: Sequence[Result], key: str) -> dict[str, list[Result]]:
    """Return results by one of their texts, in the order in which these come."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result[key], []).append(result)
    return groups
