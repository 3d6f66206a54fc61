"""The two-rank method against a loop over all pairs."""

from hypothesis import given
from hypothesis import strategies as st

from divvy_coverage.intervals.overlaps import count_overlapping
from divvy_coverage.intervals.regions import Regions

Interval = tuple[str, int, int]
CONTIGS = ["chr1", "chr2", "chr3"]
intervals = st.lists(
    st.tuples(st.sampled_from(CONTIGS), st.integers(0, 40), st.integers(1, 40)).map(
        lambda t: (t[0], t[1], t[1] + t[2])
    ),
    min_size=1,
    max_size=12,
)


@given(intervals, intervals)
def test_counts_equal_brute_force(rows: list[Interval], others: list[Interval]) -> None:
    def share(one: Interval, other: Interval) -> bool:
        return one[0] == other[0] and min(one[2], other[2]) - max(one[1], other[1]) >= 1

    found = count_overlapping(*(Regions.from_names(*zip(*each, strict=True)) for each in (rows, others)))
    assert found.tolist() == [sum(share(row, other) for other in others) for row in rows]
