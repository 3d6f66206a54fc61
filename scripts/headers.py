"""Look at alignment files without counting: what they are, whether they are whole, and which contigs they have.

Only the first blocks and the last bytes of a file are read, and of a file that did not change only its status.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import bamheader
import bgzf
from common import UserError, write_if_changed
from filetypes import alignment_kind

THREADS = 16  # they wait for the file system more than they compute
CHUNK = 64  # files that a thread looks at in one go
CACHE_FORMAT = 1
NO_STAMP = (-1, -1)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Header:
    """An alignment file ("bam", "cram" or "sam") and its contigs: lengths (bp) by name, in header order.

    Files with the same `digest` have the same contigs.
    """

    path: Path
    kind: str
    contigs: Mapping[str, int]
    digest: str


def examine(path: Path) -> Header:
    """Read the header of an alignment file.

    Raises UserError for a file that cannot be read, is empty or of another kind, has a damaged header or one without
    contigs, or lacks the mark at its end, as truncated files do.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            found = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
            raise UserError(f"{path}: expected BAM, CRAM or SAM, found {found}; give the path of a file")
        with path.open("rb") as file:
            kind = alignment_kind(file, path)
            contigs = {"bam": _bam_contigs, "cram": _cram_contigs, "sam": _sam_contigs}[kind](file, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not contigs:
        raise UserError(f"{path}: its header names no contig, as that of reads that are not aligned; align them first")
    return Header(path, kind, contigs, digest_of(contigs))


def digest_of(contigs: Mapping[str, int]) -> str:
    """Return a digest of the names and lengths of contigs in their order."""
    return hashlib.sha256("".join(f"{name}\t{length}\n" for name, length in contigs.items()).encode()).hexdigest()


def _bam_contigs(file: BinaryIO, path: Path) -> dict[str, int]:
    _check_end(file, path)
    data, wanted = bytearray(), 0
    for blocks in bgzf.read_blocks(file, path):
        for block in blocks:
            data += bgzf.content(block, path)
            if data and len(data) >= wanted:
                if header := bamheader.read_header(data, path):
                    return header.contigs
                wanted = 2 * len(data)
    if header := bamheader.read_header(data, path):
        return header.contigs
    raise bgzf.DamagedFile(path, path.stat().st_size, "the file ends within the header")


def _cram_contigs(file: BinaryIO, path: Path) -> dict[str, int]:
    import pysam_counter  # BAM does without pysam

    pysam_counter.check_cram_end(file, path)
    return pysam_counter.read_contigs(path)


def _sam_contigs(file: BinaryIO, path: Path) -> dict[str, int]:
    import pysam_counter

    if file.read(len(bgzf.MAGIC)) == bgzf.MAGIC:
        _check_end(file, path)
    return pysam_counter.read_contigs(path)


def _check_end(file: BinaryIO, path: Path) -> None:
    """Raise DamagedFile if a BGZF file lacks the block that ends it; leave the file at its start."""
    size = file.seek(0, os.SEEK_END)
    file.seek(-min(size, len(bgzf.END)), os.SEEK_END)
    if file.read() != bgzf.END:
        raise bgzf.DamagedFile(path, size, "the end-of-file block is missing")
    file.seek(0)


class Fact(NamedTuple):
    """What is kept of a sound file: size and time of modification (ns) when it was read, its kind, and its contigs."""

    stamp: tuple[int, int]
    kind: str
    digest: str


class Cache:
    """What was found in files, kept between runs in one small file: those that did not change are not read again.

    A file has not changed if its size and its time of modification have not. What a run does not ask for is forgotten,
    and a damaged cache is ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts, self._contigs = _load(path)

    def examine(self, paths: Iterable[Path]) -> tuple[dict[Path, Header], dict[Path, str]]:
        """Examine files; return the headers of those that are sound, and what is wrong with the others."""
        paths = list(dict.fromkeys(paths))
        stamps = dict(zip(paths, _in_threads(_stamp, paths), strict=True))
        known = {path: self._facts.get(str(path)) for path in paths}
        facts = {path: fact for path, fact in known.items() if fact and fact.stamp == stamps[path] != NO_STAMP}
        changed = [path for path in paths if path not in facts]
        problems: dict[Path, str] = {}
        for path, found in zip(changed, _in_threads(self._read, changed), strict=True):
            if isinstance(found, str):
                problems[path] = found
            else:
                facts[path] = Fact(stamps[path], *found)
        self._keep({str(path): fact for path, fact in facts.items()})
        sound = [path for path in paths if path in facts]
        return {path: self._header(path, facts[path]) for path in sound}, problems

    def _read(self, path: Path) -> tuple[str, str] | str:
        """Return kind and digest of a file, or what is wrong with it; contigs are in memory once for all files."""
        try:
            header = examine(path)
        except UserError as error:
            return str(error)
        self._contigs.setdefault(header.digest, header.contigs)
        return header.kind, header.digest

    def _header(self, path: Path, fact: Fact) -> Header:
        return Header(path, fact.kind, self._contigs[fact.digest], fact.digest)

    def _keep(self, facts: dict[str, Fact]) -> None:
        """Write the cache, if it changed and can be written."""
        if facts == self._facts:
            return
        self._facts = facts
        contigs = {fact.digest: self._contigs[fact.digest] for fact in facts.values()}
        content = json.dumps([CACHE_FORMAT, contigs, facts]).encode()
        with suppress(OSError):
            write_if_changed(self._path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def _load(path: Path) -> tuple[dict[str, Fact], dict[str, Mapping[str, int]]]:
    """Return facts by path and contigs by digest; nothing if there is no cache, or a damaged one."""
    try:
        checksum, content = path.read_bytes().split(b"\n", 1)
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            raise ValueError("damaged")
        version, contigs, facts = json.loads(content)
        if version != CACHE_FORMAT:
            raise ValueError("of another version")
    except (OSError, ValueError):
        return {}, {}
    return {name: Fact(tuple(stamp), kind, digest) for name, (stamp, kind, digest) in facts.items()}, contigs


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return NO_STAMP
    return status.st_size, status.st_mtime_ns


def _in_threads(function: Callable[[Path], Result], paths: Sequence[Path]) -> list[Result]:
    """Call a function for each path; while one waits for a shared file system, others go on."""
    chunks = [paths[first : first + CHUNK] for first in range(0, len(paths), CHUNK)]
    with ThreadPoolExecutor(THREADS) as pool:
        return [each for results in pool.map(lambda chunk: list(map(function, chunk)), chunks) for each in results]
