"""make_report.py: what the page says, the pictures, the content for MultiQC, and results that are refused."""

import csv
import html
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from browser import Page
from divvy_coverage.counting.inputs import Inputs, write_inputs
from helpers import CLONE, command, refuse, script, succeed
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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of 12 samples with hostile labels and attributes, and their report."""
    return make_hostile_report(tmp_path_factory.mktemp("report"))


def read_section(page: Path, name: str) -> str:
    """The text of a section of a page that is there without running its program."""
    text = page.read_text()
    start = text.index(f'<section id="{name}">')
    return html.unescape(re.sub(r"<[^<>]*>", " ", text[start : text.index("</section>", start)]))


def read_data(page: Path) -> dict[str, Any]:
    """What the program of a page draws."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    found: dict[str, Any] = json.loads(data)
    return found


def test_the_page_names_no_address_to_load(made: Path) -> None:
    text = (made / "report.html").read_text()
    assert "default-src 'none'" in text
    addresses = re.findall(r"""<[^<>]*\s(?:src|href)\s*=\s*["']?([^"'>]*)""", text.split("<script")[0])
    assert addresses
    assert all(address.startswith("#") for address in addresses)


def test_excluded_samples_warnings_and_flagged_samples_come_first(made: Path) -> None:
    problems = read_section(made / "report.html", "problems")
    for part in ("2 excluded samples", "2 warnings", "2 flagged samples", "control 5", "treated 8"):
        assert part in problems
    for problem in (*EXCLUDED, *WARNINGS):
        assert all(part in problems for part in (problem.sample, problem.kind, " ".join(problem.text.split())))
    text = (made / "report.html").read_text()
    assert text.index('id="problems"') < text.index('id="statistics"') < text.index('id="libraries"')


def test_a_run_without_problems_says_so(tmp_path: Path) -> None:
    problems = read_section(make_small_report(tmp_path, 2, regions=5), "problems")
    assert "No sample was excluded" in problems
    assert "No sample is flagged" in problems
    assert not re.search(r"\d warning", problems)


def test_the_page_shows_the_provenance(made: Path) -> None:
    provenance = read_section(made / "report.html", "provenance")
    for part in (
        "snakemake --profile divvy",
        "2026-11-22T21:00:00+00:00",
        "ab" * 32,
        "Regions of promoters",
        "cd" * 32,
        "numpy 2.4.0",
        "bed: promoters.bed",
    ):
        assert part in provenance


def test_the_page_says_what_was_counted(made: Path, tmp_path: Path) -> None:
    single = make_small_report(tmp_path, 2, regions=5, paired=False)
    for path, unit in ((made / "report.html", "fragments"), (single, "reads")):
        assert f"no usable {unit}, or none of them in a region" in read_section(path, "problems")
        assert f"usable {unit} that are in regions" in read_section(path, "libraries")
        described = read_section(path, "set-peak_set")
        assert all(text in described for text in (f"counted: {unit}", f"library size: usable {unit}"))
        assert all(text in read_section(path, "provenance") for text in (f"unit: {unit}", "exclude_flags: 3844"))
        assert f'"title":"Usable {unit}"' in path.read_text()
        (bars,) = path.parent.glob("multiqc/divvy_coverage_frip_peak_set_mqc.json")
        assert json.loads(bars.read_text())["pconfig"]["ylab"] == f"Usable {unit}"


def test_what_is_not_known_is_shown_as_nothing(tmp_path: Path) -> None:
    write_results(tmp_path / "results", sheet(3), regions=5)
    stats = tmp_path / "results" / "matrix" / "peak_set.stats.tsv"
    table = pd.read_csv(stats, sep="\t", dtype=str, keep_default_na=False)
    table.loc[1, ["fragment_length_median", "mitochondrial_fraction"]] = ""
    table["tss_enrichment"] = ""
    table.to_csv(stats, sep="\t", index=False)
    succeed(make_report(tmp_path, "peak_set"))
    _, rows = read_multiqc_table(tmp_path / "results")
    for column in ("fragment_length_median", "mitochondrial_fraction"):
        assert [row[column] == "" for row in rows] == [False, True, False]
    assert "tss_enrichment" not in rows[0]
    page = read_data(tmp_path / "results" / "report.html")
    shown = {column["title"]: page["columns"][column["column"]] for column in page["table"]["columns"]}
    for title in ("Fragment length", "Mitochondrial"):
        assert [value is None for value in shown[title]] == [False, True, False]
    assert "TSS enrichment" not in shown


def test_a_record_has_what_was_counted(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text("sample_name\n")
    (tmp_path / "r.bed").write_text("chr1\t5\t10\n")
    write_inputs(Inputs("code", {"unit": "fragments", "min_mapq": 30}, {}), tmp_path / "inputs.json")
    options = ["--config", '{"assay": "atac"}', "--samples", "s.tsv", "--regions", "r.bed", "--out", "record.json"]
    succeed(script("record_run.py", *options, "--inputs", "inputs.json", folder=tmp_path))
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["config"], record["counting"]) == ({"assay": "atac"}, {"unit": "fragments", "min_mapq": 30})


def test_pictures_hold_text_as_text(made: Path) -> None:
    for name in ("frip", "correlation", "pca"):
        svg = ElementTree.fromstring((made / "report" / f"peak_set.{name}.svg").read_text())
        texts = {element.text for element in svg.iter() if element.text and element.text.strip()}
        assert set(HOSTILE) <= texts if name != "pca" else {"group", "control", "treated"} <= texts
        png = (made / "report" / f"promoters.{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert int.from_bytes(png[16:20]) > 1000  # pixels wide


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_samples_without_fragments_and_attributes(tmp_path: Path, n: int) -> None:
    path = make_small_report(tmp_path, n, regions=20, paired=False, tss=False)
    text = path.read_text()
    assert 'id="fragments"' not in text
    assert 'id="tss"' not in text
    assert ('id="correlation-peak_set"' in text) == (n > 1)
    assert ('id="pca-peak_set"' in text) == (n > 2)
    assert (tmp_path / "results/report/peak_set.pca.svg").exists() == (n > 2)


def test_labels_may_be_of_another_attribute(tmp_path: Path) -> None:
    write_results(tmp_path / "results", sheet(4), regions=20, tss=False)
    succeed(make_report(tmp_path, "peak_set", label="group"))
    text = (tmp_path / "results" / "report" / "peak_set.frip.svg").read_text()
    assert [f"{group} (s{i})" in text for i, group in enumerate(["control", "treated"] * 2)] == [True] * 4


@pytest.mark.slow
def test_the_same_results_give_the_same_report_in_another_process(made: Path, tmp_path: Path) -> None:
    inputs = ["--results", made, "--region-sets", "peak_set", "promoters"]
    outputs = ["--out", tmp_path / "again.html", "--pictures", tmp_path, "--multiqc", tmp_path]
    succeed(command(sys.executable, CLONE / "scripts" / "make_report.py", *inputs, *outputs, folder=tmp_path))
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


@pytest.mark.parametrize("table", ["pca", "correlation"])
def test_tables_of_other_samples_are_refused(tmp_path: Path, table: str) -> None:
    write_results(tmp_path / "results", sheet(3), regions=5)
    path = tmp_path / "results" / "matrix" / f"peak_set.{table}.tsv"
    path.write_text(path.read_text().replace("s2\t", "s7\t"))
    refuse(make_report(tmp_path, "peak_set"), path.name, "not those of samples.tsv")


@pytest.mark.parametrize(
    "name",
    [
        "coverage/s1/evidence.json",
        "provenance.json",
        "matrix/peak_set.summary.json",
        "matrix/peak_set.region_stats.tsv.gz",
    ],
)
def test_a_damaged_or_edited_file_is_refused(tmp_path: Path, name: str) -> None:
    write_results(tmp_path / "results", sheet(2), regions=5)
    path = tmp_path / "results" / name
    content = b"" if name.endswith(".gz") else path.read_bytes()
    for damaged in (b"{", content.replace(b"1", b"2")):
        path.write_bytes(damaged)
        refuse(make_report(tmp_path, "peak_set"), name, "remove it and run again")


def read_multiqc_table(results: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The header and the rows of the general statistics for MultiQC."""
    lines = (results / "multiqc" / "divvy_coverage_general_statistics_mqc.tsv").read_text().splitlines()
    header = dict(line[2:].split(": ", 1) for line in lines if line.startswith("#"))
    columns, *rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return header, [dict(zip(columns, row, strict=True)) for row in rows]


def test_content_for_multiqc_is_escaped(made: Path) -> None:
    header, rows = read_multiqc_table(made)
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


@pytest.mark.slow
def test_multiqc_takes_it_up(made: Path, tmp_path: Path, readers: Path) -> None:
    options = ["--strict", "--no-version-check", "--no-ansi", "--outdir", tmp_path / "multiqc"]
    succeed(command(readers / "multiqc", *options, made, folder=tmp_path))
    found = tmp_path / "multiqc" / "multiqc_data"
    with (found / "multiqc_general_stats.txt").open() as file:
        table = {row["Sample"]: row for row in csv.DictReader(file, delimiter="\t")}
    _, rows = read_multiqc_table(made)
    assert table.keys() == {row["Sample"] for row in rows}
    for row in rows:
        numbers = {key.split("-")[-1]: value for key, value in table[row["Sample"]].items()}
        for column in ("usable", "frip_peak_set", "library_size_promoters"):
            assert float(numbers[column] or "nan") == pytest.approx(float(row[column] or "nan"), nan_ok=True)
    shown_in = {"fragments": 11, "tss": 11, "frip_peak_set": 12, "detected_promoters": 12, "pca_promoters": 12}
    for name, number in shown_in.items():
        text = (found / f"multiqc_divvy_coverage_{name}_plot.txt").read_text()
        assert sum(row["Sample"] in text for row in rows) == number, name
    with Page(tmp_path / "multiqc" / "multiqc_report.html") as report:
        report.wait("document.querySelectorAll('.th-sample-name').length === 12")
        assert report.run("return document.querySelectorAll('img[src=x]').length") == 0
        assert not report.alerted()
