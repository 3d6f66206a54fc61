"""Where the parts of this distribution are: next to the library in a clone, inside it when installed.

An installed library includes the folders `scripts`, `workflow`, `profiles` and `config`.
"""

import hashlib
from functools import cache
from pathlib import Path

from divvy_coverage.errors import UserError
from divvy_coverage.files import compute_sha256

LIBRARY = Path(__file__).resolve().parent
SOURCES = (".py", ".j2")


def find_folder(name: str) -> Path:
    """Return the folder `scripts`, `workflow`, `profiles` or `config`. Raises UserError if it is not there."""
    for parent in (LIBRARY, LIBRARY.parents[1]):
        if (parent / name).is_dir():
            return parent / name
    raise UserError(
        f"{LIBRARY}: expected the folder {name} in it or in the clone, found none; install divvy-coverage anew"
    )


def find_script(name: str) -> Path:
    """Return the path of a command-line script. Raises UserError with the valid names if there is no such command."""
    scripts = {path.stem: path for path in sorted(find_folder("scripts").glob("*.py"))}
    if name not in scripts:
        raise UserError(f"no command {name!r}; commands: {', '.join(scripts)}")
    return scripts[name]


def compute_digest(*parts: str) -> str:
    """Return a digest of the source of parts of the library: folders, modules, or scripts (scripts/<name>).

    It depends on the content alone, and not on where the files are or when they were written.
    """
    digest = hashlib.sha256()
    for part in parts:
        path = find_script(part.removeprefix("scripts/")) if part.startswith("scripts/") else LIBRARY / part
        path = path if path.exists() else path.with_suffix(".py")
        files = sorted(file for file in path.rglob("*") if file.suffix in SOURCES) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.relative_to(path.parent)}\0{_compute_once(file)}\n".encode())
    return digest.hexdigest()[:16]


_compute_once = cache(compute_sha256)  # several rules depend on the same files
