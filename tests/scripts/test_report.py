"""report.py: the page in a real browser, the pictures, and what is told of samples that are not as they should be."""

import csv
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from browser import Page, check_report, opened
from helpers import command, refuse, script, succeed
from report_results import HOSTILE, sheet, write_results

EXCLUDED = [("'<b>x</b>' (row 14)", "paths", "bam: no such file: <i>x</i>.bam"), ("s99", "genome", "other contigs")]
POINTS = "#pca-peak_set .mark-symbol.role-mark path"
WARNING = "2 regions end beyond the end of their contig:\n  chr1:5-10\n  <b>chr2</b>:5-10"


def make_report(folder: Path, *region_sets: str, title: str = "title") -> subprocess.CompletedProcess[str]:
    outputs = ["--out", "results/report.html", "--pictures", "results/report", "--multiqc", "results/multiqc"]
    options = ["--results", "results", "--region-sets", *region_sets, "--title", title]
    return script("report.py", *options, *outputs, folder=folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of 12 samples with hostile titles and attributes, and their report."""
    folder = tmp_path_factory.mktemp("report")
    samples = [
        s | {"image": f"{HOSTILE[0]} {i % 2}", "a.b[0]</b>": str(i % 3)} for i, s in enumerate(sheet(12, HOSTILE))
    ]
    results = folder / "results"
    write_results(results, samples, ["peak_set", "promoters"], regions=200, empty=[4], poor=[7])
    with (results / "excluded_samples.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([("sample", "kind", "reason"), *EXCLUDED])
    (results / "warnings.txt").write_text(f"warning: samples.csv: no peaks\nwarning: {WARNING}\n")
    succeed(make_report(folder, "peak_set", "promoters"))
    return results


@pytest.fixture(scope="module")
def page(made: Path) -> Iterator[Page]:
    """The report of `made` in a browser."""
    with opened(made / "report.html") as found:
        yield found


def test_the_page_draws_everything_without_a_network(made: Path) -> None:
    check_report(made / "report.html", 12)


def test_the_page_names_no_address_to_load(made: Path) -> None:
    text = (made / "report.html").read_text()
    assert "default-src 'none'" in text
    addresses = re.findall(r"""<[^<>]*\s(?:src|href)\s*=\s*["']?([^"'>]*)""", text.split("<script")[0])
    assert addresses
    assert all(address.startswith("#") for address in addresses)


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_are_text(page: Page, title: str) -> None:
    assert title in page.column("Sample")
    drawn = page.run("return [...document.querySelectorAll('#frip-peak_set svg text')].map(text => text.textContent)")
    assert isinstance(drawn, list)
    assert title in drawn
    assert page.run("return document.querySelectorAll('img, main b:not(.figures b), body script + img').length") == 0
    assert not page.alerted()


def test_hostile_titles_are_text_in_tooltips(page: Page) -> None:
    page.run("document.getElementById('pca-peak_set').scrollIntoView({behavior: 'instant', block: 'center'})")
    page.select("pca-peak_set", 0).select_by_visible_text("image")
    page.wait("document.querySelector('#pca-peak_set .role-legend-title')?.textContent === 'image'")
    for point, title in zip(page.driver.find_elements(By.CSS_SELECTOR, POINTS), HOSTILE, strict=False):
        ActionChains(page.driver).move_to_element(point).perform()
        page.wait("document.querySelector('#vg-tooltip-element.visible')")
        cells = page.run(
            "return [...document.querySelectorAll('#vg-tooltip-element .value')].map(cell => cell.textContent)"
        )
        assert isinstance(cells, list)
        assert cells[0] == title
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


def test_the_filter_finds_names_and_titles(page: Page) -> None:
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
    for name, frip, kept in zip(page.column("Name"), page.column("FRiP (promoters)"), page.column("Kept"), strict=True):
        assert kept == f"{int(rows[name]['kept']):,}"
        assert frip == (f"{100 * float(rows[name]['frip']):.1f}%" if rows[name]["frip"] else "–")


def test_conspicuous_cells_are_marked(page: Page) -> None:
    marks = page.run(
        "return [...document.querySelectorAll('#table .marked')].map(cell => [cell.textContent, cell.title])"
    )
    assert isinstance(marks, list)
    assert len(marks) == 4  # two samples in two region sets
    assert sorted(title.split(":")[0] for _, title in marks) == ["low FRiP", "low FRiP", "no counts", "no counts"]


@pytest.mark.parametrize(
    ("attribute", "least"), [("batch", 3), ("age", 9), ("a.b[0]</b>", 3), ("Mitochondrial", 9), ("none", 1)]
)
def test_the_colours_follow_the_selection(page: Page, attribute: str, least: int) -> None:
    select = page.select("pca-peak_set", 0)
    select.select_by_visible_text("group")
    page.wait("document.querySelector('#pca-peak_set .role-legend-title')?.textContent === 'group'")
    assert page.colours("pca-peak_set") == {"#0072B2", "#D55E00"}
    select.select_by_visible_text(attribute)
    title = "document.querySelector('#pca-peak_set .role-legend-title')?.textContent ?? 'none'"
    page.wait(f"({title}) === {json.dumps(attribute)}")
    found = page.colours("pca-peak_set")
    assert least <= len(found) <= (least if least < 9 else 12)
    assert page.errors() == []


def test_the_selection_has_attributes_that_tell_something(page: Page) -> None:
    options = [option.text for option in page.select("pca-peak_set", 0).options]
    assert options[0] == "group"
    assert {"batch", "age", "Library size", "Mitochondrial"} < set(options)
    assert not {"title", "organism", "bam", "peaks_file", "sample_name"} & set(options)


def test_the_axes_follow_the_selection(page: Page) -> None:
    page.select("pca-promoters", 1).select_by_visible_text("PC2 and PC3")
    page.wait("document.querySelector('#pca-promoters .mark-text.role-axis-title').textContent.startsWith('PC2')")
    assert "PC3 (14.0% of the variance)" in page.text("#pca-promoters .plot")


def test_excluded_samples_and_warnings_come_first(made: Path, page: Page) -> None:
    told = page.text("#problems")
    for part in ("2 excluded samples", "2 conspicuous samples", "samples.csv: no peaks", WARNING, *EXCLUDED[0]):
        assert part in told
    assert "control 5" in page.text(".findings")
    assert "treated 8" in page.text(".findings")
    text = (made / "report.html").read_text()
    assert text.index('id="problems"') < text.index('id="statistics"') < text.index('id="libraries"')


def test_the_provenance_is_told(page: Page) -> None:
    told = page.text("#provenance")
    for part in (
        "snakemake --profile divvy",
        "ab" * 32,
        "Regions of promoters",
        "cd" * 32,
        "numpy 2.4.0",
        "bed: promoters.bed",
    ):
        assert part in told


def test_pictures_hold_text_as_text(made: Path) -> None:
    for name in ("frip", "correlation", "pca"):
        svg = ElementTree.fromstring((made / "report" / f"peak_set.{name}.svg").read_text())
        texts = {element.text for element in svg.iter() if element.text and element.text.strip()}
        assert set(HOSTILE) <= texts if name != "pca" else {"group", "control", "treated"} <= texts
        png = (made / "report" / f"promoters.{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert int.from_bytes(png[16:20]) > 1000  # pixels wide


def small(folder: Path, n: int, **options: object) -> Path:
    """The report of a plain sheet of n samples, without attributes."""
    write_results(
        folder / "results", [{"sample_name": f"NA{i}" if i else "NA", "bam": "x.bam"} for i in range(n)], **options
    )  # type: ignore[arg-type]
    succeed(make_report(folder, "peak_set"))
    return folder / "results" / "report.html"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_samples_without_fragments_and_attributes(tmp_path: Path, n: int) -> None:
    path = small(tmp_path, n, regions=20, paired=False, tss=False)
    check_report(path, n)
    text = path.read_text()
    assert 'id="fragments"' not in text
    assert 'id="tss"' not in text
    assert ('id="correlation-peak_set"' in text) == (n > 1)
    assert ('id="pca-peak_set"' in text) == (n > 2)
    assert (tmp_path / "results/report/peak_set.pca.svg").exists() == (n > 2)


def test_samples_without_any_count(tmp_path: Path) -> None:
    path = small(tmp_path, 3, regions=20, empty=range(3))
    with opened(path) as page:
        assert page.run("return report.failed") == []
        assert page.errors() == []
        assert "3 conspicuous samples" in page.text("#problems")
        assert set(page.column("Kept")) == {"0"}


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


def test_other_titles(tmp_path: Path) -> None:
    write_results(tmp_path / "results", sheet(4), regions=20, tss=False)
    succeed(make_report(tmp_path, "peak_set", title="group"))
    text = (tmp_path / "results" / "report" / "peak_set.frip.svg").read_text()
    assert [f"{group} (s{i})" in text for i, group in enumerate(["control", "treated"] * 2)] == [True] * 4


def test_the_same_results_give_the_same_report(made: Path, tmp_path: Path) -> None:
    outputs = ["--out", tmp_path / "again.html", "--pictures", tmp_path, "--multiqc", tmp_path]
    succeed(script("report.py", "--results", made, "--region-sets", "peak_set", "promoters", *outputs, folder=tmp_path))
    assert (tmp_path / "again.html").read_bytes() == (made / "report.html").read_bytes()
    for name in ("peak_set.pca.svg", "peak_set.pca.png"):
        assert (tmp_path / name).read_bytes() == (made / "report" / name).read_bytes()


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refuse(make_report(tmp_path, "peak_set"), "samples.tsv", "run the workflow")
    write_results(tmp_path / "results", sheet(2), regions=5)
    refuse(make_report(tmp_path, "other"), "other.stats.tsv", "run the workflow")
    assert not (tmp_path / "results" / "report.html").exists()


def test_statistics_of_other_samples_are_refused(tmp_path: Path) -> None:
    write_results(tmp_path / "results", sheet(3), regions=5)
    table = tmp_path / "results" / "samples.tsv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    refuse(make_report(tmp_path, "peak_set"), "peak_set.stats.tsv", "not those of samples.tsv")


def test_a_damaged_sample_is_refused(tmp_path: Path) -> None:
    write_results(tmp_path / "results", sheet(2), regions=5)
    (tmp_path / "results" / "coverage" / "peak_set" / "s1.stats.json").write_text("{")
    refuse(make_report(tmp_path, "peak_set"), "s1.stats.json", "remove it")


def multiqc_table(results: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The header and the rows of the general statistics for MultiQC."""
    lines = (results / "multiqc" / "divvy_coverage_general_statistics_mqc.tsv").read_text().splitlines()
    header = dict(line[2:].split(": ", 1) for line in lines if line.startswith("#"))
    columns, *rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return header, [dict(zip(columns, row, strict=True)) for row in rows]


def test_content_for_multiqc_is_escaped(made: Path) -> None:
    header, rows = multiqc_table(made)
    assert header["plot_type"] == "generalstats"
    assert json.loads(header["headers"])["frip_promoters"]["title"] == "FRiP (promoters)"
    assert [row["Sample"] for row in rows[:3]] == ["s00", "s01", "s02"]  # by which MultiQC joins the rows of tools
    assert rows[4]["frip_peak_set"] == ""
    ids = set()
    for path in (made / "multiqc").iterdir():
        assert not re.search(r"<(?!\w+>: )", path.read_text()), path
        if path.suffix == ".json":
            ids.add(json.loads(path.read_text())["id"])
    alone = {f"divvy_coverage_{kind}" for kind in ("fragments", "mapping_quality", "tss")}
    kinds = ("frip", "detected", "correlation", "pca")
    assert ids == alone | {f"divvy_coverage_{kind}_{name}" for kind in kinds for name in ("peak_set", "promoters")}


def test_old_content_for_multiqc_goes(tmp_path: Path) -> None:
    write_results(tmp_path / "results", sheet(2), regions=5)
    stale = tmp_path / "results" / "multiqc" / "divvy_coverage_frip_gone_mqc.json"
    stale.parent.mkdir()
    stale.touch()
    other = stale.with_name("other_mqc.json")
    other.touch()
    succeed(make_report(tmp_path, "peak_set"))
    assert not stale.exists()
    assert other.exists()


def test_multiqc_takes_it_up(made: Path, tmp_path: Path, readers: Path) -> None:
    options = ["--strict", "--no-version-check", "--no-ansi", "--outdir", tmp_path / "multiqc"]
    succeed(command(readers / "multiqc", *options, made, folder=tmp_path))
    found = tmp_path / "multiqc" / "multiqc_data"
    with (found / "multiqc_general_stats.txt").open() as file:
        told = {row["Sample"]: row for row in csv.DictReader(file, delimiter="\t")}
    _, rows = multiqc_table(made)
    assert told.keys() == {row["Sample"] for row in rows}
    for row in rows:
        numbers = {key.split("-")[-1]: value for key, value in told[row["Sample"]].items()}
        for column in ("kept", "frip_peak_set", "library_size_promoters"):
            assert float(numbers[column] or "nan") == pytest.approx(float(row[column] or "nan"), nan_ok=True)
    told_in = {"fragments": 11, "tss": 11, "frip_peak_set": 12, "detected_promoters": 12, "pca_promoters": 12}
    for name, number in told_in.items():
        text = (found / f"multiqc_divvy_coverage_{name}_plot.txt").read_text()
        assert sum(row["Sample"] in text for row in rows) == number, name
    with Page(tmp_path / "multiqc" / "multiqc_report.html") as report:
        report.wait("document.querySelectorAll('.th-sample-name').length === 12")
        assert report.run("return document.querySelectorAll('img[src=x]').length") == 0
        assert not report.alerted()
