"""What was found in files, remembered between runs: those that did not change are not read again."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from divvy_coverage.alignments.fingerprints import NO_STAMP, get_stamp
from divvy_coverage.errors import OutputError, UserError
from divvy_coverage.files import encode_record, read_record, write_if_changed
from divvy_coverage.preflight.header_cache import map_in_threads


def read_files(
    paths: Iterable[Path], read: Callable[[Path], Any], cache: Path, settings: object = None
) -> tuple[dict[Path, Any], dict[Path, str]]:
    """Read files, as far as they changed since they were read with the same settings.

    Parameters
    ----------
    paths
        The files.
    read
        Returns what is to be known of a file, as JSON has it, or raises UserError.
    cache
        Keeps that between runs, but no errors. A damaged one is ignored, and so is one that cannot be written.
    settings
        On which it depends, as JSON has them.

    Returns
    -------
    found
        What `read` returned, by file.
    broken
        What is wrong with the other files.
    """
    paths = list(dict.fromkeys(paths))
    stamps = dict(zip(paths, map_in_threads(get_stamp, paths), strict=True))
    known = _load(cache, settings)
    found = {path: known[str(path)][1] for path in paths if known.get(str(path), [NO_STAMP])[0] == [*stamps[path]]}
    changed = [path for path in paths if path not in found]
    broken: dict[Path, str] = {}

    def attempt(path: Path) -> Any:
        try:
            return read(path)
        except UserError as error:
            return error

    for path, result in zip(changed, map_in_threads(attempt, changed), strict=True):
        if isinstance(result, UserError):
            broken[path] = str(result)
        else:
            found[path] = result
    if found:
        files = {str(path): [stamps[path], each] for path, each in found.items()}
        with suppress(OutputError):
            write_if_changed(cache, encode_record({"settings": settings, "files": files}))
    return found, broken


def _load(cache: Path, settings: object) -> dict[str, list[Any]]:
    """Return stamp and what was found by file; nothing if the cache is not there, damaged, or of other settings."""
    try:
        content = read_record(cache, "a cache")
    except UserError:
        return {}
    return dict(content["files"]) if content["settings"] == settings else {}
