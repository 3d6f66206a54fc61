"""Bins of the genome: what is counted in them, their files, and samples of several files and of text."""

from pathlib import Path

import numpy as np
import pytest

from divvy_coverage.counting.bins import Bins, read_bins, write_bins
from divvy_coverage.counting.count import count_sample
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.engines import text
from divvy_coverage.counting.passes import Wanted
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions, read_regions
from libraries import ATAQV, LENGTHS, list_spans, make_library, run, write_bed, write_library

REGIONS = Regions.from_names(["chr1"], np.array([0]), np.array([90_000]))


def count(paths: list[Path], size: int, counting: Counting | None = None) -> Bins:
    wanted = Wanted([REGIONS], counting or Counting(min_mapq=30), bin_size=size, absent_contigs="zero")
    bins = count_sample(paths, wanted, warn=lambda text: None).bins
    assert bins
    return bins


def list_nonzero(bins: Bins, size: int) -> list[list[str]]:
    """Return the bins with something in them, as the lines of a bedGraph."""
    lines = []
    for contig, length in bins.lengths.items():
        counts = bins.compute_counts(contig, size)
        for number in np.flatnonzero(counts).tolist():
            start = number * size
            lines.append([contig, str(start), str(min(start + size, length)), str(counts[number])])
    return lines


def compare(bedtools: str, bins: Bins, size: int, spans: Path, folder: Path) -> int:
    """Check bins against bedtools, and return how many are not empty."""
    genome = write_bed(folder / "genome.txt", list(bins.lengths.items()))
    windows = folder / "windows.bed"
    windows.write_text(
        "".join("\t".join(row) + "\n" for row in run(bedtools, "makewindows", "-g", genome, "-w", str(size)))
    )
    found = run(bedtools, "intersect", "-c", "-a", windows, "-b", spans)
    expected = [row for row in found if row[-1] != "0"]
    assert list_nonzero(bins, size) == expected
    return len(expected)


@pytest.mark.parametrize("size", [50, 200])
def test_fragments_in_bins_are_those_of_bedtools(tmp_path: Path, bedtools: str, size: int) -> None:
    bam = tmp_path / "x.bam"
    write_library(bam, make_library(3000, 5), LENGTHS)
    spans = write_bed(tmp_path / "spans.bed", list_spans(bam, tmp_path))
    assert compare(bedtools, count([bam], 50), size, spans, tmp_path) > 500


@pytest.mark.slow
@pytest.mark.parametrize("sample", ATAQV)
def test_fragments_of_real_samples(data: Path, tmp_path: Path, bedtools: str, sample: str) -> None:
    bam = data / "atac-ataqv-hg19" / f"{sample}.bam"
    bins = count([bam], 50)
    spans = write_bed(tmp_path / "spans.bed", list_spans(bam, tmp_path))
    assert compare(bedtools, bins, 10_000, spans, tmp_path) > 20


def test_insertions_in_bins_of_a_base(tmp_path: Path, bedtools: str) -> None:
    """As bedtools genomecov has 5' ends, which are shifted here."""
    bam = tmp_path / "x.bam"
    write_library(bam, make_library(500, 6), LENGTHS)
    counting = Counting("insertions", exclude_flags=0x4, shift=(0, 0))
    depth = run(bedtools, "genomecov", "-5", "-bg", "-ibam", bam)
    single = [[c, str(p), str(p + 1), n] for c, start, end, n in depth for p in range(int(start), int(end))]
    assert list_nonzero(count([bam], 1, counting), 1) == single
    shifted = count([bam], 1, Counting("insertions", exclude_flags=0x4, shift=(4, -5)))
    assert len(list_nonzero(shifted, 1)) > 100


def test_a_file_holds_what_was_counted(tmp_path: Path) -> None:
    bam, path = tmp_path / "x.bam", tmp_path / "x.arrow"
    write_library(bam, make_library(300, 7), LENGTHS | {"chrNothing": 777})
    bins = count([bam], 10)
    write_bins(path, bins, {"files": ["x"]})
    again, description = read_bins(path)
    assert (again.size, again.lengths, description["files"]) == (10, bins.lengths, ["x"])
    assert "chrNothing" in again.lengths
    for contig in bins.lengths:
        assert again.compute_counts(contig, 30).tolist() == bins.compute_counts(contig, 30).tolist()
    first = path.read_bytes()
    write_bins(path, count([bam], 10), {"files": ["x"]})
    assert path.read_bytes() == first
    with pytest.raises(ValueError, match="multiple of 10"):
        again.compute_counts("chr1", 25)


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0", b"something else"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.arrow"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a file of bins"):
        read_bins(path)


def test_large_numbers_and_many_contigs(tmp_path: Path) -> None:
    lengths = {f"c{number}": 100 for number in range(100_000)}
    starts = {name: np.array([0, 70_000 + number], np.int32) for number, name in enumerate(lengths)}
    bins = Bins(50, lengths, starts, dict(starts))
    write_bins(tmp_path / "x.arrow", bins, {})
    again, _ = read_bins(tmp_path / "x.arrow")
    assert again.lengths == lengths
    assert all(again.compute_counts(name, 50).tolist() == starts[name].tolist() for name in ("c0", "c77", "c99999"))


def test_several_files_are_added(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        write_library(tmp_path / f"{name}.bam", make_library(300, seed), LENGTHS)
    both = count([tmp_path / "a.bam", tmp_path / "b.bam"], 50)
    each = [count([tmp_path / f"{name}.bam"], 50) for name in "ab"]
    for contig in LENGTHS:
        expected = sum(bins.compute_counts(contig, 100) for bins in each)
        assert both.compute_counts(contig, 100).tolist() == expected.tolist()


@pytest.mark.parametrize("spare", [1, text.SPARE])
def test_text_has_the_bins_of_its_bam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare: int) -> None:
    """Its contigs are as long as what is on them reaches, and those without regions have bins too."""
    monkeypatch.setattr(text, "SPARE", spare)
    bam, path = tmp_path / "x.bam", tmp_path / "x.tsv"
    write_library(bam, make_library(2000, 8), LENGTHS)
    spans = [span for span in list_spans(bam, tmp_path) if span[0] != "chrM"]
    path.write_text("".join(f"{contig}\t{start}\t{end}\tcell\t1\n" for contig, start, end in spans))
    expected, found = count([bam], 50), count([path], 50)
    assert found.lengths.keys() == {"chr1", "chr2"}
    for contig, length in found.lengths.items():
        assert length == max(end for name, _, end in spans if name == contig)
        counts = expected.compute_counts(contig, 50)
        assert found.compute_counts(contig, 50).tolist() == counts[: -(-length // 50)].tolist()
        assert not counts[-(-length // 50) :].any()


def test_peaks_of_the_sample_itself(tmp_path: Path, bedtools: str) -> None:
    bam, peaks = (
        tmp_path / "x.bam",
        write_bed(tmp_path / "peaks.bed", [("chr2", 500 * i, 500 * i + 90) for i in range(99)]),
    )
    write_library(bam, make_library(2000, 9), LENGTHS)
    spans = write_bed(tmp_path / "spans.bed", list_spans(bam, tmp_path))
    wanted = Wanted([REGIONS], Counting(min_mapq=30), peaks=read_regions(peaks))
    counted = count_sample([bam], wanted)
    assert counted.in_peaks == len(run(bedtools, "intersect", "-u", "-a", spans, "-b", peaks))
    assert (
        counted.counts[0].tolist() == count_sample([bam], Wanted([REGIONS], Counting(min_mapq=30))).counts[0].tolist()
    )
    write_bed(peaks, [("2", 1, 90)])
    with pytest.raises(UserError, match="none of the contigs of the peaks"):
        count_sample([bam], Wanted([REGIONS], Counting(min_mapq=30), peaks=read_regions(peaks)))


def test_peaks_where_no_region_is_count_in_text_too(tmp_path: Path) -> None:
    bam, path = tmp_path / "x.bam", tmp_path / "x.tsv"
    write_library(bam, make_library(2000, 9), LENGTHS)
    write_bed(path, [(*span, "cell", 1) for span in list_spans(bam, tmp_path)])
    peaks = Regions.from_names(["chr2"] * 99, 500 * np.arange(99), 500 * np.arange(99) + 90)
    wanted = Wanted([REGIONS], Counting(min_mapq=30), peaks=peaks, absent_contigs="zero")
    expected = count_sample([bam], wanted).in_peaks
    assert expected
    assert count_sample([path], wanted).in_peaks == expected
