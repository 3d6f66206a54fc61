"""Reading region sets, and checking that they fit alignment files."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from divvy_coverage.errors import UserError
from divvy_coverage.files import write_if_changed
from divvy_coverage.intervals.contigs import check_contigs
from divvy_coverage.intervals.regions import (
    SMALL,
    Regions,
    _read_lines,
    _read_plain,
    describe_duplicates,
    read_regions,
)

PLAIN = "chr1\t5\t10\nchr2\t0\t7\n"


def bed(folder: Path, content: bytes) -> Path:
    path = folder / "regions.bed"
    path.write_bytes(content)
    return path


def regions(*rows: tuple[str, int, int]) -> Regions:
    contigs, starts, ends = zip(*rows, strict=True)
    return Regions.from_names(list(contigs), np.array(starts), np.array(ends))


@pytest.mark.parametrize(
    "content",
    {
        "plain": PLAIN.encode(),
        "gzip": gzip.compress(PLAIN.encode()),
        "two gzip members": gzip.compress(b"chr1\t5\t10\n") + gzip.compress(b"chr2\t0\t7\n"),
        "CRLF": PLAIN.replace("\n", "\r\n").encode(),
        "CR": PLAIN.replace("\n", "\r").encode(),
        "BOM": b"\xef\xbb\xbf" + PLAIN.encode(),
        "no final newline": PLAIN.rstrip("\n").encode(),
        "header lines": b"#x\ntrack name=a\nbrowser position chr1:1-2\n\n" + PLAIN.encode(),
        "more columns": b"chr1\t5\t10\tx\t0\t+\nchr2\t0\t7\ty\t0\t-\n",
        "blanks": b"chr1 5 10\nchr2  0  7\n",
    }.items(),
    ids=lambda item: item[0],
)
def test_all_forms_of_bed_read_the_same(tmp_path: Path, content: tuple[str, bytes]) -> None:
    assert read_regions(bed(tmp_path, content[1])).bed().decode() == PLAIN


def test_order_and_names_are_kept(tmp_path: Path) -> None:
    found = read_regions(bed(tmp_path, b"chr2\t5\t6\nHLA-A*01:01\t1\t2\nchr1\t5\t6\n"))
    assert found.names() == ["chr2:5-6", "HLA-A*01:01:1-2", "chr1:5-6"]


texts = st.tuples(
    st.sampled_from(["chr1", "chr2", "HLA-A*01:01", "chr 1", "#x"]),
    st.sampled_from(["0", "3", "03", "-3", "x", "3 "]),
    st.sampled_from(["4", "9", "2147483647", "2147483648", "9\tname", "9\tname\t0\t+"]),
).map("\t".join)
plain_texts = st.builds("chr{}\t{}\t{}".format, st.integers(1, 3), st.integers(0, 3), st.integers(4, 6))
other_lines = st.sampled_from(["", " ", "#x", "track x", "chr1\t4", "chr1 4 5"])


@settings(max_examples=500)
@given(
    st.lists(st.one_of(plain_texts, plain_texts, plain_texts, texts, other_lines), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_both_ways_to_read_agree(lines: list[str], end: str) -> None:
    content = "".join(line + end for line in lines).encode()
    if plain := _read_plain(content):
        other = _read_lines(content, Path("x.bed"))
        assert (list(plain.rows()), plain.duplicates, plain.sha256()) == (
            *(list(other.rows()), other.duplicates, other.sha256()),
        )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_usual_files_are_read_all_at_once(end: str) -> None:
    for more in ("", "\tname\t0\t+"):
        content = f"track name=x\n#x\nchr1\t5\t10{more}\nchr1\t5\t10{more}\nchr2\t0\t7{more}\n".replace("\n", end)
        found = _read_plain(content.encode())
        assert found
        assert (found.bed().decode(), found.duplicates) == (PLAIN, 1)


def test_large_files_read_as_small_ones(tmp_path: Path) -> None:
    rows = [("chr2", 7 * i, 7 * i + 5) for i in range(90_000)]
    lines = [f"{c}\t{s}\t{e}\n" for c, s, e in rows]
    for content in ("".join(lines), "".join(lines) + "chr1 1 2\n"):  # the second, with blanks, line by line
        assert len(content) > SMALL
        found = read_regions(bed(tmp_path, (content + lines[0]).encode()))
        assert list(found.rows())[: len(rows)] == rows
        assert found.duplicates == 1
    with pytest.raises(UserError, match="line 90001: zero length"):
        read_regions(bed(tmp_path, ("".join(lines) + "chr1\t2\t2\n").encode()))


def test_what_a_run_writes_for_its_jobs_reads_the_same(tmp_path: Path) -> None:
    found = read_regions(bed(tmp_path, b"chr2\t5\t6\nHLA-A*01:01\t1\t2\nchr1\t5\t2147483647\nchr2\t0\t9\n"))
    path = tmp_path / "x.npz"
    path.write_bytes(found.npz())
    again = read_regions(path)
    assert (again.contigs, list(again.rows()), again.sha256()) == (found.contigs, list(found.rows()), found.sha256())
    assert again.npz() == found.npz()


def test_damage_of_what_a_run_writes_never_gives_other_regions(tmp_path: Path) -> None:
    found, path, random = regions(("chr1", 5, 10), ("chr2", 5, 10)), tmp_path / "x.npz", np.random.default_rng(1)
    content = found.npz()
    places = random.integers(len(content), size=300).tolist()
    changed = [content[:at] + bytes([content[at] ^ random.integers(1, 256)]) + content[at + 1 :] for at in places]
    refused = 0
    for damaged in [*changed, *(content[:size] for size in range(1, len(content), 9))]:
        path.write_bytes(damaged)
        try:
            assert list(read_regions(path).rows()) == list(found.rows())
        except UserError as error:
            assert str(error).startswith(f"{path}: expected ")  # noqa: PT017
            refused += 1
    assert refused > 300


def test_any_change_gives_another_digest() -> None:
    rows = [("chr1", 5, 10), ("chr2", 5, 10), ("chr1", 20, 30)]
    others = [
        rows[:2],
        rows[::-1],
        [("chr3", 5, 10), *rows[1:]],
        [("chr1", 4, 10), *rows[1:]],
        [("chr1", 5, 9), *rows[1:]],
    ]
    digests = [regions(*each).sha256() for each in (rows, *others)]
    assert len(set(digests)) == len(digests)
    assert regions(*rows, ("chr9", 1, 2)).take(np.arange(3)).sha256() == digests[0]


@pytest.mark.parametrize(
    "row", [("chr1", 5, 5), ("chr1", 9, 5), ("chr1", -1, 5), ("chr1", 5, 2**31), ("chr1", 2**32, 2**32 + 5)]
)
def test_regions_that_are_none_are_refused(row: tuple[str, int, int]) -> None:
    with pytest.raises(UserError, match=r"expected regions with 0 <= start < end < 2\^31"):
        regions(row)


def test_duplicates_are_dropped_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_regions(bed(tmp_path, b"chr1\t5\t9\nchr1\t1\t2\nchr1\t5\t9\nchr1\t5\t9\n"))
    assert found.names() == ["chr1:5-9", "chr1:1-2"]
    assert found.duplicates == 2
    assert "x.bed: 2 exact duplicates" in describe_duplicates(found, "x.bed")
    assert capsys.readouterr() == ("", "")
    assert describe_duplicates(read_regions(bed(tmp_path, PLAIN.encode())), "x.bed") == ""


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("chr1\t1", "2 columns"),
        ("chr1\tx\t5", "not a whole number: 'x'"),
        ("chr1\t1.0\t5", "not a whole number: '1.0'"),
        ("chr1\t-5\t5", "negative coordinate: -5"),
        ("chr1\t5\t5", "zero length"),
        ("chr1\t6\t5", "start > end"),
        ("chr1\t5\t2147483648", "beyond 2147483647"),
        ("chr1\t5\t" + "9" * 5000, "beyond 2147483647"),
        ("\t5\t6", "not a contig name"),
        ("<img>\t5\t6", "not a contig name"),
        ("chr1,chr2\t5\t6", "not a contig name"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = bed(tmp_path, f"#x\n{PLAIN}{line}\n".encode())
    with pytest.raises(UserError) as error:
        read_regions(path)
    assert str(path) in str(error.value)
    assert "line 4" in str(error.value)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "at least one region"),
        (b"#only\ntrack x\n", "at least one region"),
        (b"\x00\xff\xfe", "text file"),
        (gzip.compress(PLAIN.encode())[:-9], "gzip"),
        (b"\x1f\x8bnothing", "cannot be read|gzip"),
    ],
    ids=["empty", "headers only", "binary", "truncated gzip", "no gzip"],  # not of the content, which has a time in it
)
def test_files_that_are_no_bed_are_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        read_regions(bed(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.bed: cannot be read: No such file"):
        read_regions(tmp_path / "nowhere.bed")


def test_a_copy_is_written_only_if_regions_change(tmp_path: Path) -> None:
    out = tmp_path / "frozen" / "x.bed"
    path = bed(tmp_path, PLAIN.encode())
    write_if_changed(out, read_regions(path).bed())
    first = out.stat().st_mtime_ns
    bed(tmp_path, b"# comment\n" + PLAIN.encode())
    write_if_changed(out, read_regions(path).bed())
    assert out.stat().st_mtime_ns == first
    bed(tmp_path, PLAIN.encode() + b"chr3\t1\t2\n")
    write_if_changed(out, read_regions(path).bed())
    assert out.read_text() == PLAIN + "chr3\t1\t2\n"
    assert [p.name for p in out.parent.iterdir()] == ["x.bed"]


@pytest.mark.parametrize(
    ("contigs", "hint"),
    [({"1": 100}, "alignments lack the prefix 'chr'"), ({"chr2": 100}, "it has chr2"), ({}, "names no contig")],
)
def test_absent_contigs_are_refused_with_a_hint(contigs: dict[str, int], hint: str) -> None:
    with pytest.raises(UserError, match=hint) as error:
        check_contigs(regions(("chr1", 5, 10)), contigs, Path("a.bam"), "error")
    assert "a.bam" in str(error.value)
    assert check_contigs(regions(("chr1", 5, 10)), contigs, Path("a.bam"), "zero") == ""


def test_regions_without_chr_get_the_hint_too() -> None:
    with pytest.raises(UserError, match="regions lack the prefix 'chr'"):
        check_contigs(regions(("1", 5, 10)), {"chr1": 100}, Path("a.bam"), "error")


def test_regions_of_another_genome_build_are_refused() -> None:
    with pytest.raises(UserError, match="chr1:100-110, but chr1 has 100 bp"):
        check_contigs(regions(("chr1", 5, 10), ("chr1", 100, 110)), {"chr1": 100}, Path("a.bam"), "error")
    warning = check_contigs(regions(("chr1", 99, 110)), {"chr1": 100}, Path("a.bam"), "error")
    assert warning.startswith("a.bam: 1 regions end beyond")
