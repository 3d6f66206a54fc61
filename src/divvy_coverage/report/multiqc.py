"""Content for MultiQC: files that `multiqc results` takes up, https://docs.seqera.io/multiqc/custom_content.

MultiQC shows names of samples as HTML, so they are escaped, and shortens them where data is an object of samples, so
that tables are TSV and the data of plots lists.
"""

import csv
import html
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from divvy_coverage.report import charts
from divvy_coverage.report.colors import colourings, grouping
from divvy_coverage.report.data import Curves, RegionSet, Run
from divvy_coverage.report.table import Column, Values, general_statistics, of

PREFIX = "divvy_coverage"
MOST_SAMPLES = 500  # of more, plots with a mark a sample are left out; MultiQC draws each as a thing of its own
PARENT = {
    "parent_id": PREFIX,
    "parent_name": "divvy-coverage",
    "parent_description": "counts of alignments in regions, for all samples.",
}
SCALES = {"good": "Greens", "bad": "Oranges", "": "Blues"}
BAR_COLOURS = {
    "in regions": {"name": "in regions", "color": charts.BLUE},
    "elsewhere": {"name": "elsewhere", "color": "#d5d5d5"},
}
FORMATS: dict[str, dict[str, Any]] = {
    "integer": {"format": "{:,.0f}"},
    "percent": {"format": "{:,.1f}", "suffix": "%", "min": 0},
    "decimal": {"format": "{:,.2f}"},
}


def content(run: Run, title: str) -> dict[str, str]:
    """Return the content of each file by its name; `title` is the attribute that labels the samples.

    Samples have their names here and not their labels: by these MultiQC joins the rows of different tools.
    """
    names = [sample["sample_name"][0] for sample in run.samples]
    sections = [*_curves(run, names)]
    for region_set in run.region_sets:
        sections += [*_bars(region_set, names), *_heatmap(region_set, names), *_pca(run, region_set, names, title)]
    files = {f"{section['id']}_mqc.json": json.dumps(section, allow_nan=False) for section in sections}
    return {f"{PREFIX}_general_statistics_mqc.tsv": _table(run, names)} | files


def _safe(text: str) -> str:
    """Return a text as HTML."""
    return html.escape(text).replace("&quot;", "&#34;")  # its plots know the number only


def _table(run: Run, names: Sequence[str]) -> str:
    """Return the columns of the general statistics table."""
    told = {
        f"{column.name}_{name}" if name else column.name: (column, name, values)
        for column, name, values in general_statistics(run)
    }
    several = len(run.region_sets) > 1
    headers = {key: _header(column, name if several else "") for key, (column, name, _) in told.items()}
    text = io.StringIO()
    text.write(f"# id: {PREFIX}_general_statistics\n# plot_type: generalstats\n# namespace: {PREFIX}\n")
    text.write(f"# headers: {json.dumps(headers)}\n")
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerow(["Sample", *told])
    writer.writerows(zip(names, *(_numbers(column, values) for column, _, values in told.values()), strict=True))
    return text.getvalue()


def _header(column: Column, region_set: str) -> dict[str, Any]:
    title = f"{column.title} ({region_set})" if region_set else column.title
    return {"title": title, "description": column.help, "scale": SCALES[column.high]} | FORMATS[column.form]


def _numbers(column: Column, values: Values) -> list[float | str]:
    """Return numbers as MultiQC has them: shares in per cent, nothing as an empty text."""
    factor = 100 if column.form == "percent" else 1
    return ["" if value is None else factor * value for value in values]


def _section(
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


def _curves(run: Run, names: Sequence[str]) -> list[dict[str, Any]]:
    quality = "Share of the primary alignments that have at least this mapping quality."
    kinds = {
        "fragments": ("Fragment lengths", "Lengths of fragments.", "Length (bp)", "% of fragments per bp"),
        "mapping_quality": ("Mapping quality", quality, "Mapping quality", "Share with at least this"),
        "tss": ("Start sites", "Cut sites around them, over those 2 kb away.", "Distance (bp)", "Enrichment"),
    }
    return [
        _section(kind, "", "linegraph", title, about, [_lines(run.curves[kind], names)], xlab=xlab, ylab=ylab, ymin=0)
        for kind, (title, about, xlab, ylab) in kinds.items()
        if kind in run.curves
    ]


def _lines(curves: Curves, names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Return the points of a curve a sample, or for many samples of their quantiles and those far from the median."""
    known = np.flatnonzero(~np.isnan(curves.values).any(axis=1)).tolist()
    lines = {names[row]: curves.values[row] for row in known}
    if len(known) > MOST_SAMPLES:
        values = curves.values[known]
        lines = {
            f"{share}% of the samples are below": np.quantile(values, share / 100, axis=0)
            for share in (5, 25, 50, 75, 95)
        }
        lines |= {names[known[row]]: values[row] for row in charts.farthest(values)}
    return {
        name: [(x, float(f"{y:.5g}")) for x, y in zip(curves.places.tolist(), line.tolist(), strict=True)]
        for name, line in lines.items()
    }


def _bars(region_set: RegionSet, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return what is counted in regions and elsewhere, and the regions detected."""
    if len(names) > MOST_SAMPLES:
        return []
    counted, inside, detected = (of(region_set, name) for name in ("counted", "in_regions", "regions_detected"))
    frip = {
        name: {"in regions": n, "elsewhere": (total or 0) - n}
        for name, total, n in zip(names, counted, inside, strict=True)
        if n is not None
    }
    regions = {name: {"regions": n} for name, n in zip(names, detected, strict=True) if n is not None}
    about = "What is counted in regions; its share is FRiP."
    bars = _section("frip", region_set.name, "bargraph", "FRiP", about, [frip], ylab="Counted", cpswitch_c_active=False)
    title, about = "Detected regions", "Regions with at least one count."
    found = [
        bars | {"categories": BAR_COLOURS},
        _section("detected", region_set.name, "bargraph", title, about, [regions], ylab="Regions", cpswitch=False),
    ]
    return [section for section in found if section["data"][0]]


def _heatmap(region_set: RegionSet, names: Sequence[str]) -> list[dict[str, Any]]:
    if len(region_set.clustered) < 2:
        return []
    names, values = charts.averaged([names[i] for i in region_set.clustered], region_set.correlation)
    rows = [[round(r, 4) if np.isfinite(r) else None for r in row] for row in values.tolist()]
    about = (
        "Pearson's r of the normalised counts of the most variable regions; samples in the order of their clustering."
    )
    section = _section(
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


def _pca(run: Run, region_set: RegionSet, names: Sequence[str], title: str) -> list[dict[str, Any]]:
    if region_set.scores.shape[1] < 2 or len(names) > MOST_SAMPLES:
        return []
    points: dict[str, dict[str, Any]] = {
        name: {"x": x, "y": y} for name, (x, y) in zip(names, region_set.scores[:, :2].tolist(), strict=True)
    }
    shares = [f"{share:.1%}" for share in region_set.summary.get("explained_variance", [])[:2]]
    about = f"Samples by their first two principal components, which explain {' and '.join(shares)} of the variance."
    if (group := grouping(colourings(run.samples, title))) is not None:
        colours = dict(zip(group.groups(), group.palette()[0], strict=True))
        for point, value in zip(points.values(), group.values, strict=True):
            point |= {"color": colours[str(value)], "group": _safe(str(value))}
        about += f" Colours are those of {_safe(group.title)}."
    title = "Principal components"
    return [_section("pca", region_set.name, "scatter", title, about, [points], xlab="PC1", ylab="PC2")]
