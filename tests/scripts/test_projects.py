"""The scripts that make projects: the simulated one, and an empty one for people's own samples."""

from pathlib import Path

import numpy as np
import pysam
import pytest

from divvy_coverage.intervals.regions import read_regions
from helpers import CLONE, refuse, resolve_sheet, script, snakemake, succeed, tiny_project

pytestmark = pytest.mark.xdist_group("demo")  # which takes a while to make


def test_the_demo_has_the_samples_of_the_sheet_in_config(demo: Path) -> None:
    assert (demo / "samples.csv").read_text() == (CLONE / "config" / "pep" / "samples.csv").read_text()


def test_the_demo_is_complete(demo: Path) -> None:
    samples = resolve_sheet(demo / "project_config.yaml")
    assert [sample.attributes["group"] for sample in samples] == [["control"]] * 6 + [["treated"]] * 6
    assert len(read_regions(demo / "regions.bed")) == 1000
    for sample in samples:
        assert Path(sample.files[0]).with_suffix(".bam.bai").is_file()
        peaks = (demo / sample.peaks[0]).read_text().splitlines()
        assert len(peaks) > 100
        assert {len(peak.split("\t")) for peak in peaks} == {10}


def test_the_demos_alignments_are_sound(demo: Path) -> None:
    with pysam.AlignmentFile(str(demo / "bam" / "control_1.bam")) as bam:
        assert bam.mapped == 50_000
        reads = list(bam.fetch("chr2"))
        lengths = dict(zip(bam.references, bam.lengths, strict=True))
    assert reads == sorted(reads, key=lambda read: read.reference_start)
    assert all(read.is_proper_pair and read.reference_end <= lengths["chr2"] for read in reads)
    pairs: dict[str, list[pysam.AlignedSegment]] = {}
    for read in reads:
        pairs.setdefault(read.query_name, []).append(read)
    for left, right in pairs.values():
        assert (left.is_reverse, right.is_reverse) == (False, True)
        assert left.is_read1 != right.is_read1
        assert left.template_length == -right.template_length == right.reference_end - left.reference_start


def test_the_groups_differ_where_the_truth_says_so(demo: Path, tmp_path: Path) -> None:
    truth = [float(line.split("\t")[1]) for line in (demo / "truth.tsv").read_text().splitlines()[1:]]
    means = {}
    for group in ("control", "treated"):
        for number in (1, 2, 3):
            name = f"{group}_{number}"
            outputs = ["--out", f"{name}.npy", "--stats", f"{name}.json"]
            options = ["--bam", demo / "bam" / f"{name}.bam", "--regions", demo / "regions.bed", *outputs]
            succeed(script("measure_coverage.py", *options, folder=tmp_path))
        means[group] = np.mean([np.load(tmp_path / f"{group}_{n}.npy") for n in (1, 2, 3)], axis=0) + 1
    change = np.log2(means["treated"] / means["control"])
    up, down, same = (change[np.sign(truth) == sign] for sign in (1, -1, 0))
    assert np.median(up) > 1
    assert np.median(down) < -1
    assert abs(np.median(same)) < 0.3


def test_the_same_options_give_the_same_project(tmp_path: Path) -> None:
    options = ["--samples", "3", "--regions", "20", "--reads", "100"]
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        succeed(script("make_demo.py", "--out", folder, *options, "--seed", seed, folder=tmp_path))
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 3 * 3 + 6
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    assert (tmp_path / "a" / "regions.bed").read_bytes() != (tmp_path / "c" / "regions.bed").read_bytes()


def test_an_impossible_demo_is_refused(tmp_path: Path) -> None:
    refuse(script("make_demo.py", "--samples", "0", folder=tmp_path), "at least 1 sample")


@pytest.mark.slow
def test_a_new_project_runs_from_its_own_folder(tmp_path: Path) -> None:
    project = tmp_path / "my cohort's"
    tiny_project(tmp_path)
    assert "snakemake --profile divvy" in succeed(script("new_project.py", project, "--assay", "chip", folder=tmp_path))
    written = (project / "config" / "config.yaml").read_text()
    assert written.partition("\n\n")[2].startswith("assay: chip ")
    template = (CLONE / "config" / "config.yaml").read_text()
    assert [line.find(" #") for line in written.splitlines()[:8]] == [
        line.find(" #") for line in template.splitlines()[:8]
    ]
    refuse(snakemake(project, "--cores", "1", snakefile=project / "workflow" / "Snakefile"), "at least one sample")
    (project / "config" / "pep" / "samples.csv").write_text("sample_name,bam\na,../../../bam/a.bam\n")
    (project / "config" / "regions.bed").write_text("chr1\t0\t1000\n")
    matrix = "results/matrix/peak_set.matrix_raw.csv.gz"
    succeed(snakemake(project, matrix, "--profile", "divvy", snakefile=project / "workflow" / "Snakefile"))
    assert (project / matrix).is_file()


def test_a_new_project_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "p" / "config").mkdir(parents=True)
    (tmp_path / "p" / "config" / "config.yaml").write_text("mine")
    refuse(script("new_project.py", "p", "--assay", "chip", folder=tmp_path), "config/config.yaml", "another folder")
    assert (tmp_path / "p" / "config" / "config.yaml").read_text() == "mine"
