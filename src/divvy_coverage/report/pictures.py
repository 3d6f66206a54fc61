"""Pictures of the report's plots for papers, as SVG and PNG."""

from pathlib import Path
from typing import Any

import vl_convert

from divvy_coverage.files import replacing
from divvy_coverage.report import charts
from divvy_coverage.report.colors import choose_grouping
from divvy_coverage.report.data import RegionSet, Run
from divvy_coverage.report.sections import BARS, build_component_table
from divvy_coverage.report.table_columns import get_values

PIXELS_PER_INCH = 200
WIDTH = 420


def write_pictures(run: Run, folder: Path) -> None:
    """Write <region set>.<picture>.svg and .png of all region sets into a folder."""
    for region_set in run.region_sets:
        for name, spec in build_pictures(run, region_set).items():
            write_picture(spec, folder / f"{region_set.name}.{name}")


def build_pictures(run: Run, region_set: RegionSet) -> dict[str, dict[str, Any]]:
    """Return the specifications of a region set's pictures by name, without those that there is no data for."""
    title, form, _ = BARS["frip"]
    frip = charts.draw_values(run.labels, get_values(region_set, "frip"), title, form)
    pictures = {"frip": charts.build_spec(frip.properties(width=WIDTH))}
    if len(region_set.clustered) > 1:
        labels = [run.labels[i] for i in region_set.clustered]
        pictures["correlation"] = charts.build_spec(charts.draw_heatmap(labels, region_set.correlation))
    if region_set.scores.shape[1] > 1:
        group = choose_grouping(run.colorings)
        table = build_component_table(run, region_set, 2, {"c": list(group.values)} if group else {})
        axes = charts.encode_component_axes(1, 2, region_set.summary.get("explained_variance", []))
        chart = charts.draw_components(table, axes | charts.encode_coloring("c", group))
        pictures["pca"] = charts.build_spec(chart.properties(width=WIDTH))
    return pictures


def write_picture(spec: dict[str, Any], stem: Path) -> None:
    """Write a specification as `stem`.svg and `stem`.png."""
    options: dict[str, Any] = {
        "config": charts.CONFIG | {"background": "white", "aria": False},
        "allowed_base_urls": [],
    }
    svg = vl_convert.vegalite_to_svg(spec, **options)
    with replacing(stem.with_name(f"{stem.name}.svg")) as temporary:
        temporary.write_text(svg, encoding="utf-8")
    with replacing(stem.with_name(f"{stem.name}.png")) as temporary:
        temporary.write_bytes(vl_convert.svg_to_png(svg, ppi=PIXELS_PER_INCH))
