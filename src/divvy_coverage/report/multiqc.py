"""Content for MultiQC: files that `multiqc results` takes up, https://docs.seqera.io/multiqc/custom_content.

MultiQC shows texts as HTML, so those of the sheet are escaped; and it shortens the names of samples where data is an
object of samples, so tables are TSV and the data of plots are lists.
"""

import csv
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from divvy_coverage.files import replacing
from divvy_coverage.report import charts
from divvy_coverage.report.colors import BLUE, choose_grouping
from divvy_coverage.report.curves import Curves
from divvy_coverage.report.data import RegionSet, Run
from divvy_coverage.report.table_columns import Column, Values, get_values, select_columns

PREFIX = "divvy_coverage"
MOST_SAMPLES = 500  # with more, plots with one mark per sample are omitted; MultiQC draws each as an element of its own
PARENT = {
    "parent_id": PREFIX,
    "parent_name": "divvy-coverage",
    "parent_description": "counts of fragments, insertions or reads in regions, for all samples.",
}
SCALES = {"good": "Greens", "bad": "Oranges", "": "Blues"}
BAR_COLORS = {
    "in regions": {"name": "in regions", "color": BLUE},
    "elsewhere": {"name": "elsewhere", "color": "#d5d5d5"},
}
FORMATS: dict[str, dict[str, Any]] = {
    "integer": {"format": "{:,.0f}"},
    "percent": {"format": "{:,.1f}", "suffix": "%", "min": 0},
    "decimal": {"format": "{:,.2f}"},
}


# of each kind of curves: title, description, titles of the axes
CURVES = {
    "fragments": ("Fragment lengths", "Fragment lengths.", "Length (bp)", "% of fragments per bp"),
    "mapping_quality": (
        "Mapping quality",
        "Fraction of the primary alignments with at least this mapping quality.",
        "Mapping quality",
        "Fraction with at least this",
    ),
    "tss": ("Start sites", "Insertions around them, over those 2 kb away.", "Distance (bp)", "Enrichment"),
}


def write_content(run: Run, folder: Path) -> None:
    """Write the content for MultiQC into a folder, and remove that of an earlier report."""
    files = build_content(run)
    for name, text in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    for stale in folder.glob(f"{PREFIX}_*_mqc.*"):
        if stale.name not in files:
            stale.unlink()


def build_content(run: Run) -> dict[str, str]:
    """Return the content of each file by its name.

    Samples have their names here and not their labels: by these MultiQC joins the rows of different tools.
    """
    sections = [*_build_curves(run)]
    for region_set in run.region_sets:
        sections += [
            *_build_bars(region_set, run.names),
            *_build_heatmap(region_set, run.names),
            *_build_components(run, region_set),
        ]
    files = {f"{section['id']}_mqc.json": json.dumps(section, allow_nan=False) for section in sections}
    return {f"{PREFIX}_general_statistics_mqc.tsv": _build_table(run)} | files


def _escape(text: str) -> str:
    """Return a text as HTML."""
    return html.escape(text).replace("&quot;", "&#34;")  # its plots know the number only


def _build_table(run: Run) -> str:
    """Return the columns of the general statistics table."""
    columns = {
        f"{column.name}_{name}" if name else column.name: (column, name, values)
        for column, name, values in select_columns(run)
    }
    several = len(run.region_sets) > 1
    headers = {key: _build_header(column, name if several else "") for key, (column, name, _) in columns.items()}
    text = io.StringIO()
    text.write(f"# id: {PREFIX}_general_statistics\n# plot_type: generalstats\n# namespace: {PREFIX}\n")
    text.write(f"# headers: {json.dumps(headers)}\n")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerow(["Sample", *columns])
    numbers = (_convert_numbers(column, values) for column, _, values in columns.values())
    writer.writerows(zip(run.names, *numbers, strict=True))
    return text.getvalue()


def _build_header(column: Column, region_set: str) -> dict[str, Any]:
    title = f"{column.title} ({region_set})" if region_set else column.title
    return {"title": title, "description": column.help, "scale": SCALES[column.high]} | FORMATS[column.form]


def _convert_numbers(column: Column, values: Values) -> list[float | str]:
    """Return numbers as MultiQC has them: fractions in percent, nothing as an empty text."""
    factor = 100 if column.form == "percent" else 1
    return ["" if value is None else factor * value for value in values]


def _build_section(
    name: str, region_set: str, plot_type: str, title: str, about: str, data: Any, **plot: Any
) -> dict[str, Any]:
    """Return a section with one plot; `region_set` is "" for what does not depend on regions."""
    section_id = f"{PREFIX}_{name}_{region_set}" if region_set else f"{PREFIX}_{name}"
    heading = f"{title}: {region_set}" if region_set else title
    return PARENT | {
        "id": section_id,
        "section_name": heading,
        "description": about,
        "plot_type": plot_type,
        "pconfig": {"id": f"{section_id}_plot", "title": f"divvy-coverage: {heading}"} | plot,
        "data": data,
    }


def _build_curves(run: Run) -> list[dict[str, Any]]:
    return [
        _build_section(
            kind,
            "",
            "linegraph",
            title,
            about,
            [_build_lines(run.curves[kind], run.names)],
            xlab=xlab,
            ylab=ylab,
            ymin=0,
        )
        for kind, (title, about, xlab, ylab) in CURVES.items()
        if kind in run.curves
    ]


def _build_lines(curves: Curves, names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Return the points of one curve per sample, or for many samples of quantiles and curves far from the median."""
    known = np.flatnonzero(~np.isnan(curves.values).any(axis=1)).tolist()
    lines = {names[row]: curves.values[row] for row in known}
    if len(known) > MOST_SAMPLES:
        values = curves.values[known]
        lines = {
            f"{percent}% of the samples are below": np.quantile(values, percent / 100, axis=0)
            for percent in (5, 25, 50, 75, 95)
        }
        lines |= {names[known[row]]: values[row] for row in charts.find_farthest(values)}
    return {
        name: [(x, float(f"{y:.5g}")) for x, y in zip(curves.places.tolist(), line.tolist(), strict=True)]
        for name, line in lines.items()
    }


def _build_bars(region_set: RegionSet, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is usable in regions and elsewhere, and the regions detected."""
    if len(names) > MOST_SAMPLES:
        return []
    columns = ("usable", "in_regions", "regions_detected")
    usable, inside, detected = (get_values(region_set, column) for column in columns)
    frip = {
        name: {"in regions": n, "elsewhere": total - n}
        for name, total, n in zip(names, usable, inside, strict=True)
        if total is not None and n is not None
    }
    regions = {name: {"regions": n} for name, n in zip(names, detected, strict=True) if n is not None}
    title = f"Usable {region_set.counted}"
    about = f"{title} in regions and elsewhere; the fraction in regions is FRiP."
    bars = _build_section(
        "frip", region_set.name, "bargraph", "FRiP", about, [frip], ylab=title, cpswitch_c_active=False
    )
    title, about = "Detected regions", "Regions with at least one count."
    sections = [
        bars | {"categories": BAR_COLORS},
        _build_section(
            "detected", region_set.name, "bargraph", title, about, [regions], ylab="Regions", cpswitch=False
        ),
    ]
    return [section for section in sections if section["data"][0]]


def _build_heatmap(region_set: RegionSet, names: Sequence[str]) -> list[dict[str, Any]]:
    if len(region_set.clustered) < 2:
        return []
    names, values = charts.average_blocks([names[i] for i in region_set.clustered], region_set.correlation)
    rows = [[round(r, 4) if np.isfinite(r) else None for r in row] for row in values.tolist()]
    about = (
        "Pearson's r of the normalized counts in the most variable regions; "
        "samples are in the order of their clustering."
    )
    section = _build_section(
        "correlation",
        region_set.name,
        "heatmap",
        "Correlation of samples",
        about,
        rows,
        zlab="Pearson's r",
        cluster_rows=False,
        cluster_cols=False,
        max=1,
        colstops=[[0, "#440154"], [0.25, "#3b528b"], [0.5, "#21918c"], [0.75, "#5ec962"], [1, "#fde725"]],
    )
    return [section | {"xcats": names, "ycats": names}]


def _build_components(run: Run, region_set: RegionSet) -> list[dict[str, Any]]:
    if region_set.scores.shape[1] < 2 or len(run) > MOST_SAMPLES:
        return []
    points: dict[str, dict[str, Any]] = {
        name: {"x": x, "y": y} for name, (x, y) in zip(run.names, region_set.scores[:, :2].tolist(), strict=True)
    }
    fractions = [f"{fraction:.1%}" for fraction in region_set.summary.get("explained_variance", [])[:2]]
    about = f"Samples by their first two principal components, which explain {' and '.join(fractions)} of the variance."
    if (group := choose_grouping(run.colorings)) is not None:
        colors = dict(zip(group.get_groups(), group.get_palette()[0], strict=True))
        for point, value in zip(points.values(), group.values, strict=True):
            point |= {"color": colors[str(value)], "group": _escape(str(value))}
        about += f" Colors show {_escape(group.name)}."
    title = "Principal components"
    return [_build_section("pca", region_set.name, "scatter", title, about, [points], xlab="PC1", ylab="PC2")]
