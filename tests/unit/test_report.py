"""What the report is made of: labels, colours, rules, curves, and data that can stand in a page."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divvy_coverage.report import charts
from divvy_coverage.report.colors import MOST_GROUPS, NONE, Colouring, colourings, grouping
from divvy_coverage.report.data import fragment_curve, quality_curve, tss_curve
from divvy_coverage.report.flags import findings, labels
from divvy_coverage.report.page import Columns, compact, embedded


def samples(**attributes: list[str]) -> list[dict[str, list[str]]]:
    """Samples s0, s1 … with one value an attribute, "" for none."""
    rows = zip(*attributes.values(), strict=True)
    return [
        {"sample_name": [f"s{i}"], **{k: [v] if v else [] for k, v in zip(attributes, row, strict=True)}}
        for i, row in enumerate(rows)
    ]


def test_labels_are_titles_or_else_names() -> None:
    assert labels(samples(title=["A", "", "C\t c"]), "title") == ["A", "s1", "C c"]
    assert labels(samples(title=["A", "B", "C"]), "other") == ["s0", "s1", "s2"]


def test_labels_that_are_shared_get_the_name() -> None:
    assert labels(samples(title=["A", "A", "B"]), "title") == ["A (s0)", "A (s1)", "B"]
    assert labels(samples(title=["", "s0", "x"]), "title") == ["s0", "s0 (s1)", "x"]


@given(
    st.lists(
        st.sampled_from(["", "A", "s0", "s1", "A (s0)", "A (s1)", "s0 (s1)", "A (s0) (s2)"]), min_size=1, max_size=6
    )
)
def test_labels_are_always_different(titles: list[str]) -> None:
    found = labels(samples(title=titles), "title")
    assert len(set(found)) == len(found)


def test_an_attribute_with_several_values_is_one_label() -> None:
    assert labels([{"sample_name": ["s"], "title": ["a", "b"]}], "title") == ["a b"]


def test_what_can_colour_samples() -> None:
    n = MOST_GROUPS + 2
    found = colourings(
        samples(
            title=[f"t{i}" for i in range(n)],
            bam=[f"{i % 2}.bam" for i in range(n)],
            reads=[f"/data/{i % 2}/reads.fq" for i in range(n)],
            index=[f"x{i % 2}.bai.GZ" for i in range(n)],
            organism=["human"] * n,
            barcode=[f"b{i}" for i in range(n)],
            group=["ab"[i % 2] for i in range(n)],
            some=["x" if i else "" for i in range(n)],
            age=[str(i % 30) if i else "" for i in range(n)],
            replicate=[str(1 + i % 3) for i in range(n)],
            ratio=["WT/KO" if i % 2 else "WT/WT" for i in range(n)],
        ),
        "title",
    )
    assert [c.title for c in found] == ["group", "some", "age", "replicate", "ratio"]
    assert [c.title for c in found if c.continuous] == ["age"]
    assert found[1].values[:2] == [NONE, "x"]
    assert list(found[2].values[:2]) == [None, 1.0]


def test_groups_sort_as_people_do() -> None:
    assert Colouring("t", ["s10", NONE, "s2", "S1"]).groups() == ["S1", "s2", "s10", NONE]
    assert Colouring("t", ["10", "9", "-1", "0.5"]).groups() == ["-1", "0.5", "9", "10"]


def test_groups_look_different() -> None:
    groups = Colouring("t", [str(i) for i in range(MOST_GROUPS)])
    assert len(set(zip(*groups.palette(), strict=True))) == MOST_GROUPS


def test_the_grouping_has_replicates() -> None:
    unique, age = Colouring("u", ["a", "b", "c"]), Colouring("age", [1.0, 2.0, 3.0], continuous=True)
    pairs = Colouring("p", ["a", "a", "b"])
    assert grouping([unique, age, pairs]) is pairs
    assert grouping([unique, age]) is None


def test_conspicuous_samples() -> None:
    statistics = pd.DataFrame(
        {
            "counted": [100, 100, 100, 100, 0, 100],
            "in_regions": [30, 30, 14, 30, 0, 0],
            "frip": [0.3, 0.3, 0.14, 0.3, np.nan, 0.0],
            "library_size": [100, 100, 100, 24, 0, 100],
        }
    )
    found = findings(list("abcdef"), statistics, "set")
    assert [(one.sample, one.kind) for one in found] == [
        ("c", "low FRiP"),
        ("d", "small library"),
        ("e", "no counts"),
        ("f", "no counts"),
    ]


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--", "<img src=x>", "a & b", "\u2028é\U0001f9ec"]
)
def test_embedded_json_is_the_same_json(text: str) -> None:
    found = embedded(json.dumps({text: [text]}))
    assert not set(found) & set("<>&\u2028")
    assert json.loads(found) == {text: [text]}


def expanded(column: Any) -> list[Any]:
    """A column as the page's program reads it."""
    return column if isinstance(column, list) else [column["levels"][code] for code in column["codes"]]


@pytest.mark.parametrize(
    "values", [["a", "b", "a", "a"], ["a", "b"], [1, 2], [1.5, None], [123456789.0, 0.25], ["7", "7", "x", "7"], []]
)
def test_columns_come_back(values: list[Any]) -> None:
    assert expanded(json.loads(compact(values))) == values


def test_numbers_are_short_and_never_nan() -> None:
    assert compact([1 / 3, float("nan"), float("inf"), 2.0]) == "[0.33333,null,null,2]"


def test_columns_are_kept_once() -> None:
    columns = Columns()
    records = [{"sample": "a", "value": 1}, {"sample": "b", "value": 2}]
    assert columns.dataset(records) == {"sample": 0, "value": 1}
    assert columns.dataset([{"name": "a", "more": 3}, {"name": "b", "more": 4}]) == {"name": 0, "more": 2}
    assert json.loads(columns.json()) == [["a", "b"], [1, 2], [3, 4]]


def test_fragment_lengths_add_up() -> None:
    lengths = {"0": 10, "4": 30, "5": 20, "999": 20, "2000": 20}
    curve = fragment_curve({"histograms": {"fragment_length": lengths}})
    assert curve is not None
    assert {i: round(y, 9) for i, y in enumerate(curve.tolist()) if y} == {0: 8.0, 1: 4.0, 199: 4.0}
    assert fragment_curve({"histograms": {"fragment_length": {}}}) is None


def test_mapping_qualities_are_at_least() -> None:
    curve = quality_curve({"histograms": {"mapping_quality": {"0": 1, "30": 1, "60": 2}}})
    assert curve is not None
    assert [curve[q] for q in (0, 1, 30, 31, 60, 61)] == [1, 0.75, 0.75, 0.5, 0.5, 0]
    assert quality_curve({"histograms": {"mapping_quality": {}}}) is None


def test_the_tss_profile_is_relative_to_its_ends() -> None:
    profile = np.full(4001, 2)
    profile[1990:2010] = 10
    curve = tss_curve({"tss_profile": profile.tolist()})
    assert curve is not None
    assert [curve[i] for i in (0, 198, 199, 200, 201, 399)] == [1, 1, 5, 5, 1, 1]
    assert tss_curve({}) is None
    assert tss_curve({"tss_profile": [0] * 4001}) is None


def test_large_matrices_are_means_of_blocks() -> None:
    n = 2 * charts.MOST_CELLS + 1
    values = np.random.default_rng(0).random((n, n))
    values[0, 0] = np.nan
    names, means = charts.averaged([f"s{i}" for i in range(n)], values)
    assert len(names) <= charts.MOST_CELLS
    assert names[:2] == ["s0 … s2", "s3 … s5"]
    assert names[-1] == f"s{n - 1}"
    assert means[0, 0] == pytest.approx(np.nanmean(values[:3, :3]))
    assert means[1, -1] == pytest.approx(values[3:6, -1].mean())


def test_small_matrices_stay() -> None:
    names, means = charts.averaged(["a", "b"], np.eye(2))
    assert names == ["a", "b"]
    assert means.tolist() == [[1, 0], [0, 1]]


def test_the_farthest_curves() -> None:
    values = np.zeros((20, 3))
    values[[3, 11]] = [[0, 5, 0], [-9, 0, 0]]
    assert charts.farthest(values)[:2] == [11, 3]


def test_an_attribute_called_image_is_not_one() -> None:
    encoding = charts.pca_colour("c0", Colouring("image", ["http://x/y.png", "b"]))
    assert "image" not in [tooltip["title"] for tooltip in encoding["tooltip"][1:]]


def test_components_without_known_variance_have_plain_axes() -> None:
    axes = charts.pca_axes(1, 3, [0.5, float("nan")])
    assert [axes[side]["title"] for side in "xy"] == ["PC1 (50.0% of the variance)", "PC3"]


def test_regions_without_variance_give_no_plot() -> None:
    nothing = np.full(5, np.nan)
    assert charts.mean_variance(np.ones(5), nothing) is None
    assert charts.dispersion(np.zeros(5), np.ones(5)) is None
