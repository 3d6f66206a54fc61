"""Reports in a real browser: what they draw, and what happens on a click."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from browser import Page, check_report, opened, twice
from helpers import succeed
from report_results import (
    EXCLUDED,
    HOSTILE,
    WARNINGS,
    make_hostile_report,
    make_report,
    make_small_report,
    sheet,
    write_results,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), twice]

POINTS = "#pca-peak_set .mark-symbol.role-mark path"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of 12 samples with hostile labels and attributes, and their report."""
    return make_hostile_report(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(made: Path) -> Iterator[Page]:
    """The report of `made` in a browser."""
    with opened(made / "report.html") as found:
        yield found


def test_the_page_draws_everything_without_a_network(made: Path) -> None:
    check_report(made / "report.html", 12)


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels_are_text(page: Page, label: str) -> None:
    assert label in page.column("Sample")
    drawn = page.run("return [...document.querySelectorAll('#frip-peak_set svg text')].map(text => text.textContent)")
    assert isinstance(drawn, list)
    assert label in drawn
    assert page.run("return document.querySelectorAll('img, main b:not(.figures b), body script + img').length") == 0
    assert not page.alerted()


def test_hostile_labels_are_text_in_tooltips(page: Page) -> None:
    page.run("document.getElementById('pca-peak_set').scrollIntoView({behavior: 'instant', block: 'center'})")
    page.select("pca-peak_set", 0).select_by_visible_text("image")
    page.wait("document.querySelector('#pca-peak_set .role-legend-title')?.textContent === 'image'")
    for point, label in zip(page.driver.find_elements(By.CSS_SELECTOR, POINTS), HOSTILE, strict=False):
        ActionChains(page.driver).move_to_element(point).perform()
        page.wait("document.querySelector('#vg-tooltip-element.visible')")
        cells = page.run(
            "return [...document.querySelectorAll('#vg-tooltip-element .value')].map(cell => cell.textContent)"
        )
        assert isinstance(cells, list)
        assert cells[0] == label
        assert cells[1].startswith(HOSTILE[0])
    assert page.run("return document.querySelectorAll('img').length") == 0
    assert not page.alerted()


def test_what_is_saved_is_whole(page: Page) -> None:
    page.run(
        "const make = URL.createObjectURL; URL.createObjectURL = blob => { window.saved = blob; return make(blob); }"
    )
    page.run("document.querySelector('#frip-peak_set .vega-actions a').dispatchEvent(new MouseEvent('mousedown'))")
    page.wait("window.saved")
    svg = ElementTree.fromstring(str(page.run("return window.saved.text()")))
    assert set(HOSTILE) <= {element.text for element in svg.iter() if element.text}


def test_a_click_on_a_heading_sorts_numbers(page: Page) -> None:
    def numbers(heading: str) -> list[float]:
        return [float(cell.replace(",", "").rstrip("%")) for cell in page.column(heading) if cell != "–"]

    for heading in ("Alignments", "Mitochondrial"):
        found = numbers(heading)
        page.sort(heading)
        assert numbers(heading) == sorted(found) != found
        assert page.column(heading)[-1] == "–" or heading == "Alignments"
        page.sort(heading)
        assert numbers(heading) == sorted(found, reverse=True)
        assert page.column(heading)[-1] == "–" or heading == "Alignments"


def test_names_sort_with_their_numbers(page: Page) -> None:
    page.sort("Sample")
    assert [name for name in page.column("Sample") if name.startswith("control")] == [
        f"control {i}" for i in (5, 7, 9, 11)
    ]


def test_the_filter_finds_names_and_labels(page: Page) -> None:
    page.driver.find_element(By.ID, "filter").send_keys("ONERROR")
    assert page.column("Name") == ["s00"]
    page.driver.find_element(By.ID, "filter").clear()
    page.driver.find_element(By.ID, "filter").send_keys("s11")
    assert page.column("Sample") == ["treated 12"]
    page.run("const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input'))")
    assert len(page.column("Sample")) == 12


def test_the_table_has_the_numbers_of_the_files(made: Path, page: Page) -> None:
    with (made / "matrix" / "promoters.stats.tsv").open() as file:
        rows = {row["sample_name"]: row for row in csv.DictReader(file, delimiter="\t")}
    for name, frip, usable in zip(*map(page.column, ("Name", "FRiP (promoters)", "Usable fragments")), strict=True):
        assert usable == f"{int(rows[name]['usable']):,}"
        assert frip == (f"{100 * float(rows[name]['frip']):.1f}%" if rows[name]["frip"] else "–")


def test_flagged_cells_are_marked(page: Page) -> None:
    flags = page.run(
        "return [...document.querySelectorAll('#table .flagged')].map(cell => [cell.textContent, cell.title])"
    )
    assert isinstance(flags, list)
    assert len(flags) == 4  # two samples in two region sets
    assert sorted(title.split(":")[0] for _, title in flags) == ["low FRiP", "low FRiP", "no counts", "no counts"]


@pytest.mark.parametrize(
    ("attribute", "minimum"), [("batch", 3), ("age", 9), ("a.b[0]</b>", 3), ("Mitochondrial", 9), ("none", 1)]
)
def test_the_colors_follow_the_selection(page: Page, attribute: str, minimum: int) -> None:
    select = page.select("pca-peak_set", 0)
    select.select_by_visible_text("group")
    page.wait("document.querySelector('#pca-peak_set .role-legend-title')?.textContent === 'group'")
    assert page.colors("pca-peak_set") == {"#0072B2", "#D55E00"}
    select.select_by_visible_text(attribute)
    title = "document.querySelector('#pca-peak_set .role-legend-title')?.textContent ?? 'none'"
    page.wait(f"({title}) === {json.dumps(attribute)}")
    found = page.colors("pca-peak_set")
    assert minimum <= len(found) <= (minimum if minimum < 9 else 12)
    assert page.errors() == []


def test_the_selection_has_attributes_that_tell_something(page: Page) -> None:
    options = [option.text for option in page.select("pca-peak_set", 0).options]
    assert options[0] == "group"
    assert {"batch", "age", "Library size", "Mitochondrial"} < set(options)
    assert not {"label", "organism", "bam", "peaks_file", "sample_name"} & set(options)


def test_problems_and_provenance_are_shown_as_text(page: Page) -> None:
    problems = page.text("#problems")
    for problem in (*EXCLUDED, *WARNINGS):
        assert all(part in problems for part in (problem.sample, problem.kind, " ".join(problem.text.split())))
    assert "control 5" in page.text(".flags")
    assert "treated 8" in page.text(".flags")
    assert "snakemake --profile divvy" in page.text("#provenance")


def test_the_axes_follow_the_selection(page: Page) -> None:
    page.select("pca-promoters", 1).select_by_visible_text("PC2 and PC3")
    page.wait("document.querySelector('#pca-promoters .mark-text.role-axis-title').textContent.startsWith('PC2')")
    assert "PC3 (14.0% of the variance)" in page.text("#pca-promoters .plot")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_page_of_few_samples_draws_everything(tmp_path: Path, n: int) -> None:
    check_report(make_small_report(tmp_path, n, regions=20, paired=False, tss=False), n)


def test_samples_without_any_count(tmp_path: Path) -> None:
    path = make_small_report(tmp_path, 3, regions=20, empty=range(3))
    with opened(path) as page:
        assert page.run("return report.failed") == []
        assert page.errors() == []
        assert "3 flagged samples" in page.text("#problems")
        assert set(page.column("Usable fragments")) == {"0"}


def test_many_samples_are_bands_points_and_a_table_in_part(tmp_path: Path) -> None:
    write_results(tmp_path / "results", sheet(260), regions=50, tss=False)
    succeed(make_report(tmp_path, "peak_set"))
    path = tmp_path / "results" / "report.html"
    check_report(path, 260)
    with opened(path) as page:
        assert "5 samples farthest from the median" in page.text("#fragments")
        assert page.run("return document.querySelectorAll('#frip-peak_set .mark-symbol path').length") == 260
        assert page.run("return document.querySelectorAll('#fragments .mark-area path').length") == 2
        page.run("document.getElementById('all').click()")
        assert len(page.column("Sample")) == 260
