"""Files of different genomes, and regions that fit none: checked once for all files with the same contigs."""

import time
from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.alignments.headers import Header, digest_of
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions, check_contigs, furthest
from divvy_coverage.preflight import genomes
from divvy_coverage.preflight.genomes import compare, fits

HG19 = {"chr1": 249250621, "chr2": 243199373, "chr18": 78077248, "chrM": 16571}
HG38 = {"chr1": 248956422, "chr2": 242193529, "chr18": 80373285, "chrM": 16569}
ENSEMBL = {"1": 248956422, "2": 242193529, "18": 80373285, "MT": 16569}


def cohort(*contigs: dict[str, int]) -> dict[str, list[Header]]:
    """Return samples a, b, c … with a file each."""
    names = [chr(ord("a") + number) for number in range(len(contigs))]
    return {name: [header(name, each)] for name, each in zip(names, contigs, strict=True)}


def header(name: str, contigs: dict[str, int]) -> Header:
    return Header(Path(f"{name}.bam"), "bam", contigs, digest_of(contigs))


def regions(*rows: tuple[str, int, int]) -> Regions:
    contigs, starts, ends = zip(*rows, strict=True)
    return Regions(list(contigs), np.array(starts), np.array(ends))


def said(problems: list) -> dict[str, str]:
    assert {problem.kind for problem in problems} <= {"genome", "regions"}
    return {problem.sample: problem.text for problem in problems}


@pytest.mark.parametrize(
    "others",
    [
        HG38,
        dict(reversed(HG38.items())),
        {"chr18": HG38["chr18"]},
        HG38 | {"chrUn_1": 5, "phiX": 5386},
        {"chr2": HG38["chr2"], "phiX": 5386},
    ],
    ids=["same", "other order", "one contig", "more contigs", "some of each"],
)
def test_contigs_that_only_some_have_are_no_problem(others: dict[str, int]) -> None:
    assert not compare(cohort(HG38, HG38, others, HG38))
    assert not compare(cohort(HG38))
    assert not compare({})


def test_another_build_is_told_with_both_lengths() -> None:
    found = said(compare(cohort(HG38, HG19, HG38, HG38, HG38)))
    assert list(found) == ["b"]
    assert found["b"] == (
        "b.bam: chr1 has 249250621 bp, but 248956422 bp in 4 samples (a, c, d …); 4 of 4 contigs differ: it is of "
        "another genome build; align all samples to the same one"
    )


def test_the_majority_is_right_wherever_it_stands() -> None:
    assert list(said(compare(cohort(HG19, HG38, HG38)))) == ["a"]
    assert list(said(compare(cohort(HG38, HG38, HG19, HG19, HG19)))) == ["a", "b"]
    assert said(compare(cohort(HG19, HG38)))["b"].startswith(
        "b.bam: chr1 has 248956422 bp, but 249250621 bp in sample a;"
    )


def test_a_build_is_told_by_any_contig() -> None:
    found = said(compare(cohort(HG38, HG38, HG38 | {"chrM": 16571}, {"chr18": HG19["chr18"], "phiX": 5386})))
    assert found["c"].startswith("c.bam: chrM has 16571 bp, but 16569 bp in 2 samples (a, b); 1 of 4 contigs differ")
    assert found["d"].startswith("d.bam: chr18 has 78077248 bp, but 80373285 bp in 3 samples (a, b, c); 1 of 2 contigs")


def test_contigs_are_compared_over_all_files_of_a_sample() -> None:
    files = {"a": [header("a1", HG38), header("a2", HG38)], "b": [header("b1", HG38), header("b2", HG19)]}
    found = compare(files)
    assert [(problem.sample, problem.text.split(":")[0]) for problem in found] == [("b", "b2.bam")]
    assert "2 samples (a, b)" in found[0].text


@pytest.mark.parametrize(
    ("most", "other", "hint"),
    [
        (HG38, ENSEMBL, "they lack the prefix 'chr'"),
        (ENSEMBL, HG38, "only they have the prefix 'chr'"),
        (HG38, {"NC_000001.11": 248956422}, "(chr1, chr2, chr18 …) of 2 samples (a, b); align"),
    ],
)
@pytest.mark.parametrize("shared", [{}, {"phiX": 5386}], ids=["", "spike-in"])
def test_other_names_get_a_hint(most: dict, other: dict, hint: str, shared: dict) -> None:
    found = said(compare(cohort(most | shared, most | shared, other | shared)))
    assert list(found) == ["c"]
    assert f"c.bam: its contigs ({next(iter(other))}" in found["c"]
    assert "have other names" in found["c"]
    assert hint in found["c"]


def test_names_of_the_majority_are_of_all_its_headers() -> None:
    """Four different headers with chr1 outvote two equal ones without, though none of the four is as frequent."""
    various = [HG38 | {f"chrUn_{number}": 5} for number in range(4)]
    found = said(compare(cohort(ENSEMBL, ENSEMBL, *various, {"chr18": HG38["chr18"]})))
    assert list(found) == ["a", "b"]


@pytest.mark.parametrize("absent", ["error", "zero"])
@pytest.mark.parametrize(
    "row",
    [
        ("chr1", 0, 5),
        ("chr1", 248956421, 248956422),
        ("chr1", 248956421, 248956423),
        ("chr1", 248956422, 248956423),
        ("chr9", 1, 2),
        ("2", 1, 2),
        ("chrM", 0, 16569),
        ("chrM", 16569, 16570),
    ],
)
def test_regions_fit_as_the_engine_would_find(
    row: tuple[str, int, int], absent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = regions(("chr2", 5, 10), row, ("chr1", 7, 9))
    expected = ""
    try:
        check_contigs(wanted, HG38, Path("a.bam"), absent)
    except UserError as error:
        expected = str(error)
    warning = capsys.readouterr().err
    found = fits(wanted, cohort(HG38), absent)
    assert [(problem.kind, problem.sample, problem.text) for problem in found] == (
        [("regions", "a", expected)] if expected else []
    )
    assert capsys.readouterr().err == warning.replace("a.bam", "sample a")


def test_one_warning_for_all_files_with_the_same_contigs(capsys: pytest.CaptureFixture[str]) -> None:
    assert not fits(regions(("chrM", 0, 17000)), cohort(HG38, HG38, HG19, HG38, HG38), "error")
    assert capsys.readouterr().err.splitlines() == [
        "warning: 4 samples (a, b, d …): 1 regions end beyond the end of their contig; they are counted as they are",
        "warning: sample c: 1 regions end beyond the end of their contig; they are counted as they are",
    ]


def test_each_file_that_regions_do_not_fit_is_named() -> None:
    found = said(fits(regions(("chr1", 249000000, 249000100)), cohort(HG19, HG38, ENSEMBL, HG38), "error"))
    assert list(found) == ["b", "c", "d"]
    assert found["d"].startswith("d.bam: 1 regions start beyond the end of their contig: chr1:249000000-249000100")
    assert "c.bam: its header lacks 1 of the region set's contigs: chr1 (it has 1 and so on" in found["c"]


def test_the_furthest_of_regions() -> None:
    found = furthest(regions(("chr2", 5, 90), ("chr1", 1, 2), ("chr2", 50, 60), ("chr2", 7, 8)))
    assert found == {"chr2": (50, 90), "chr1": (1, 2)}
    assert list(found) == ["chr2", "chr1"]


def test_many_samples_and_many_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 samples of 100 different headers, 300,000 regions: 0.3 s on a machine that does nothing else."""
    different = [header(str(i), HG38 | {f"chrUn_{i}_{j}": 5000 for j in range(200)}) for i in range(100)]
    headers = {f"sample_{i}": [different[i % 100]] for i in range(10_000)}
    starts = np.arange(300_000) * 500
    many = Regions(["chr1"] * 150_000 + ["chr2"] * 150_000, starts % 200_000_000, starts % 200_000_000 + 400)
    monkeypatch.setattr(genomes, "misfit", None)  # which is for those that do not fit
    start = time.perf_counter()
    assert not fits(many, headers, "error")
    assert not compare(headers)
    assert time.perf_counter() - start < 5
