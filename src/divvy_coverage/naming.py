"""The names of samples and of region sets, which become names of files and folders and words of command lines."""

import re
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.errors import UserError

VALID_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._][A-Za-z0-9._-]{0,199}")  # as the configuration's schema has it
RULE = "names may hold only A-Z a-z 0-9 . _ - (at most 200 of them), and must neither begin with - nor be . or .."


def is_valid_name(name: str) -> bool:
    """Tell whether a sample or a region set may be called so."""
    return VALID_NAME.fullmatch(name) is not None


def name_region_set(path: Path) -> str:
    """Return the name of the region set in a file: that of the file, without what tells its format."""
    return Path(path.name.removesuffix(".gz").removesuffix(".bgz")).stem


def name_region_sets(paths: Sequence[Path]) -> list[str]:
    """Return the names of the region sets in some files. Raises UserError if two have the same."""
    names = [name_region_set(path) for path in paths]
    if same := [path for path, name in zip(paths, names, strict=True) if names.count(name) > 1]:
        raise UserError(f"{', '.join(map(str, same))}: region sets of the same name, which is the file's; rename one")
    return names


def check_name(name: str, place: str) -> None:
    """Raise UserError for a name that is not valid; `place` is where it was found."""
    if not is_valid_name(name):
        raise UserError(f"{place}: not a valid name: {name!r}; {RULE}")
