"""Headers and fingerprints of alignment files, read once: of unchanged files only the status is looked at."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from divvy_coverage.alignments.fingerprints import NO_STAMP, Stamp, get_stamp
from divvy_coverage.alignments.headers import Header, examine
from divvy_coverage.errors import OutputError, UserError
from divvy_coverage.files import write_if_changed

THREADS = 16  # they wait for the file system more than they compute
CHUNK = 64  # files that a thread looks at in one go
CACHE_FORMAT = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


class Fact(NamedTuple):
    """What is kept of a sound file: its stamp when it was read, what its header tells, and its fingerprint."""

    stamp: Stamp
    kind: str
    digest: str
    paired: bool | None
    fingerprint: str
    contradiction: str


class HeaderCache:
    """What was found in files, kept between runs in one small file: those that did not change are not read again.

    A file has not changed if its stamp has not. What a run does not ask for is forgotten, and a damaged cache is
    ignored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts, self._contigs = _load_cache(path)

    def examine(self, paths: Iterable[Path]) -> tuple[dict[Path, Header], dict[Path, str]]:
        """Examine files; return the headers of those that are sound, and what is wrong with the others."""
        paths = list(dict.fromkeys(paths))
        stamps = dict(zip(paths, map_in_threads(get_stamp, paths), strict=True))
        known = {path: self._facts.get(str(path)) for path in paths}
        facts = {path: fact for path, fact in known.items() if fact and fact.stamp == stamps[path] != NO_STAMP}
        changed = [path for path in paths if path not in facts]
        problems: dict[Path, str] = {}
        for path, found in zip(changed, map_in_threads(self._read, changed), strict=True):
            if isinstance(found, str):
                problems[path] = found
            else:
                facts[path] = Fact(stamps[path], *found)
        self._keep({str(path): fact for path, fact in facts.items()})
        sound = [path for path in paths if path in facts]
        return {path: self._header(path, facts[path]) for path in sound}, problems

    def _read(self, path: Path) -> tuple[str, str, bool | None, str, str] | str:
        """Return what is kept of a file, or what is wrong with it; contigs are in memory once for all files."""
        try:
            header = examine(path)
        except UserError as error:
            return str(error)
        self._contigs.setdefault(header.digest, header.contigs)
        return header.kind, header.digest, header.paired, header.fingerprint, header.contradiction

    def _header(self, path: Path, fact: Fact) -> Header:
        _, kind, digest, paired, fingerprint, contradiction = fact
        return Header(path, kind, self._contigs[digest], digest, paired, fingerprint, contradiction)

    def _keep(self, facts: dict[str, Fact]) -> None:
        """Write the cache, if it changed and can be written."""
        if facts == self._facts:
            return
        self._facts = facts
        contigs = {fact.digest: self._contigs[fact.digest] for fact in facts.values()}
        content = json.dumps([CACHE_FORMAT, contigs, facts]).encode()
        with suppress(OutputError):
            write_if_changed(self._path, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def _load_cache(path: Path) -> tuple[dict[str, Fact], dict[str, Mapping[str, int]]]:
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
    return {name: Fact(tuple(stamp), *rest) for name, (stamp, *rest) in facts.items()}, contigs


def map_in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function for each file; while one waits for a shared file system, others go on."""
    chunks = [items[first : first + CHUNK] for first in range(0, len(items), CHUNK)]
    with ThreadPoolExecutor(THREADS) as pool:
        return [each for results in pool.map(lambda chunk: list(map(function, chunk)), chunks) for each in results]
