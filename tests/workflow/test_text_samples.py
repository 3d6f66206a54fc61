"""Whole runs with fragments and BEDPE in the sheet: the matrices are those of the BAM files they were made of."""

import csv
from pathlib import Path

import pytest

from divvy_coverage.counting.definition import ORGANELLES, Counting
from divvy_coverage.demo.files import write_project
from helpers import refuse, snakemake, succeed, write_config, write_sheet
from pairs import filter_pairs, write_bedpe, write_fragments, written

pytestmark = pytest.mark.slow
SAMPLES = ("control_1", "control_2", "treated_1")
MATRICES = [
    f"results/matrix/{regions}.matrix_{kind}.csv.gz" for regions in ("set", "consensus") for kind in ("raw", "norm")
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    """The files of each sample by their kind."""
    folder = tmp_path_factory.mktemp("files")
    write_project(folder / "demo", n_samples=len(SAMPLES), n_regions=200, n_reads=20_000, seed=3)
    found: dict[str, dict[str, Path]] = {}
    for name in SAMPLES:
        bam = folder / f"{name}.bam"
        counting = Counting(min_mapq=30, exclude_contigs=ORGANELLES)
        fragments = filter_pairs(folder / "demo" / "bam" / f"{name}.bam", counting, bam)
        text = write_fragments(folder / f"{name}.tsv.gz", fragments)
        peaks = folder / "demo" / "peaks" / f"{name}.narrowPeak"
        found[name] = {
            "bam": bam,
            "fragments": text,
            "bedpe": write_bedpe(folder / f"{name}.bedpe", bam),
            "peaks": peaks,
        }
    return found


def write_text_project(folder: Path, files: dict[str, dict[str, Path]], *kinds: str, **counting: object) -> None:
    """Write a project whose samples have files of these kinds."""
    rows = [
        {"sample_name": name, "bam": str(files[name][kind]), "peaks": str(files[name]["peaks"])}
        for name, kind in zip(SAMPLES, kinds, strict=True)
    ]
    write_sheet(folder / "samples.csv", rows)
    bed = files[SAMPLES[0]]["bam"].parent / "demo" / "regions.bed"
    write_config(folder, "samples.csv", {"set": bed, "consensus": ""}, counting=counting)


def test_a_run_with_text_files_gives_the_matrices_of_their_bam_files(
    tmp_path: Path, files: dict[str, dict[str, Path]]
) -> None:
    matrices = {}
    for name, chosen in {"bam": ["bam"] * 3, "mixed": ["bam", "fragments", "bedpe"]}.items():
        (tmp_path / name).mkdir()
        write_text_project(tmp_path / name, files, *chosen, unit="auto", min_mapq=30)
        targets = [] if name == "mixed" else MATRICES  # else all, with the report
        succeed(snakemake(tmp_path / name, "--cores", "2", *targets))
        matrices[name] = [(tmp_path / name / path).read_bytes() for path in MATRICES]
    assert matrices["mixed"] == matrices["bam"]
    with (tmp_path / "mixed" / "results" / "matrix" / "set.stats.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["duplicates"] for row in rows] == ["0", "", ""]
    assert [row["mapping_quality_median"] == "" for row in rows] == [False, True, True]
    assert all(int(row["fragments"]) > 0 for row in rows)
    assert (tmp_path / "mixed" / "results" / "report.html").is_file()


def test_preflight_tells_what_is_wrong_with_text_files(tmp_path: Path, files: dict[str, dict[str, Path]]) -> None:
    bad = {name: dict(of_sample) for name, of_sample in files.items()}
    bad["control_1"]["bam"] = written(tmp_path / "a.tsv", "chr1\t1\t2\tA\nchr1\t5\t2\tA\n")
    bad["control_2"]["bam"] = written(tmp_path / "b.tsv", "chr1\t1\t2\tA\nchr1\t1\t2")
    bad["treated_1"]["bam"] = written(tmp_path / "c.bed", "chr1\t1\t2\tA\t5.5\n")
    write_text_project(tmp_path, bad, "bam", "bam", "bam")
    said = refuse(
        snakemake(tmp_path, "--cores", "1"),
        "a.tsv: line 2: expected chrom, start, end, barcode",
        "b.tsv: line 2: the last line has no end",
        "c.bed: expected BAM, CRAM, SAM, fragments, BEDPE or tagAlign, found BED",
    )
    assert "3 problems with 3 samples" in said


def test_preflight_tells_what_text_files_cannot_give(tmp_path: Path, files: dict[str, dict[str, Path]]) -> None:
    write_text_project(tmp_path, files, "bam", "fragments", "bedpe", unit="reads")
    said = refuse(snakemake(tmp_path, "--cores", "1"), "control_2.tsv.gz: a file of fragments has only their ends")
    assert "1 problem with 1 sample" in said
