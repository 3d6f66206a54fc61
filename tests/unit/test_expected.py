"""The engine against the counts that independent tools made of the real cohorts, of every unit and region set."""

from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import Counting
from divvy_coverage.intervals.regions import Regions

DEFINITIONS = {
    "reads_mapped": Counting("reads", exclude_flags=0x4),
    "reads_primary": Counting("reads", exclude_flags=0x904),
    "reads_primary_q30_nodup": Counting("reads", exclude_flags=0xF04, min_mapq=30),
    "reads_properpair_primary": Counting("reads", exclude_flags=0x904, require_flags=2),
    "cut5p_primary": Counting("insertions", exclude_flags=0x904, shift=(0, 0)),
    "cut5p_primary_tn5shift": Counting("insertions", exclude_flags=0x904),
    "fragments_span_properpair": Counting("fragments", exclude_flags=0x904),
}


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_cell_equals_the_expected_one(data: Path, definition: str) -> None:
    tables = sorted((data / "_expected").glob(f"*/{definition}.tsv"))
    assert len(tables) >= (2 if "properpair" in definition else 5)
    for table in tables:
        header, *rows = (line.split("\t") for line in table.read_text().splitlines())
        contigs, starts, ends = ([row[column] for row in rows] for column in range(3))
        regions = Regions.from_names(contigs, np.array(starts, np.int64), np.array(ends, np.int64))
        cohort = data / table.parent.name.split(".")[0]
        for column, sample in enumerate(header[3:], start=3):
            (path,) = [*cohort.glob(f"bam/{sample}.bam"), *cohort.glob(f"{sample}.bam"), *cohort.glob("x.bam")][:1]
            counts, _ = count_alignments(path, regions, DEFINITIONS[definition])
            np.testing.assert_array_equal(
                counts, np.array([row[column] for row in rows], np.int64), f"{table} {sample}"
            )
