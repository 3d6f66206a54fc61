"""Make a report of a run: a page, pictures for papers, and content for MultiQC."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vl_convert

from divvy_coverage.command_line import run
from divvy_coverage.files import replacing
from divvy_coverage.report import charts
from divvy_coverage.report.colors import colourings, grouping
from divvy_coverage.report.data import RegionSet, Run, read_run
from divvy_coverage.report.multiqc import content
from divvy_coverage.report.page import render
from divvy_coverage.report.sections import finished, pca_frame, sections
from divvy_coverage.report.table import of

PIXELS_PER_INCH = 200


def pictures(run: Run, region_set: RegionSet, title: str) -> dict[str, dict[str, Any]]:
    """Return specifications of the pictures of a region set by name; `title` is the attribute with the labels."""
    found = {
        "frip": finished(charts.per_sample(run.labels, of(region_set, "frip"), "FRiP", ".0%").properties(width=420))
    }
    if len(region_set.clustered) > 1:
        labels = [run.labels[i] for i in region_set.clustered]
        found["correlation"] = finished(charts.heatmap(labels, region_set.correlation))
    if region_set.scores.shape[1] > 1:
        group = grouping(colourings(run.samples, title))
        frame = pca_frame(run, region_set, 2, {"c": list(group.values)} if group else {})
        axes = charts.pca_axes(1, 2, region_set.summary.get("explained_variance", []))
        chart = charts.pca(frame, axes | charts.pca_colour("c", group))
        found["pca"] = finished(chart.properties(width=420))
    return found


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


def write_page(run: Run, title: str, path: Path) -> None:
    """Write the page."""
    with replacing(path) as temporary:
        temporary.write_text(render(run, sections(run, title)), encoding="utf-8")


def write_content(run: Run, title: str, folder: Path) -> None:
    """Write the content for MultiQC, and remove that of an earlier report."""
    files = content(run, title)
    for name, text in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    for stale in folder.glob("divvy_coverage_*_mqc.*"):
        if stale.name not in files:
            stale.unlink()


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: read the files of a run, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--results", type=Path, required=True, help="folder with the files of a run")
    add("--region-sets", nargs="+", required=True, help="names of the region sets")
    add("--title", default="title", help="attribute of the sheet that labels samples (default: %(default)s)")
    add("--out", type=Path, required=True, help="page to write (.html)")
    add("--pictures", type=Path, required=True, help="folder for <region set>.{frip,correlation,pca}.{svg,png}")
    add("--multiqc", type=Path, required=True, help="folder for MultiQC's custom content")
    args = parser.parse_args(argv)
    found = read_run(args.results, args.region_sets, args.title)
    for region_set in found.region_sets:
        for name, spec in pictures(found, region_set, args.title).items():
            write_picture(spec, args.pictures / f"{region_set.name}.{name}")
    write_content(found, args.title, args.multiqc)
    write_page(found, args.title, args.out)


if __name__ == "__main__":
    sys.exit(run(main))
