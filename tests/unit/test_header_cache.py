"""Headers of alignment files are remembered between runs, and files are read again only if they changed."""

import os
import shutil
import struct
import time
from pathlib import Path

import pytest

from divvy_coverage.alignments.headers import Header, compute_digest, examine
from divvy_coverage.preflight import header_cache
from divvy_coverage.preflight.header_cache import HeaderCache
from helpers import bgzf

CONTIGS = {"chr1": 1000, "chr2": 300}
FASTQ = b"@r1\nACGT\n+\nIIII\n"


def header_of(contigs: dict[str, int]) -> bytes:
    """Return the header of a BAM file."""
    names = b"".join(
        struct.pack("<I", len(name) + 1) + name.encode() + b"\0" + struct.pack("<I", length)
        for name, length in contigs.items()
    )
    return b"BAM\1" + struct.pack("<I", 0) + struct.pack("<I", len(contigs)) + names


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def sound_bam() -> bytes:
    return bgzf(header_of(CONTIGS))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, and not taken from the cache."""
    names: list[str] = []

    def examined(path: Path) -> Header:
        names.append(path.name)
        return examine(path)

    monkeypatch.setattr(header_cache, "examine", examined)
    return names


def cohort(folder: Path, number: int = 5) -> list[Path]:
    return [written(folder / f"s{i}.bam", bgzf(header_of(CONTIGS if i else {"chr1": 7}))) for i in range(number)]


def test_unchanged_files_are_not_read_again(tmp_path: Path, read: list[str]) -> None:
    paths, cache = cohort(tmp_path), tmp_path / "results" / "cache.json"
    first = HeaderCache(cache).examine(paths)
    assert first == ({path: examine(path) for path in paths}, {})
    assert sorted(read) == [path.name for path in paths]
    assert len({id(header.contigs) for header in first[0].values()}) == 2  # in memory once for all
    read.clear()
    before = cache.stat()
    assert HeaderCache(cache).examine(paths) == first
    assert not read
    assert cache.stat().st_mtime_ns == before.st_mtime_ns
    assert cache.stat().st_ino == before.st_ino
    assert [path.name for path in cache.parent.iterdir()] == ["cache.json"]


def test_changed_files_are_read_again(tmp_path: Path, read: list[str]) -> None:
    paths, cache = cohort(tmp_path), tmp_path / "cache.json"
    HeaderCache(cache).examine(paths)
    read.clear()
    os.utime(paths[1], ns=(0, 1))
    paths[2].write_bytes(bgzf(header_of({"chrX": 5})))
    paths[3].unlink()
    stamp = paths[4].stat()
    paths[4].write_bytes(bgzf(header_of({"chrLonger": 5})))
    os.utime(paths[4], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # only its size tells
    found, problems = HeaderCache(cache).examine(paths)
    assert sorted(read) == ["s1.bam", "s2.bam", "s3.bam", "s4.bam"]
    assert [list(found[path].contigs) for path in (paths[2], paths[4])] == [["chrX"], ["chrLonger"]]
    assert list(problems) == [paths[3]]
    assert "No such file" in problems[paths[3]]
    read.clear()
    HeaderCache(cache).examine(paths)
    assert read == ["s3.bam"]


def test_bad_files_are_looked_at_each_time(tmp_path: Path, read: list[str]) -> None:
    path = written(tmp_path / "x.bam", FASTQ)
    for _ in range(2):
        found, problems = HeaderCache(tmp_path / "cache.json").examine([path])
        assert not found
        assert "FASTQ" in problems[path]
    assert read == ["x.bam", "x.bam"]


def test_a_damaged_cache_is_ignored(tmp_path: Path, read: list[str]) -> None:
    paths, cache = cohort(tmp_path), tmp_path / "cache.json"
    expected = HeaderCache(cache).examine(paths)
    good = cache.read_bytes()
    changed = good.replace(b'"chr1": 7', b'"chr1": 8')
    assert changed != good
    for damaged in (b"", b"{}", good[:-20], changed, b"\xff\xfe" + good, good.split(b"\n")[0], b"x\n[9, {}, {}]"):
        cache.write_bytes(damaged)
        read.clear()
        assert HeaderCache(cache).examine(paths) == expected
        assert len(read) == len(paths)
        assert cache.read_bytes() == good


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    written(tmp_path / "file", b"")
    paths = cohort(tmp_path)
    assert HeaderCache(tmp_path / "file" / "cache.json").examine(paths)[0].keys() == set(paths)


def test_the_cache_forgets_what_is_no_longer_asked_for(tmp_path: Path, read: list[str]) -> None:
    paths, cache = cohort(tmp_path), tmp_path / "cache.json"
    HeaderCache(cache).examine(paths)
    HeaderCache(cache).examine(paths[1:3])
    assert b"s1.bam" in cache.read_bytes()
    assert b"s0.bam" not in cache.read_bytes()
    assert compute_digest({"chr1": 7}).encode() not in cache.read_bytes()


def test_odd_names_and_repeated_paths(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b'\xff "\n\xc3\xa4.bam')
    paths = [written(odd, sound_bam()), odd]
    for _ in range(2):
        assert list(HeaderCache(tmp_path / "cache.json").examine(paths)[0]) == [odd]


def test_a_thousand_files_are_looked_at_in_seconds(data: Path, tmp_path: Path) -> None:
    """0.1 s, and 0.02 s with the cache, on a machine that does nothing else."""
    paths = [tmp_path / f"{i}.bam" for i in range(1000)]
    for path in paths:
        shutil.copy(data / "nasty" / "bam" / "empty_records.bam", path)
    start = time.perf_counter()
    found, problems = HeaderCache(tmp_path / "cache.json").examine(paths)
    assert time.perf_counter() - start < 10
    assert (len(found), len(problems)) == (1000, 0)
    start = time.perf_counter()
    assert HeaderCache(tmp_path / "cache.json").examine(paths)[0] == found
    assert time.perf_counter() - start < 1


def test_a_file_in_anothers_place_is_read_again_also_with_its_size_and_time(tmp_path: Path, read: list[str]) -> None:
    paths, cache = cohort(tmp_path, 3)[1:], tmp_path / "cache.json"
    paths[1].write_bytes(bgzf(header_of({"chr1": 1001, "chr2": 300})))
    for path in paths:
        os.utime(path, ns=(0, 0))
    before, _ = HeaderCache(cache).examine(paths)
    paths[0].rename(tmp_path / "x")
    paths[1].rename(paths[0])
    (tmp_path / "x").rename(paths[1])
    read.clear()
    after, _ = HeaderCache(cache).examine(paths)
    assert sorted(read) == ["s1.bam", "s2.bam"]
    assert [after[path].fingerprint for path in paths] == [before[path].fingerprint for path in reversed(paths)]
    assert [after[path].contigs for path in paths] == [before[path].contigs for path in reversed(paths)]


def test_text_files_are_read_through_once(tmp_path: Path, read: list[str]) -> None:
    path, cache = written(tmp_path / "x.tsv", b"chr2\t1\t2\tA\nchr1\t1\t2\tA\n"), tmp_path / "cache.json"
    for _ in range(2):
        found, problems = HeaderCache(cache).examine([path])
        assert (found, problems) == ({path: examine(path)}, {})
        assert (found[path].kind, list(found[path].contigs), found[path].paired) == (
            "fragments",
            ["chr1", "chr2"],
            True,
        )
    assert read == ["x.tsv"]
    written(path, b"chr2\t1\t2\tA\nchr1\t2\t2\tA\n\n")
    assert "line 2: expected chrom" in HeaderCache(cache).examine([path])[1][path]
