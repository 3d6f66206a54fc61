"""Reports of whole runs, opened in a browser."""

import csv
import zipfile
from pathlib import Path

import pytest

from browser import check_report, opened, twice
from helpers import snakemake, succeed, write_config, write_sheet

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("reports"), twice]

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def run(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the demo, one of whose samples has a hostile label."""
    folder = tmp_path_factory.mktemp("run")
    with (demo / "samples.csv").open(newline="") as file:
        rows = [{"sample_name": row["sample_name"], "group": row["group"]} for row in csv.DictReader(file)]
    rows = [row | {"bam": str(demo / "bam" / f"{row['sample_name']}.bam"), "label": ""} for row in rows]
    rows[2]["label"] = HOSTILE
    write_sheet(folder / "samples.csv", rows)
    write_config(folder, "samples.csv", {"peak_set": demo / "regions.bed"})
    succeed(snakemake(folder, "results/report.html", "--cores", "2"))
    return folder


def test_the_report_of_the_demo_opens_in_a_browser(run: Path) -> None:
    check_report(run / "results" / "report.html", 12)
    with opened(run / "results" / "report.html") as page:
        assert page.column("Sample")[1:4] == ["control_2", HOSTILE, "control_4"]
        page.sort("FRiP")
        frip = [float(cell.rstrip("%")) for cell in page.column("FRiP")]
        assert frip == sorted(frip)
        assert page.run("return document.querySelectorAll('img').length") == 0
        page.select("pca-peak_set", 0).select_by_visible_text("group")
        page.wait("document.querySelector('#pca-peak_set .role-legend-title')")
        assert len(page.colors("pca-peak_set")) == 2


def test_the_report_of_a_real_cohort_opens_in_a_browser(data: Path, tmp_path: Path) -> None:
    cohort = data / "atac-scate8-hg19"
    write_config(tmp_path, cohort / "project_config.yaml", {"consensus": cohort / "consensus.merge.bed"})
    succeed(snakemake(tmp_path, "results/report.html", "--cores", "2"))
    check_report(tmp_path / "results" / "report.html", 8)
    with opened(tmp_path / "results" / "report.html") as page:
        page.select("pca-consensus", 0).select_by_visible_text("cell_type")
        page.wait("document.querySelector('#pca-consensus .role-legend-title')")
        assert len(page.colors("pca-consensus")) == 2


def test_snakemakes_own_report_has_page_and_pictures(run: Path) -> None:
    succeed(snakemake(run, "results/report.html", "--report", "all.zip"))
    names = {Path(name).name for name in zipfile.ZipFile(run / "all.zip").namelist()}
    expected = {"report.html", "peak_set.stats.tsv"} | {
        f"peak_set.{name}.svg" for name in ("pca", "correlation", "frip")
    }
    assert expected <= names
