"""The files that a PEP is made of, looked at before peppy reads them.

peppy would wait for a pipe for ever, follow imports in a circle, and write out all that YAML's aliases stand for.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from divvy_coverage.errors import UserError
from divvy_coverage.files import check_regular
from divvy_coverage.sheets.yaml_files import read_yaml

MOST_IMPORTS = 100  # each counted as often as it is imported, as often as peppy reads it
TABLES = ("sample_table", "subsample_table")


def check_configs(path: Path) -> Any:
    """Read a project configuration (YAML), and check it, all that it imports, and that their tables are files.

    Raises
    ------
    UserError
        For a configuration that cannot be read, is no YAML, is too large, or imports itself, and for a table that is a
        pipe, a device or a folder.
    """
    configs = _read_configs(path, ())
    _, first = next(configs)
    for number, (imported, _) in enumerate(configs, start=1):
        if number > MOST_IMPORTS:
            raise UserError(f"{path}: imports more than {MOST_IMPORTS} configurations, the last {imported}; join them")
    return first


def _read_configs(path: Path, importers: tuple[Path, ...]) -> Iterator[tuple[Path, Any]]:
    """Yield the path and the content of a configuration and then of all that it imports.

    `importers` are the configurations by which it is imported, the first one first, without links.
    """
    real = Path(os.path.realpath(path))
    path = real if path.is_symlink() else Path(os.path.abspath(path))  # as peppy does
    if real in importers:
        circle = " imports ".join(map(str, [*importers[importers.index(real) :], real]))
        raise UserError(f"{path}: is imported in a circle: {circle}; remove one of these imports")
    config = read_yaml(path)
    for table in _find_tables(config):
        check_regular(_locate(table, path))
    yield path, config
    imports = _get_section(_get_section(config, "project_modifiers"), "import")
    for name in imports if isinstance(imports, list) else []:
        if isinstance(name, str) and os.path.exists(imported := _locate(name, path)):
            yield from _read_configs(imported, (*importers, real))


def _find_tables(config: Any) -> Iterator[str]:
    """Yield the tables that a configuration and its amendments name."""
    amendments = _get_section(_get_section(config, "project_modifiers"), "amend")
    for section in [config, *(amendments.values() if isinstance(amendments, Mapping) else [])]:
        for key in TABLES:
            named = _get_section(section, key)
            yield from (name for name in (named if isinstance(named, list) else [named]) if isinstance(name, str))


def _get_section(config: Any, key: str) -> Any:
    return config.get(key) if isinstance(config, Mapping) else None


def _locate(path: str, config: Path) -> Path:
    """Return the path of a file that a configuration names, as peppy does."""
    return config.parent / os.path.expanduser(os.path.expandvars(path))
