"""The engine against the counts that independent tools made of real and simulated cohorts, in every unit."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import Counting
from divvy_coverage.intervals.regions import Regions, read_regions

DEFINITIONS = {
    "reads_mapped": Counting("reads", exclude_flags=0x4),
    "reads_primary": Counting("reads", exclude_flags=0x904),
    "reads_primary_q30_nodup": Counting("reads", exclude_flags=0xF04, min_mapq=30),
    "reads_properpair_primary": Counting("reads", exclude_flags=0x904, require_flags=2),
    "cut5p_primary": Counting("insertions", exclude_flags=0x904, shift=(0, 0)),
    "cut5p_primary_tn5shift": Counting("insertions", exclude_flags=0x904),
    "fragments_span_properpair": Counting("fragments", exclude_flags=0x904),
}


def read_counts(path: Path) -> tuple[Regions, Mapping[str, list[int]]]:
    """Return the regions of a table of counts, which its first three columns are, and the other columns."""
    header, *rows = (line.split("\t") for line in path.read_text().splitlines())
    contigs, starts, ends = ([row[column] for row in rows] for column in range(3))
    regions = Regions.from_names(contigs, np.array(starts, np.int64), np.array(ends, np.int64))
    return regions, {name: [int(row[column]) for row in rows] for column, name in enumerate(header) if column > 2}


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_cell_equals_the_expected_one(data: Path, definition: str) -> None:
    tables = sorted((data / "_expected").glob(f"*/{definition}.tsv"))
    assert len(tables) >= (2 if "properpair" in definition else 5)
    for table in tables:
        regions, columns = read_counts(table)
        cohort = data / table.parent.name.split(".")[0]
        for sample, expected in columns.items():
            (path,) = [*cohort.glob(f"bam/{sample}.bam"), *cohort.glob(f"{sample}.bam"), *cohort.glob("x.bam")][:1]
            counts, _ = count_alignments(path, regions, DEFINITIONS[definition])
            np.testing.assert_array_equal(counts, np.array(expected), f"{table} {sample}")


NOT_CHRM = partial(Counting, min_mapq=30, exclude_contigs=("chrM",))


class Simulated(NamedTuple):
    """What is counted, and where its total stands, in all and outside of the blacklist; the column of SnapATAC2."""

    counting: Counting
    total: str
    total_outside: str
    in_snapatac2: str = ""


SINGLE_END = {
    "reads": Simulated(NOT_CHRM("reads"), "reads.bed", "reads.nb"),
    "reads_extend200": Simulated(NOT_CHRM("reads", extend=200), "ext.bed", "ext.nb"),
    "insertions": Simulated(NOT_CHRM("insertions"), "ins.bed", "ins.nb"),
}
PAIRED_END = {
    "reads": SINGLE_END["reads"],
    "insertions": SINGLE_END["insertions"],
    "fragments": Simulated(NOT_CHRM("fragments"), "frag.bed", "frag.nb", "fragment_unshifted"),
    "fragments_0_120": Simulated(
        NOT_CHRM("fragments", fragment_length=(0, 120)), "frag.s", "frag.nbs", "fragment_0_120_unshifted"
    ),
    "fragments_180_250": Simulated(
        NOT_CHRM("fragments", fragment_length=(180, 250)), "frag.m", "frag.nbm", "fragment_180_250_unshifted"
    ),
    "paired_insertions": Simulated(NOT_CHRM("paired_insertions"), "frag.bed", "frag.nb", "paired-insertion_shifted"),
}
SAMPLES = {"pe1": PAIRED_END, "pe2": PAIRED_END, "se1": SINGLE_END}


@pytest.mark.parametrize(("sample", "name"), [(sample, name) for sample, names in SAMPLES.items() for name in names])
def test_units_filters_and_blacklist_are_those_of_the_reference_tools(data: Path, sample: str, name: str) -> None:
    folder, simulated = data / "units-sim", SAMPLES[sample][name]
    regions, expected = read_counts(folder / "counts" / f"{sample}.tsv")
    bam = folder / "inputs" / f"{sample}.bam"
    totals = dict(line.split("\t")[1:] for line in (folder / "counts" / "totals.tsv").read_text().splitlines())
    found = {}
    for blacklist, column, total in (
        (None, name, simulated.total),
        (folder / "inputs" / "blacklist.bed", f"{name}_blacklist", simulated.total_outside),
    ):
        counts, tally = count_alignments(bam, regions, simulated.counting, blacklist=blacklist, warn=lambda text: None)
        found[column] = counts.tolist()
        assert found[column] == expected[column]
        assert tally["usable"] == int(totals[f"{sample}.{total}"])
    if simulated.in_snapatac2:
        _, in_snapatac2 = read_counts(folder / "counts" / f"{sample}.snapatac2.tsv")
        assert found[name] == in_snapatac2[simulated.in_snapatac2]


@pytest.mark.parametrize("sample", ["pe1", "pe2"])
def test_a_length_that_contradicts_the_positions_of_the_mates_is_told_and_changes_nothing(
    data: Path, sample: str
) -> None:
    bam = data / "units-sim" / "inputs" / f"{sample}.bam"
    _, tally = count_alignments(bam, read_regions(data / "units-sim" / "inputs" / "regions.bed"), NOT_CHRM("fragments"))
    assert tally["fragments"] == {"pe1": 11470, "pe2": 10226}[sample]
    assert 200 < tally["contradictory_lengths"] < 600 if sample == "pe1" else tally["contradictory_lengths"] == 0


@pytest.mark.parametrize("sample", ["pe1", "pe2", "se1"])
def test_text_files_give_what_the_reference_tools_count_in_them(data: Path, sample: str) -> None:
    folder = data / "units-sim"
    regions, expected = read_counts(folder / "counts" / f"{sample}.tsv")

    def check(kind: str, unit: str, column: str, **more: object) -> None:
        path = folder / "files" / f"{sample}.{kind}.gz"
        counts, _ = count_alignments(path, regions, Counting(unit, **more), warn=lambda text: None)
        assert counts.tolist() == expected[column], (kind, unit, column)

    if sample == "se1":
        check("tagAlign", "reads", "reads")
        check("tagAlign", "reads", "reads_extend200", extend=200)
        check("tagAlign", "insertions", "insertions")
        return
    check("bedpe", "fragments", "fragments")
    check("bedpe", "fragments", "fragments_180_250", fragment_length=(180, 250))
    check("bedpe", "paired_insertions", "paired_insertions")
    check("bedpe", "insertions", "insertions_of_kept_pairs")
    check("tagAlign", "insertions", "insertions_of_kept_pairs")
    check("fragments.tsv", "paired_insertions", "paired_insertions")
    check("fragments.tsv", "insertions", "insertions_of_kept_pairs")
    check("fragments_unshifted.tsv", "fragments", "fragments")
