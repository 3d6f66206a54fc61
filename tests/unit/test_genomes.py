"""Files of different genomes, and regions that fit none: checked once for all files with the same contigs."""

import time
from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.alignments.headers import Header, compute_digest
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import UNKNOWN_LENGTH
from divvy_coverage.intervals.contigs import check_contigs, find_furthest
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.preflight import genomes
from divvy_coverage.preflight.genomes import check_genomes, check_regions, join_contigs
from divvy_coverage.preflight.sample_files import AlignedSample
from divvy_coverage.problems import Problem
from divvy_coverage.samples import Sample

HG19 = {"chr1": 249250621, "chr2": 243199373, "chr18": 78077248, "chrM": 16571}
HG38 = {"chr1": 248956422, "chr2": 242193529, "chr18": 80373285, "chrM": 16569}
ENSEMBL = {"1": 248956422, "2": 242193529, "18": 80373285, "MT": 16569}


def cohort(*contigs: dict[str, int]) -> list[AlignedSample]:
    """Return samples a, b, c … with one file each."""
    names = [chr(ord("a") + number) for number in range(len(contigs))]
    return [
        AlignedSample(Sample(name, row=row), [header(name, each)])
        for row, (name, each) in enumerate(zip(names, contigs, strict=True), start=1)
    ]


def header(name: str, contigs: dict[str, int]) -> Header:
    return Header(Path(f"{name}.bam"), "bam", contigs, compute_digest(contigs), None)


def regions(*rows: tuple[str, int, int]) -> Regions:
    contigs, starts, ends = zip(*rows, strict=True)
    return Regions.from_names(list(contigs), np.array(starts), np.array(ends))


def said(problems: list[Problem]) -> dict[str, str]:
    assert {(problem.kind, problem.severity) for problem in problems} <= {("genome", "error"), ("regions", "error")}
    assert all(problem.row == ord(problem.sample) - ord("a") + 1 for problem in problems)
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
    assert not check_genomes(cohort(HG38, HG38, others, HG38))
    assert not check_genomes(cohort(HG38))
    assert not check_genomes([])


def test_another_build_is_told_with_both_lengths() -> None:
    found = said(check_genomes(cohort(HG38, HG19, HG38, HG38, HG38)))
    assert list(found) == ["b"]
    assert found["b"] == (
        "b.bam: chr1 has 249250621 bp, but 248956422 bp in 4 samples (a, c, d …); 4 of 4 contigs differ: it is of "
        "another genome build; align all samples to the same one"
    )


def test_the_majority_is_right_wherever_it_stands() -> None:
    assert list(said(check_genomes(cohort(HG19, HG38, HG38)))) == ["a"]
    assert list(said(check_genomes(cohort(HG38, HG38, HG19, HG19, HG19)))) == ["a", "b"]
    assert said(check_genomes(cohort(HG19, HG38)))["b"].startswith(
        "b.bam: chr1 has 248956422 bp, but 249250621 bp in sample a;"
    )


def test_a_build_is_told_by_any_contig() -> None:
    found = said(check_genomes(cohort(HG38, HG38, HG38 | {"chrM": 16571}, {"chr18": HG19["chr18"], "phiX": 5386})))
    assert found["c"].startswith("c.bam: chrM has 16571 bp, but 16569 bp in 2 samples (a, b); 1 of 4 contigs differ")
    assert found["d"].startswith("d.bam: chr18 has 78077248 bp, but 80373285 bp in 3 samples (a, b, c); 1 of 2 contigs")


def test_contigs_are_compared_over_all_files_of_a_sample() -> None:
    first, second = [header("a1", HG38), header("a2", HG38)], [header("b1", HG38), header("b2", HG19)]
    found = check_genomes([AlignedSample(Sample("a"), first), AlignedSample(Sample("b"), second)])
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
    found = said(check_genomes(cohort(most | shared, most | shared, other | shared)))
    assert list(found) == ["c"]
    assert f"c.bam: its contigs ({next(iter(other))}" in found["c"]
    assert "have other names" in found["c"]
    assert hint in found["c"]


def test_names_of_the_majority_are_of_all_its_headers() -> None:
    """Four different headers with chr1 outvote two equal ones without, though none of the four is as frequent."""
    various = [HG38 | {f"chrUn_{number}": 5} for number in range(4)]
    found = said(check_genomes(cohort(ENSEMBL, ENSEMBL, *various, {"chr18": HG38["chr18"]})))
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
def test_regions_fit_as_the_engine_would_find(row: tuple[str, int, int], absent: str) -> None:
    wanted = regions(("chr2", 5, 10), row, ("chr1", 7, 9))
    expected = []
    try:
        if warning := check_contigs(wanted, HG38, Path("a.bam"), absent):
            expected.append(Problem("a", 1, "regions", "warning", warning.removeprefix("a.bam: ")))
    except UserError as error:
        expected.append(Problem("a", 1, "regions", "error", str(error)))
    assert check_regions(wanted, cohort(HG38), absent) == expected


def test_one_warning_for_all_files_with_the_same_contigs() -> None:
    found = check_regions(regions(("chrM", 0, 17000)), cohort(HG38, HG38, HG19, HG38, HG38), "error")
    assert {(problem.kind, problem.severity) for problem in found} == {("regions", "warning")}
    assert [(problem.sample, problem.row) for problem in found] == [("", None), ("c", 3)]
    assert found[0].text.startswith("4 samples (a, b, d …): 1 regions end beyond the end of their contig")
    assert found[1].text.startswith("1 regions end beyond the end of their contig")


def test_each_file_that_regions_do_not_fit_is_named() -> None:
    found = said(check_regions(regions(("chr1", 249000000, 249000100)), cohort(HG19, HG38, ENSEMBL, HG38), "error"))
    assert list(found) == ["b", "c", "d"]
    assert found["d"].startswith("d.bam: 1 regions start beyond the end of their contig: chr1:249000000-249000100")
    assert "c.bam: its header lacks 1 of the region set's contigs: chr1 (it has 1 and so on" in found["c"]


def test_absent_contigs_may_be_zero_but_not_all_of_them_in_all_files_of_a_sample() -> None:
    wanted = regions(("1", 5, 10), ("chrM", 5, 10))
    samples = [
        AlignedSample(Sample("a", ["a.bam"], row=1), [header("a", HG38)]),
        AlignedSample(Sample("b", ["b1.bam", "b2.bam"], row=2), [header("b1", {"chr7": 9}), header("b2", {"chr8": 9})]),
        AlignedSample(Sample("c", ["c1.bam", "c2.bam"], row=3), [header("c1", {"chr7": 9}), header("c2", HG38)]),
    ]
    (found,) = check_regions(wanted, samples, "zero")
    assert (found.sample, found.row, found.kind, found.severity) == ("b", 2, "regions", "error")
    assert found.text.startswith("b1.bam, b2.bam: none of the contigs of the regions (1, chrM) is in the header")


def test_the_furthest_of_regions() -> None:
    found = find_furthest(regions(("chr2", 5, 90), ("chr1", 1, 2), ("chr2", 50, 60), ("chr2", 7, 8)))
    assert found == {"chr2": (50, 90), "chr1": (1, 2)}
    assert list(found) == ["chr2", "chr1"]


def test_many_samples_and_many_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 samples of 100 different headers, 300,000 regions: 0.3 s on a machine that does nothing else."""
    different = [header(str(i), HG38 | {f"chrUn_{i}_{j}": 5000 for j in range(200)}) for i in range(100)]
    samples = [AlignedSample(Sample(f"sample_{i}"), [different[i % 100]]) for i in range(10_000)]
    starts = np.arange(300_000) * 500
    many = Regions.from_names(["chr1"] * 150_000 + ["chr2"] * 150_000, starts % 200_000_000, starts % 200_000_000 + 400)
    monkeypatch.setattr(genomes, "find_misfit", None)  # which is for those that do not fit
    start = time.perf_counter()
    assert not check_regions(many, samples, "error")
    assert not check_genomes(samples)
    assert time.perf_counter() - start < 5


def without_lengths(*names: str) -> dict[str, int]:
    """Return the contigs of a text file, which names only those that it has something on."""
    return dict.fromkeys(sorted(names), UNKNOWN_LENGTH)


@pytest.mark.parametrize("text", [without_lengths("chr18"), without_lengths(*HG38, "chrUn_1"), without_lengths("chrM")])
def test_text_files_have_no_lengths_to_differ_in(text: dict[str, int]) -> None:
    assert not check_genomes(cohort(HG38, text, HG38))
    assert not check_genomes(cohort(text, text, without_lengths("chr2", *text)))
    found = said(check_genomes(cohort(text, HG38, HG38, HG19)))
    assert found.keys() == {"d"}
    assert "bp in 2 samples (b, c)" in found["d"]


def test_text_files_with_other_names_are_of_another_genome() -> None:
    found = said(check_genomes(cohort(HG38, without_lengths("1", "2"), without_lengths("chr2"))))
    assert found.keys() == {"b"}
    assert "(1, 2) have other names than those (chr1, chr2, chr18 …)" in found["b"]
    assert "they lack the prefix 'chr'" in found["b"]


def test_regions_on_contigs_that_a_text_file_does_not_name_are_no_problem_if_one_is_there() -> None:
    on_two = regions(("chr1", 0, 10), ("chr18", 80_000_000, 80_000_010))
    assert not check_regions(on_two, cohort(without_lengths("chr1"), HG38), "error")
    found = said(check_regions(on_two, cohort(without_lengths("1"), HG38, {"chr1": 1000}), "error"))
    assert found.keys() == {"a", "c"}
    assert "none of the contigs of the regions (chr1, chr18) is in the header" in found["a"]
    assert "c.bam: its header lacks 1 of the region set's contigs: chr18" in found["c"]


def test_lengths_are_those_of_the_files_that_know_them() -> None:
    text = without_lengths("chr1", "chrUn")
    expected = HG38 | {"chrUn": UNKNOWN_LENGTH}
    assert join_contigs(cohort(text, HG38)) == join_contigs(cohort(HG38, text)) == expected
