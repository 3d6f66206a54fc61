"""Peak files, and the consensus regions that are built of them, against bedtools and against brute force."""

import gzip
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_consensus import main
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.peaks import peak_files as peaks
from divvy_coverage.peaks import support as support_table
from divvy_coverage.peaks.consensus import build_consensus, merge_intervals
from divvy_coverage.peaks.contig_lengths import read_contig_lengths
from divvy_coverage.peaks.peak_files import read_peaks
from divvy_coverage.samples import Sample, write_samples
from helpers import need

Interval = tuple[str, int, int]

NARROW = "chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1\t30\nchr2\t5\t9\tb\t0\t.\t1.5\t-1\t-1\t0\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def frame(*rows: Interval) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["chrom", "start", "end"]).astype({"start": "int64", "end": "int64"})


def rows(intervals: pd.DataFrame) -> list[Interval]:
    return list(zip(intervals.chrom, intervals.start.tolist(), intervals.end.tolist(), strict=True))


def read(path: Path, source: str = "peaks", extension: int = 10) -> list[Interval]:
    return rows(read_peaks(path, source, extension))


def of_regions(regions: Regions) -> list[Interval]:
    return list(regions.rows())


# ---- peak files


@pytest.mark.parametrize(
    "content",
    {
        "plain": NARROW.encode(),
        "gzip": gzip.compress(NARROW.encode()),
        "CRLF": NARROW.replace("\n", "\r\n").encode(),
        "CR": NARROW.replace("\n", "\r").encode(),
        "BOM": b"\xef\xbb\xbf" + NARROW.encode(),
        "BOM and CR": b"\xef\xbb\xbftrack name=x\r" + NARROW.replace("\n", "\r").encode(),
        "no final newline": NARROW.rstrip("\n").encode(),
        "header lines": b"#x\n\ntrack name=a\nbrowser position chr1:1-2\n" + NARROW.encode(),
        "headers between": NARROW.replace("chr2", "#x\ntrack a\n\n \nchr2").encode(),
        "a comment with columns": NARROW.replace("chr2", "#chr3\t1\t9\tb\t0\t.\t1.5\t-1\t-1\t0\nchr2").encode(),
        "blanks": NARROW.replace("\t", "  ").encode(),
        "other characters": NARROW.replace("\ta\t", "\tä\t").encode(),
    }.items(),
    ids=lambda item: item[0],
)
def test_all_forms_of_a_peak_file_read_the_same(tmp_path: Path, content: tuple[str, bytes]) -> None:
    path = write(tmp_path / "a.narrowPeak", content[1])
    assert read(path) == [("chr1", 100, 200), ("chr2", 5, 9)]
    assert read(path, "summits") == [("chr1", 120, 141), ("chr2", 0, 16)]


def test_intervals_have_the_same_types_however_they_are_read(tmp_path: Path) -> None:
    for content in (NARROW, NARROW.replace("\t", " ")):
        for source in peaks.SOURCES:
            found = read_peaks(write(tmp_path / "a.narrowPeak", content), source, 10)
            assert list(found.columns) == ["chrom", "start", "end"]
            assert isinstance(found.chrom.dtype, pd.CategoricalDtype)
            assert found.start.dtype == found.end.dtype == np.int64


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_usual_files_are_read_all_at_once(end: str) -> None:
    content = f"browser x\ntrack name=x\n#x\n\n{NARROW}".replace("\n", end).encode()
    for source in peaks.SOURCES:
        assert peaks._read_plain(content, source) is not None


def test_summits_of_macs_count_as_they_are(tmp_path: Path) -> None:
    for content in ("chr1\t10\t11\tname\t5\nchr1\t0\t1\tname\t5\n", "chr1 10 11\nchr1 0 1\n"):
        assert read(write(tmp_path / "a_summits.bed", content), "summits") == [("chr1", 0, 21), ("chr1", 0, 11)]


def test_windows_stay_within_the_coordinates_of_bam(tmp_path: Path) -> None:
    path = write(tmp_path / "a_summits.bed", "chr1\t2147483646\t2147483647\nchr1\t3\t4\n")
    assert read(path, "summits", 500) == [("chr1", 2147483146, 2147483647), ("chr1", 0, 504)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1\t-1", "line 4: no summit, column 10 is -1"),
        ("chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1\t.", "line 4: not a summit in column 10: '.'"),
        ("chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1\t0x1", "line 4: not a summit in column 10: '0x1'"),
        ("chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1\t100", "line 4: the summit is outside the peak of 100 bp"),
        ("chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1\t" + "9" * 5000, "line 4: not a summit in column 10: '999"),
        ("chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1\t-2", "line 4: the summit is outside the peak of 100 bp"),
        ("chr1\t100\t200\ta\t0\t.\t1.5\t-1\t-1", "line 4: no summit, 9 columns and 100 bp"),
        ("chr1\t100\t200", "line 4: no summit, 3 columns and 100 bp"),
        ("chr1\t300\t200\ta\t0\t.\t1.5\t-1\t-1\t5", "line 4: start > end"),
    ],
)
def test_peaks_without_a_summit_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = write(tmp_path / "a.narrowPeak", f"#x\n{NARROW}{line}\n")
    with pytest.raises(UserError, match=re.escape(problem)) as error:
        read_peaks(path, "summits", 10)
    assert str(error.value).startswith(f"{path}: expected a summit in every line")
    assert "source: peaks" in str(error.value)


@pytest.mark.parametrize("line", ["chr1\t5\t7", "chr1\t5\t7\tb\t0\t.\t5\t7\t0\t1\t2\t0"], ids=["BED3", "BED12"])
def test_other_bed_has_no_summits(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.bed", f"{line}\n{line}\n")
    with pytest.raises(UserError, match="line 1: no summit"):
        read_peaks(path, "summits", 10)
    assert read(path) == [("chr1", 5, 7)] * 2


def test_a_file_without_summits_is_refused_but_has_whole_peaks(tmp_path: Path) -> None:
    broad = "".join(f"chr1\t{i * 100}\t{i * 100 + 50}\tx\t0\t.\t1\t1\t1\n" for i in range(50))
    path = write(tmp_path / "a.broadPeak", broad)
    with pytest.raises(UserError, match=r"line 1: no summit, 9 columns and 50 bp[\s\S]*… and 45 more\n.*source: peaks"):
        read_peaks(path, "summits", 10)
    assert len(read_peaks(path, "peaks", 10)) == 50


@pytest.mark.parametrize(
    "line",
    [
        *("chr1\t1", "chr1\tx\t5", "chr1\t1.0\t5", "chr1\t-5\t5", "chr1\t5\t5", "chr1\t6\t5", "chr1\t5\t2147483648"),
        *("\t5\t6", "chr1\t0x10\t99", "chr1\t+5\t9", "chr1\t1_0\t99", "chr1\t1e1\t99", "chr1\t\t5", "a b\t1\t5"),
        *("<img>\t5\t6", "chr1,chr2\t5\t6", '"chr1"\t5\t6', "chr1\t5\t" + "9" * 30, "chr1\t\x005\t6", "chr1\t１\t2"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.bed", f"#x\nchr1\t1\t2\n{line}\nchr1\t1\t2\n")
    for source in peaks.SOURCES:
        with pytest.raises(UserError, match=r"a\.bed: expected .* every line.*, found\n  line 3: ") as error:
            read_peaks(path, source, 10)
        assert str(error.value).count("\n") == 2  # no other line is named


@pytest.mark.parametrize("line", ["chr1\t -0\t1 ", "chr1\t0\t01", " chr1 \t0\t1", "chr1\t00\t1"])
def test_odd_but_sound_lines_are_read(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.bed", f"{line}\nchr1\t5\t6\n")
    assert read(path) == [("chr1", 0, 1), ("chr1", 5, 6)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "at least one peak"),
        (b"#only\ntrack x\n", "at least one peak"),
        (b"\x00\xff", "text file"),
        (b"chr1\t1\t2\t\xe4\n" * 2, "text file"),
    ],
    ids=["empty", "headers only", "binary", "not UTF-8"],
)
def test_files_without_peaks_are_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    for source in peaks.SOURCES:
        with pytest.raises(UserError, match=rf"a\.bed: .*{problem}"):
            read_peaks(write(tmp_path / "a.bed", content), source, 10)


contig_names = st.sampled_from(["chr1", "1", "#chr1", "track", "browser", "chr 1", "*"])
starts = st.sampled_from(["0", "3", "5", "-0", " 3", "03", "-1", "0x3", "x", ""])
ends = st.sampled_from(["6", "9", "2147483647", "2147483648", "9.0", "6 "])
summits = st.sampled_from(["0", "2", "-1", "3", "-0", "+1", "01"])
bed = st.tuples(contig_names, starts, ends).map("\t".join)
narrow = st.tuples(st.just("chr1"), starts, ends, st.just("a\t0\t.\t1\t1\t1"), summits).map("\t".join)
summit = st.integers(0, 5).map(lambda start: f"chr1\t{start}\t{start + 1}")
others = st.sampled_from(["", " ", "#x", "track x", "chr1\t4", "chr1 4 5"])


@settings(max_examples=500)
@given(
    st.one_of(*(st.lists(st.one_of(kind, kind, kind, others), max_size=3) for kind in (bed, narrow, summit))),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(peaks.SOURCES),
)
def test_both_ways_to_read_agree(some: list[str], end: str, source: str) -> None:
    content = "".join(line + end for line in some).encode()
    plain = peaks._read_plain(content, source)
    if plain is not None:
        assert rows(plain) == rows(peaks._read_any(content, Path("a.bed"), source))


# ---- regions


def oracle(
    samples: Sequence[Sequence[Interval]],
    min_samples: int,
    groups: Sequence[str],
    blacklist: Sequence[Interval],
    contigs: str,
    lengths: Mapping[str, int],
) -> dict[Interval, list[int]]:
    """Return the regions, sorted, and for each which samples have an interval in it."""

    def cut(interval: Interval) -> Interval:
        contig, start, end = interval
        length = lengths.get(contig, end)
        return contig, start, end if start >= length else min(end, length)

    def touch(a: Interval, b: Interval, by: int) -> bool:
        return a[0] == b[0] and min(a[2], b[2]) - max(a[1], b[1]) >= by

    cuts = [[cut(i) for i in intervals if re.fullmatch(contigs, i[0])] for intervals in samples]
    merged = {interval for intervals in cuts for interval in intervals}
    while pair := next(((a, b) for a in merged for b in merged if a != b and touch(a, b, 0)), None):
        merged -= {*pair}
        merged.add((pair[0][0], min(i[1] for i in pair), max(i[2] for i in pair)))
    found = {r: [int(any(touch(r, i, 1) for i in intervals)) for intervals in cuts] for r in sorted(merged)}
    return {
        region: support
        for region, support in found.items()
        if any(sum(s for s, g in zip(support, groups, strict=True) if g == group) >= min_samples for group in groups)
        and not any(touch(region, bad, 1) for bad in blacklist)
    }


interval = st.tuples(st.sampled_from(["chr1", "chr10", "chr2"]), st.integers(0, 25), st.integers(1, 5)).map(
    lambda t: (t[0], t[1], t[1] + t[2])
)


@given(
    st.lists(st.lists(interval, max_size=6), min_size=1, max_size=4),
    st.sampled_from([1, 1, 2, 3]),
    st.lists(st.sampled_from("aaab"), min_size=4, max_size=4),
    st.lists(interval, max_size=3),
    st.sampled_from([".*", ".*", "chr1", "chr1.*", "chr(1|2)"]),
    st.dictionaries(st.sampled_from(["chr1", "chr2"]), st.integers(1, 30)),
)
def test_regions_and_support_equal_brute_force(
    samples: list[list[Interval]],
    min_samples: int,
    groups: list[str],
    blacklist: list[Interval],
    contigs: str,
    lengths: dict[str, int],
) -> None:
    groups = groups[: len(samples)]
    expected = oracle(samples, min_samples, groups, blacklist, contigs, lengths)
    found = {str(number): frame(*intervals) for number, intervals in enumerate(samples)}
    of_group = {str(number): group for number, group in enumerate(groups)}
    bad = Regions.from_names(
        [b[0] for b in blacklist], *np.array([b[1:] for b in blacklist], np.int64).reshape(-1, 2).T
    )
    if not expected:
        with pytest.raises(UserError, match="expected"):
            build_consensus(found, min_samples, of_group, bad, contigs, lengths)
        return
    consensus = build_consensus(found, min_samples, of_group, bad, contigs, lengths)
    assert of_regions(consensus.regions) == list(expected)
    assert consensus.support.tolist() == list(expected.values())
    assert consensus.support.dtype == np.uint8
    assert consensus.regions.starts.dtype == consensus.regions.ends.dtype == np.int32
    assert consensus.samples == list(found)


def test_intervals_that_touch_are_one_region() -> None:
    numbers, starts, ends = merge_intervals(np.array([30, 10, 5, 21, 12]), np.array([40, 20, 10, 30, 13]))
    assert (starts.tolist(), ends.tolist(), numbers.tolist()) == ([5, 21], [20, 40], [1, 0, 0, 1, 0])


def test_contigs_are_in_the_order_of_sort() -> None:
    found = build_consensus({"a": frame(("chr2", 5, 6), ("chr10", 5, 6), ("chrX", 1, 2), ("chr10", 1, 2), ("1", 1, 2))})
    assert found.regions.names() == ["1:1-2", "chr10:1-2", "chr10:5-6", "chr2:5-6", "chrX:1-2"]


def test_support_has_to_be_of_one_group() -> None:
    one, both = ("chr1", 0, 9), ("chr1", 20, 29)
    samples = {"a": frame(one, both), "b": frame(both), "c": frame(one), "d": frame()}
    groups = dict(zip("abcd", "xxyy", strict=True))
    assert len(build_consensus(samples, 2).regions) == 2
    assert build_consensus(samples, 2, groups).regions.names() == ["chr1:20-29"]
    with pytest.raises(
        UserError, match="min_samples: expected 1 to 2, the number of samples of the largest group, found 3"
    ):
        build_consensus(samples, 3, groups)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"min_samples": 0}, "min_samples: expected 1 to 2, the number of samples with peaks, found 0"),
        ({"min_samples": 3}, "min_samples: expected 1 to 2"),
        ({"contigs": "chr("}, "contigs: expected a regular expression, found 'chr\\('"),
        ({"contigs": "[0-9]+"}, "contigs: expected .* which have chr1"),
        ({"min_samples": 2}, "of 2 merged regions none have peaks of at least 2 samples; lower"),
        (
            {"blacklist": Regions.from_names(["chr1"], np.array([0]), np.array([99]))},
            "of at least 1 samples and are outside the blacklist; change",
        ),
    ],
)
def test_what_leaves_no_region_is_refused(parameters: dict[str, object], problem: str) -> None:
    samples = {"a": frame(("chr1", 1, 5)), "b": frame(("chr1", 7, 9))}
    with pytest.raises(UserError, match=problem):
        build_consensus(samples, **parameters)


def test_a_blacklist_of_another_genome_is_a_warning() -> None:
    samples = {"a": frame(("chr1", 1, 5))}
    (problem,) = build_consensus(samples, blacklist=Regions.from_names(["1"], np.array([0]), np.array([9]))).problems
    assert (problem.kind, problem.severity, problem.sample) == ("blacklist", "warning", "")
    assert "no contig in common (1 … and chr1 …)" in problem.text
    assert not build_consensus(samples, blacklist=Regions.from_names(["chr1"], np.array([8]), np.array([9]))).problems


def test_a_consensus_of_files_and_of_intervals_is_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "a.narrowPeak", NARROW)
    for source in peaks.SOURCES:
        read_before = build_consensus({"a": read_peaks(path, source, 10)})
        for file in (path, str(path)):
            found = build_consensus({"a": file}, source=source, extension=10)
            assert found.regions.names() == read_before.regions.names()
    with pytest.raises(UserError, match=r"gone\.bed: cannot be read"):
        build_consensus({"a": tmp_path / "gone.bed"})


def test_intervals_made_in_a_notebook_may_have_numbers_for_contigs_and_other_columns() -> None:
    given = pd.DataFrame({"score": [1.5, 2], "chrom": [2, 10], "start": [1, 5], "end": [3, 9]}, index=[7, 7])
    assert build_consensus({"a": given}).regions.names() == ["10:5-9", "2:1-3"]
    assert given.chrom.tolist() == [2, 10]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"end": [3, 5]}, "a: expected intervals of whole numbers, 0 <= start < end"),
        ({"start": [-1, 5]}, "a: expected intervals of whole numbers"),
        ({"start": [1, 5.5]}, "a: expected intervals of whole numbers"),
        ({"start": ["1", "5"]}, "a: expected intervals of whole numbers"),
        ({"start": [1, None]}, "a: expected intervals of whole numbers"),
        ({"chrom": ["chr1", None]}, "a: expected intervals of whole numbers"),
    ],
)
def test_intervals_that_are_none_are_refused(change: dict[str, list[object]], problem: str) -> None:
    columns = {"chrom": ["chr1", "chr1"], "start": [1, 5], "end": [3, 9]}
    with pytest.raises(UserError, match=problem):
        build_consensus({"a": pd.DataFrame(columns | change)})
    with pytest.raises(UserError, match="a: expected the columns chrom, start, end, found no start"):
        build_consensus({"a": pd.DataFrame(columns).drop(columns="start")})


def test_options_that_cannot_be_are_refused() -> None:
    samples = {"a": frame(("chr1", 1, 5))}
    with pytest.raises(UserError, match="source: expected summits or peaks, found 'tops'"):
        build_consensus(samples, source="tops")
    with pytest.raises(UserError, match="extension: expected 0 bp or more, found -1"):
        build_consensus(samples, extension=-1)
    with pytest.raises(UserError, match="groups: expected the group of each sample, found none of a"):
        build_consensus(samples, groups={"b": "x"})


# ---- real peaks


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("peaks-diffbind-er-chr18/*.bed.gz", "diffbind11.union.bed"),
        ("pybedtools-dm3/*_2009.bed", "bushey8.union.bed"),
        ("atac-scate8-hg19/peaks/*.narrowPeak", "scate8.union.bed"),
    ],
)
def test_real_peaks_give_the_regions_of_bedtools(data: Path, files: str, expected: str) -> None:
    paths = sorted(data.glob(files))
    found = build_consensus({path.name: read_peaks(path, "peaks", 0) for path in paths})
    assert found.regions.bed() == (data / "_expected" / "consensus" / expected).read_bytes()
    assert found.samples == [path.name for path in paths]


def test_real_peaks_of_two_samples_give_the_regions_of_bedtools(data: Path) -> None:
    paths = sorted((data / "peaks-diffbind-er-chr18").glob("*.bed.gz"))
    found = build_consensus({path.name: read_peaks(path, "peaks", 0) for path in paths}, min_samples=2)
    expected = pd.read_csv(data / "_expected/consensus/diffbind11.union.min2samples.bed", sep="\t", header=None)
    assert of_regions(found.regions) == list(expected[[0, 1, 2]].itertuples(index=False, name=None))
    assert found.support.sum(axis=1).tolist() == expected[3].tolist()


@pytest.mark.parametrize("min_samples", [1, 2])
def test_windows_around_summits_equal_those_of_bedtools(data: Path, tmp_path: Path, min_samples: int) -> None:
    need(bool(shutil.which("bedtools")), "bedtools", "it is not installed")
    folder = data / "atac-scate8-hg19"
    paths = sorted((folder / "peaks").glob("*.narrowPeak"))
    with pysam.AlignmentFile(str(next((folder / "bam").glob("*.bam")))) as bam:
        lengths = dict(zip(bam.references, bam.lengths, strict=True))
    write(tmp_path / "genome", "".join(f"{contig}\t{length}\n" for contig, length in lengths.items()))
    # a blacklist that has something to remove
    blacklist = folder / "blacklist.hg19.ENCFF001TDO.bed.gz"
    pipeline = f"""
        for file in {folder}/peaks/*.narrowPeak; do
            awk -v OFS='\\t' -v name=$(basename $file) '{{ print $1, $2 + $10, $2 + $10 + 1, name }}' $file |
                bedtools slop -i - -g {tmp_path}/genome -b 250
        done | LC_ALL=C sort -k1,1 -k2,2n | bedtools merge -c 4 -o count_distinct |
            awk '$4 >= {min_samples}' | bedtools intersect -v -a - -b {blacklist}"""
    done = subprocess.run(["bash", "-c", f"set -e -o pipefail\n{pipeline}"], capture_output=True, text=True, check=True)
    expected = [line.split("\t") for line in done.stdout.splitlines()]
    samples = {path.name: read_peaks(path, "summits", 250) for path in paths}
    everything = build_consensus(samples, min_samples, lengths=lengths)
    found = build_consensus(samples, min_samples, None, read_regions(blacklist), lengths=lengths)
    assert [[*map(str, region)] for region in of_regions(found.regions)] == [line[:3] for line in expected]
    assert found.support.sum(axis=1).tolist() == [int(line[3]) for line in expected]
    assert len(found.regions) < len(everything.regions)


# ---- command line


def sample_table(folder: Path, **files: Sequence[Path | str]) -> Path:
    samples = [Sample(name, ["x.bam"], [str(path) for path in paths]) for name, paths in files.items()]
    write_samples(samples, folder / "samples.tsv")
    return folder / "samples.tsv"


def options(folder: Path, samples: Path) -> list[str]:
    return ["--samples", str(samples), "--out", str(folder / "x.bed"), "--support", str(folder / "x.support.parquet")]


def test_the_command_line_writes_regions_and_support(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, more = write(tmp_path / "1.bed", "chr1\t9\t10\nchr2\t3\t4\n"), write(tmp_path / "2.bed", "chr3\t40\t41\n")
    other = write(tmp_path / "3_summits.bed", "chr1\t21\t22\nchr4\t5\t6\n")
    lengths = write(tmp_path / "chrom.sizes", "chr1\t1000\nchr3\t45\n")
    bad = write(tmp_path / "blacklist.bed", "chr4\t0\t9\n")
    arguments = options(tmp_path, sample_table(tmp_path, a=[first, more], b=[other]))
    arguments += ["--extension", "6", "--lengths", str(lengths), "--blacklist", str(bad), "--contigs", "chr[1-4]"]
    main(arguments)
    assert (tmp_path / "x.bed").read_text() == "chr1\t3\t28\nchr2\t0\t10\nchr3\t34\t45\n"
    support = pd.read_parquet(tmp_path / "x.support.parquet")
    assert support.index.name == "region"
    assert support.index.tolist() == ["chr1:3-28", "chr2:0-10", "chr3:34-45"]
    assert support.to_dict("list") == {"a": [1, 1, 1], "b": [1, 0, 0], "support": [1, 0.5, 0.5]}
    assert support.dtypes.tolist() == [np.uint8, np.uint8, np.float64]
    content, time = (tmp_path / "x.support.parquet").read_bytes(), (tmp_path / "x.bed").stat().st_mtime_ns
    monkeypatch.setattr(support_table, "CELLS", 1)  # one row at a time
    main(arguments)
    assert (tmp_path / "x.bed").stat().st_mtime_ns == time
    assert pd.read_parquet(tmp_path / "x.support.parquet").equals(support)
    monkeypatch.undo()
    main(arguments)
    assert (tmp_path / "x.support.parquet").read_bytes() == content


def test_samples_without_peaks_have_no_part_and_are_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bed = write(tmp_path / "1.bed", "chr1\t9\t10\n")
    main(options(tmp_path, sample_table(tmp_path, a=[bed], control=[], b=[bed])))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: 1 of 3 samples have no peaks")
    assert line.endswith(": control")
    assert list(pd.read_parquet(tmp_path / "x.support.parquet").columns) == ["a", "b", "support"]


def test_the_problems_of_all_samples_are_told(tmp_path: Path) -> None:
    good, wide = write(tmp_path / "1.bed", "chr1\t9\t10\n"), write(tmp_path / "2.bed", "chr1\t9\t50\n")
    samples = sample_table(tmp_path, a=[good, wide], b=[good], support=[good], c=[tmp_path / "none.bed"])
    with pytest.raises(UserError) as error:
        main(options(tmp_path, samples))
    assert not list(tmp_path.glob("x.*"))
    for essential in (
        "3 of 4",
        "'a': ",
        "2.bed",
        "line 1: no summit",
        "'c': ",
        "none.bed: cannot be read",
        "'support': ",
    ):
        assert essential in str(error.value)
    with pytest.raises(UserError, match="'b': expected one value of its attribute 'cell', found 0"):
        main([*options(tmp_path, sample_table(tmp_path, b=[good])), "--group-attribute", "cell"])
    with pytest.raises(UserError, match="no sample has peaks"):
        main(options(tmp_path, sample_table(tmp_path, a=[])))
    with pytest.raises(UserError, match="extension: expected 0 bp or more, found -1"):
        main([*options(tmp_path, samples), "--extension", "-1"])


def test_contig_lengths_are_read(tmp_path: Path) -> None:
    assert read_contig_lengths(write(tmp_path / "x.fai", "chr1\t10\t5\t60\t61\r\n\nchr2\t7\t9\t60\t61\n")) == {
        "chr1": 10,
        "chr2": 7,
    }
    with pytest.raises(UserError, match=r"x\.fai: line 2: expected a contig and its length"):
        read_contig_lengths(write(tmp_path / "x.fai", "chr1\t10\nchr2\tx\n"))
