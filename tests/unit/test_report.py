"""What the report is made of: labels, colors, flags, curves, and data that can stand in a page."""

import json
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from divvy_coverage.counting.tally import Tally
from divvy_coverage.report import charts, region_charts
from divvy_coverage.report.colors import MOST_GROUPS, NONE, Coloring, choose_grouping, find_colorings
from divvy_coverage.report.curves import compute_fragment_curve, compute_quality_curve, compute_tss_curve
from divvy_coverage.report.data import build_labels
from divvy_coverage.report.flags import find_flags
from divvy_coverage.report.page import Columns, encode_column, escape_json
from divvy_coverage.samples import Sample


def build_samples(bam: list[str] = (), **attributes: list[str]) -> list[Sample]:
    """Samples s0, s1 … with one value per attribute, "" for none."""
    rows = zip(*attributes.values(), strict=True)
    return [
        Sample(f"s{i}", bam[i : i + 1], None, {k: [v] if v else [] for k, v in zip(attributes, row, strict=True)})
        for i, row in enumerate(rows)
    ]


def test_labels_are_those_of_the_sheet_or_else_names() -> None:
    assert build_labels(build_samples(label=["A", "", "C\t c"]), "label") == ["A", "s1", "C c"]
    assert build_labels(build_samples(label=["A", "B", "C"]), "other") == ["s0", "s1", "s2"]


def test_labels_that_are_shared_get_the_name() -> None:
    assert build_labels(build_samples(label=["A", "A", "B"]), "label") == ["A (s0)", "A (s1)", "B"]
    assert build_labels(build_samples(label=["", "s0", "x"]), "label") == ["s0", "s0 (s1)", "x"]


@given(
    st.lists(
        st.sampled_from(["", "A", "s0", "s1", "A (s0)", "A (s1)", "s0 (s1)", "A (s0) (s2)"]), min_size=1, max_size=6
    )
)
def test_labels_are_always_different(values: list[str]) -> None:
    labels = build_labels(build_samples(label=values), "label")
    assert len(set(labels)) == len(labels)


def test_an_attribute_with_several_values_is_one_label() -> None:
    assert build_labels([Sample("s", attributes={"label": ["a", "b"]})], "label") == ["a b"]


def test_what_can_color_samples() -> None:
    n = MOST_GROUPS + 2
    found = find_colorings(
        build_samples(
            label=[f"t{i}" for i in range(n)],
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
        "label",
    )
    assert [c.name for c in found] == ["group", "some", "age", "replicate", "ratio"]
    assert [c.name for c in found if c.continuous] == ["age"]
    assert found[1].values[:2] == [NONE, "x"]
    assert list(found[2].values[:2]) == [None, 1.0]


def test_groups_sort_as_people_do() -> None:
    assert Coloring("t", ["s10", NONE, "s2", "S1"]).get_groups() == ["S1", "s2", "s10", NONE]
    assert Coloring("t", ["10", "9", "-1", "0.5"]).get_groups() == ["-1", "0.5", "9", "10"]


def test_groups_look_different() -> None:
    groups = Coloring("t", [str(i) for i in range(MOST_GROUPS)])
    assert len(set(zip(*groups.get_palette(), strict=True))) == MOST_GROUPS


def test_the_grouping_has_replicates() -> None:
    unique, age = Coloring("u", ["a", "b", "c"]), Coloring("age", [1.0, 2.0, 3.0], continuous=True)
    pairs = Coloring("p", ["a", "a", "b"])
    assert choose_grouping([unique, age, pairs]) is pairs
    assert choose_grouping([unique, age]) is None


def test_samples_are_flagged_by_the_first_criterion_they_meet() -> None:
    statistics = pd.DataFrame(
        {
            "usable": [100, 100, 100, 100, 0, 100],
            "in_regions": [30, 30, 14, 30, 0, 0],
            "frip": [0.3, 0.3, 0.14, 0.3, np.nan, 0.0],
            "library_size": [100, 100, 100, 24, 0, 100],
        }
    )
    found = find_flags(list("abcdef"), statistics, "set", "reads")
    assert [(one.sample, one.kind) for one in found] == [
        ("c", "low FRiP"),
        ("d", "small library"),
        ("e", "no counts"),
        ("f", "no counts"),
    ]
    assert [one.text for one in found[2:]] == ["no usable reads", "none of 100 usable reads is in a region"]


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--", "<img src=x>", "a & b", "\u2028é\U0001f9ec"]
)
def test_embedded_json_is_the_same_json(text: str) -> None:
    found = escape_json(json.dumps({text: [text]}))
    assert not set(found) & set("<>&\u2028")
    assert json.loads(found) == {text: [text]}


def expanded(column: Any) -> list[Any]:
    """A column as the page's program reads it."""
    return column if isinstance(column, list) else [column["levels"][code] for code in column["codes"]]


@pytest.mark.parametrize(
    "values", [["a", "b", "a", "a"], ["a", "b"], [1, 2], [1.5, None], [123456789.0, 0.25], ["7", "7", "x", "7"], []]
)
def test_columns_come_back(values: list[Any]) -> None:
    assert expanded(json.loads(encode_column(values))) == values


def test_numbers_are_short_and_never_nan() -> None:
    assert encode_column([1 / 3, float("nan"), float("inf"), 2.0]) == "[0.33333,null,null,2]"


def test_columns_are_kept_once() -> None:
    columns = Columns()
    records = [{"sample": "a", "value": 1}, {"sample": "b", "value": 2}]
    assert columns.add_dataset(records) == {"sample": 0, "value": 1}
    assert columns.add_dataset([{"name": "a", "more": 3}, {"name": "b", "more": 4}]) == {"name": 0, "more": 2}
    assert json.loads(columns.to_json()) == [["a", "b"], [1, 2], [3, 4]]


def test_fragment_lengths_add_up() -> None:
    tally = Tally()
    assert compute_fragment_curve(tally) is None
    tally.fragment_lengths[[0, 4, 5, 999, 2000]] = [10, 30, 20, 20, 20]
    curve = compute_fragment_curve(tally)
    assert curve is not None
    assert {i: round(y, 9) for i, y in enumerate(curve.tolist()) if y} == {0: 8.0, 1: 4.0, 199: 4.0}


def test_mapping_qualities_are_at_least() -> None:
    tally = Tally()
    assert compute_quality_curve(tally) is None
    tally.mapping_quality[[0, 30, 60]] = [1, 1, 2]
    curve = compute_quality_curve(tally)
    assert curve is not None
    assert [curve[q] for q in (0, 1, 30, 31, 60, 61)] == [1, 0.75, 0.75, 0.5, 0.5, 0]


def test_the_tss_profile_is_relative_to_its_ends() -> None:
    profile = np.full(4001, 2)
    profile[1990:2010] = 10
    curve = compute_tss_curve(Tally(tss_profile=profile))
    assert curve is not None
    assert [curve[i] for i in (0, 198, 199, 200, 201, 399)] == [1, 1, 5, 5, 1, 1]
    assert compute_tss_curve(Tally()) is None
    assert compute_tss_curve(Tally(tss_profile=np.zeros(4001, np.int64))) is None


def test_large_matrices_are_means_of_blocks() -> None:
    n = 2 * charts.MOST_CELLS + 1
    values = np.random.default_rng(0).random((n, n))
    values[0, 0] = np.nan
    names, means = charts.average_blocks([f"s{i}" for i in range(n)], values)
    assert len(names) <= charts.MOST_CELLS
    assert names[:2] == ["s0 … s2", "s3 … s5"]
    assert names[-1] == f"s{n - 1}"
    assert means[0, 0] == pytest.approx(np.nanmean(values[:3, :3]))
    assert means[1, -1] == pytest.approx(values[3:6, -1].mean())


def test_small_matrices_stay() -> None:
    names, means = charts.average_blocks(["a", "b"], np.eye(2))
    assert names == ["a", "b"]
    assert means.tolist() == [[1, 0], [0, 1]]


def test_the_farthest_curves() -> None:
    values = np.zeros((20, 3))
    values[[3, 11]] = [[0, 5, 0], [-9, 0, 0]]
    assert charts.find_farthest(values)[:2] == [11, 3]


def test_an_attribute_called_image_is_not_one() -> None:
    encoding = charts.encode_coloring("c0", Coloring("image", ["http://x/y.png", "b"]))
    assert "image" not in [tooltip["title"] for tooltip in encoding["tooltip"][1:]]


def test_components_without_known_variance_have_plain_axes() -> None:
    axes = charts.encode_component_axes(1, 3, [0.5, float("nan")])
    assert [axes[side]["title"] for side in "xy"] == ["PC1 (50.0% of the variance)", "PC3"]


def test_regions_without_variance_give_no_plot() -> None:
    nothing = np.full(5, np.nan)
    assert region_charts.draw_mean_variance(np.ones(5), nothing) is None
    assert region_charts.draw_dispersion(np.zeros(5), np.ones(5)) is None


def test_specifications_hold_data_of_any_size_and_leave_altair_as_it_was() -> None:
    before = alt.data_transformers.active, dict(alt.data_transformers.options)
    n = 6000  # Altair's own limit is 5,000 rows
    chart = charts.draw_values([f"s{i}" for i in range(n)], [float(i) for i in range(n)], "value", "d")
    assert sum(map(len, charts.build_spec(chart)["datasets"].values())) == n
    assert (alt.data_transformers.active, dict(alt.data_transformers.options)) == before
