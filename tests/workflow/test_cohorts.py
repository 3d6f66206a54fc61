"""Real cohorts through the whole workflow: every cell equals what independent tools counted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import read_matrix, snakemake, succeed, write_config, write_sheet

# cohort -> region set in _expected -> BED; the last is itself the source of its regions
COHORTS = {
    "atac-scate8-hg19": {"consensus": "consensus.merge.bed"},
    "chip-metagene-mm": {"list1.bed": "list1.bed", "list2.bed": "list2.bed"},
    "pybedtools-dm3": {"CTCF_Kc.chr2L": None},
}
# one for each; the unit tests compare all of them
DEFINITIONS = {
    "atac-scate8-hg19": ("reads_properpair_primary", {"exclude_flags": 0x904, "require_flags": 2}),
    "chip-metagene-mm": ("reads_primary_q30_nodup", {"exclude_flags": 0xF04, "min_mapq": 30}),
    "pybedtools-dm3": ("reads_mapped", {"exclude_flags": 0x4}),
}


def expected(data: Path, cohort: str, region_set: str, definition: str) -> tuple[list[str], list[str], np.ndarray]:
    lines = (data / "_expected" / f"{cohort}.{region_set}" / f"{definition}.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines]
    return (
        [f"{contig}:{start}-{end}" for contig, start, end, *_ in rows[1:]],
        rows[0][3:],
        np.array([row[3:] for row in rows[1:]], int),
    )


def sheet(data: Path, cohort: str, folder: Path, samples: list[str]) -> Path:
    """The cohort's PEP; the one without gets a sheet."""
    if (data / cohort / "project_config.yaml").exists():
        return data / cohort / "project_config.yaml"
    (bam,) = (data / cohort).glob("*.bam")
    assert not bam.with_name(bam.name + ".bai").exists()
    write_sheet(folder / "samples.csv", [{"sample_name": samples[0], "bam": str(bam)}])
    return folder / "samples.csv"


@pytest.mark.slow
@pytest.mark.parametrize("cohort", COHORTS)
def test_every_cell_equals_the_expected_one(data: Path, tmp_path: Path, cohort: str) -> None:
    definition, counting = DEFINITIONS[cohort]
    tables = {name: expected(data, cohort, name, definition) for name in COHORTS[cohort]}
    beds = {}
    for name, bed in COHORTS[cohort].items():
        beds[name] = data / cohort / bed if bed else tmp_path / "regions.bed"
        if not bed:
            regions = (region.replace(":", "\t").replace("-", "\t") for region in tables[name][0])
            beds[name].write_text("".join(f"{region}\n" for region in regions))
    samples = next(iter(tables.values()))[1]
    pep = sheet(data, cohort, tmp_path, samples)
    write_config(tmp_path, pep, beds, counting=counting)
    targets = [f"results/matrix/{name}.{file}" for name in tables for file in ("matrix_raw.csv.gz", "pca.tsv")]
    succeed(snakemake(tmp_path, "--cores", "2", *targets))
    for name, (regions, columns, counts) in tables.items():
        found = read_matrix(tmp_path / f"results/matrix/{name}.matrix_raw.csv.gz")
        assert found[0] == regions
        assert found[1] == columns
        np.testing.assert_array_equal(found[2], counts)
        assert counts.any()
    if cohort == "atac-scate8-hg19":
        check_components(tmp_path / "results/matrix/consensus.pca.tsv", data / cohort / "samples.csv")


def check_components(table: Path, sheet: Path) -> None:
    """The second component separates the cell types."""
    cell_types = pd.read_csv(sheet, index_col="sample_name")["cell_type"]
    scores = pd.read_csv(table, sep="\t", index_col="sample_name")
    assert list(scores.index) == list(cell_types.index)
    lower, upper = sorted((group for _, group in scores["PC2"].groupby(cell_types)), key=pd.Series.min)
    assert upper.min() - lower.max() > 0.1 * (upper.max() - lower.min())
