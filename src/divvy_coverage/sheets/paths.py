"""The paths in a sample sheet and in the configuration: which files they stand for, and whether these can be used."""

import errno
import os
import re
import stat
import time
from datetime import datetime
from glob import glob, has_magic
from pathlib import Path

from divvy_coverage.errors import UserError
from divvy_coverage.samples import SEPARATOR

WILDCARD = re.compile(r"\{\s*\w+.*\}")
VARIABLE = re.compile(r"\$\w+|\$\{\w+\}")
LEFTOVER = re.compile(rf"\{{[^{{}}]*\}}|{VARIABLE.pattern}")


def fill_path(path: str) -> str:
    """Return a path of the configuration with ~ and $VARIABLES filled, unless it is there as it stands.

    Raises
    ------
    UserError
        For a variable that is not set.
    """
    plain = os.path.expanduser(path)
    filled = plain if os.path.exists(plain) else os.path.expandvars(plain)
    if (unset := VARIABLE.search(filled)) and not os.path.exists(filled):
        raise UserError(f"{unset.group()} is not set, or write the path without it: {path}")
    return filled


def find_files(path: str, folder: Path) -> list[str]:
    """Return the files that a path of the sheet stands for: it may hold ~, $VARIABLES and a pattern.

    A path that stands for no file is returned as it was filled, for `check_file` to say why.
    """
    if os.path.exists(plain := _locate(path, folder)):
        return [plain]
    filled = os.path.expanduser(os.path.expandvars(path))
    found = sorted(glob(filled, root_dir=folder)) if has_magic(filled) else []
    return [_locate(name, folder) for name in found or [filled]]


def check_file(path: str) -> str:
    """Return why a file cannot be used; "" if it can."""
    if SEPARATOR.search(path):
        return f"a path must not hold a tab or a line break: {path!r}"
    try:
        status = os.stat(path)
        changed = max(status.st_mtime, os.lstat(path).st_mtime)  # as Snakemake sees it
    except (OSError, ValueError) as error:
        return _explain_missing(path, error)
    if not stat.S_ISREG(status.st_mode):
        return f"{'a folder' if stat.S_ISDIR(status.st_mode) else 'a device or pipe'}, not a file: {path}"
    if changed > time.time():
        when = datetime.fromtimestamp(changed).astimezone().isoformat(" ", "seconds")
        return f"changed in the future ({when}), so Snakemake would remove what is made of it; `touch` it: {path}"
    if wildcard := WILDCARD.search(path):
        return f"Snakemake takes {wildcard.group()} for a wildcard; rename or link it: {path}"
    return "" if os.access(path, os.R_OK) else f"not readable: {path}"


def _locate(path: str, folder: Path) -> str:
    """Return a path of the sheet, which is relative to `folder`, relative to the current folder and without `..`."""
    joined = os.path.join(folder, os.path.expanduser(path))
    plain = os.path.normpath(joined)
    # `..` after a link leads elsewhere
    return plain if ".." not in joined or os.path.realpath(plain) == os.path.realpath(joined) else joined


def _explain_missing(path: str, error: OSError | ValueError) -> str:
    if leftover := LEFTOVER.search(path):
        return f"{leftover.group()} was not filled: {path}"
    if has_magic(path):
        return f"no file matches {path}"
    if os.path.islink(path):
        return f"a link to {os.readlink(path)}, which is not there: {path}"
    if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
        return f"{error.strerror}: {path}"
    return f"no such file: {path if path == path.strip() else repr(path)}"
