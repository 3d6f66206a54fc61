"""The two-rank method against a loop over all pairs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from divvy_coverage.intervals.overlaps import Overlaps
from divvy_coverage.intervals.regions import Regions

CONTIGS = ["chr1", "chr2", "chrEmpty"]
intervals = st.lists(
    st.tuples(st.sampled_from(CONTIGS[:2]), st.integers(0, 40), st.integers(1, 40)).map(
        lambda t: (t[0], t[1], t[1] + t[2])
    ),
    min_size=1,
    max_size=12,
)
spans = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 30)), max_size=30)


@given(intervals, spans)
def test_counts_equal_brute_force(rows: list[tuple[str, int, int]], reads: list[tuple[int, int, int]]) -> None:
    contigs, starts, ends = zip(*rows, strict=True)
    overlaps = Overlaps(Regions(list(contigs), np.array(starts), np.array(ends)), CONTIGS)
    hits = 0
    for contig in range(3):
        here = [(start, start + length) for number, start, length in reads if number == contig]
        if here:
            hits += overlaps.add(contig, *np.array(here).T)

    def shares(read: tuple[int, int, int], row: tuple[str, int, int]) -> bool:
        number, start, length = read
        return CONTIGS[number] == row[0] and min(start + length, row[2]) - max(start, row[1]) >= 1

    assert overlaps.counts().tolist() == [sum(shares(read, row) for read in reads) for row in rows]
    assert hits == sum(any(shares(read, row) for row in rows) for read in reads)
