"""Fingerprints tell files apart by size and content, and stamps tell that a file may be another one."""

import os
import shutil
from pathlib import Path

import pytest

from divvy_coverage.alignments.fingerprints import NO_STAMP, compute_fingerprint, get_stamp
from divvy_coverage.errors import UserError

LARGE = 3_000_000


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(bytes(range(250)) * (LARGE // 250))
    return path


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_copy_has_the_same_fingerprint_and_a_touched_file_keeps_its_own(large: Path) -> None:
    before = compute_fingerprint(large)
    assert compute_fingerprint(Path(shutil.copy(large, large.with_name("copy")))) == before
    os.utime(large, (0, 0))
    assert compute_fingerprint(large) == before


@pytest.mark.parametrize("position", [0, 65_535, 65_536, LARGE - 65_537, LARGE - 65_536, LARGE - 1])
def test_another_byte_at_the_ends_is_seen(large: Path, position: int) -> None:
    before = compute_fingerprint(large)
    flip(large, position)
    assert compute_fingerprint(large) != before


def test_another_size_is_seen_wherever_it_comes_from(large: Path) -> None:
    before = compute_fingerprint(large)
    content = large.read_bytes()
    large.write_bytes(content[: LARGE // 2] + b"x" + content[LARGE // 2 :])
    assert compute_fingerprint(large) != before


def test_what_changes_over_a_length_of_more_than_a_gap_is_seen(large: Path) -> None:
    before = compute_fingerprint(large)
    content = large.read_bytes()
    first, length = LARGE // 3, LARGE // 14
    large.write_bytes(content[:first] + bytes(length) + content[first + length :])
    assert compute_fingerprint(large) != before


@pytest.mark.parametrize("size", [0, 1, 4096, 196_608])
def test_each_byte_of_a_small_file_counts(tmp_path: Path, size: int) -> None:
    path = tmp_path / "small"
    path.write_bytes(bytes(size))
    before = compute_fingerprint(path)
    for position in {0, size // 2, size - 1} & set(range(size)):
        flip(path, position)
        assert compute_fingerprint(path) != before
        flip(path, position)
    assert compute_fingerprint(path) == before


def test_a_file_that_takes_anothers_place_has_another_stamp(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        path.write_bytes(b"1234")
        os.utime(path, (0, 0))
    stamp = get_stamp(first)
    assert get_stamp(first) == stamp
    second.replace(first)
    assert get_stamp(first) != stamp
    assert get_stamp(second) == NO_STAMP
    stamp = get_stamp(first)
    first.write_bytes(b"4321")
    os.utime(first, (0, 0))  # as rsync -t does
    assert get_stamp(first) != stamp


def test_what_cannot_be_read_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        compute_fingerprint(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="found a pipe"):
        compute_fingerprint(tmp_path / "pipe")
