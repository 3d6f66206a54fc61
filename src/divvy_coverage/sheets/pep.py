"""PEPs as peppy resolves them, but nothing in silence.

peppy reads the project configuration (imports, amendments) and adds attributes. Left alone it merges rows of the same
name, takes a part of a word for the word in `imply`, passes over misspelt sections and imports that are not there,
drops attributes that begin with `_`, and needs time quadratic in the samples for a subsample table.
"""

import logging
import os
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from peppy import Project
from peppy import Sample as PeppySample
from peppy.const import PRJ_REF, PROJECT_MODIFIERS, SAMPLE_MODIFIERS
from peppy.exceptions import PeppyError

from divvy_coverage.errors import UserError, listing
from divvy_coverage.sheets.pep_configs import check_configs
from divvy_coverage.sheets.rows import (
    NAME_COLUMN,
    Row,
    Sheet,
    explain_missing_names,
    find_folder,
    get_values,
    read_sample_table,
)
from divvy_coverage.sheets.tables import Table, read_table

PEPPYS_OWN = (PRJ_REF, "_derived_cols_done", "_attributes")  # keys of its samples that are no attributes


def read_pep(pep: Path, amendments: Sequence[str] = ()) -> Sheet:
    """Resolve the project configuration of a PEP. Raises UserError if it cannot be used as a whole."""
    _check_pep(pep)
    with _collect_messages(pep) as said:
        project = Project(os.path.abspath(pep), amendments=list(amendments) or None, defer_samples_creation=True)
        problems = [message for message in said if not message.startswith("Config file does not have version")]
    if problems:
        raise UserError(f"{pep}: cannot be read as a PEP:{listing(problems)}")
    folder = find_folder(pep)
    project.st_index = project.config.get("sample_table_index") or NAME_COLUMN  # imports and amendments included
    with _collect_messages(pep):
        path, *others = _get_tables(pep, project.config)
        tables = [read_sample_table(pep, path), *map(read_table, others)]
        _tidy_modifiers(pep, project.config)
        with chdir(folder):  # patterns of derived paths start in the folder, too
            return _build_sheet(project, pep, tables, folder)


@contextmanager
def _collect_messages(pep: Path) -> Iterator[list[str]]:
    """Collect what peppy and pandas say instead of showing it, and make peppy's errors the user's."""
    said: list[str] = []

    def hear(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            said.append(record.getMessage())
        return False

    logger = logging.getLogger("peppy")
    logger.addFilter(hear)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield said
    except UserError:
        raise
    except Exception as error:  # peppy raises whatever its parsers do
        text = str(error) if isinstance(error, PeppyError) else f"{type(error).__name__}: {error}"
        raise UserError(f"{pep}: cannot be read as a PEP: {textwrap.shorten(text, 500)}") from error
    finally:
        logger.removeFilter(hear)


def _check_pep(pep: Path) -> None:
    """Refuse what peppy would ignore, or refuse in riddles, before it reads the file."""
    config = check_configs(pep)
    if not isinstance(config, dict):
        found = "a list" if isinstance(config, list) else "nothing" if config is None else "a single value"
        raise UserError(f"{pep}: expected a project configuration with keys like sample_table, found {found}")
    version = config.get("pep_version", "2.1.0")
    if not isinstance(version, str):
        raise UserError(f'{pep}: pep_version: {version} is a number; write a version with three parts, like "2.1.0"')
    modifiers = config.get("project_modifiers", {})
    _check_keys(pep, "project_modifiers", modifiers, PROJECT_MODIFIERS)
    imports = modifiers.get("import")
    if isinstance(imports, str):
        raise UserError(f"{pep}: project_modifiers.import must be a list; write [{imports}]")


def _check_keys(pep: Path, section: str, value: Any, valid: Sequence[str]) -> None:
    if not isinstance(value, Mapping):
        raise UserError(f"{pep}: {section} must hold some of {', '.join(valid)}; found {value!r}")
    if unknown := [str(key) for key in value if key not in valid]:
        raise UserError(f"{pep}: {section}: unknown key {', '.join(unknown)}; valid keys: {', '.join(valid)}")


def _get_tables(pep: Path, config: Mapping[str, Any]) -> list[str]:
    """Return the paths of the sample table and of the subsample tables."""
    if not config.get("sample_table"):
        old = isinstance(config.get("metadata"), dict)
        hint = "`metadata` is of PEP 1" if old else "is this a part that other PEPs import?"
        raise UserError(
            f"{pep}: no sample_table ({hint}); a PEP has pep_version: 2.1.0 and sample_table: <file> at its top level"
        )
    subsamples = config.get("subsample_table") or []
    tables = [config["sample_table"], *(subsamples if isinstance(subsamples, list) else [subsamples])]
    if odd := [table for table in tables if not isinstance(table, str)]:
        raise UserError(f"{pep}: sample_table and subsample_table: expected the path of a table, found {odd[0]!r}")
    return tables


def _tidy_modifiers(pep: Path, config: dict[str, Any]) -> None:
    """Check the section sample_modifiers, drop its empty parts, and make conditions lists of whole words."""
    section = "sample_modifiers"
    given = config.pop(section, None) or {}
    _check_keys(pep, section, given, SAMPLE_MODIFIERS)
    modifiers = {key: value for key, value in given.items() if value}
    for key, value in modifiers.items():
        shape, what = (list, "a list") if key in ("imply", "remove") else (dict, "pairs of key and value")
        if not isinstance(value, shape):
            raise UserError(f"{pep}: {section}.{key}: expected {what}, found {value!r}")
    if derive := modifiers.get("derive"):
        _check_keys(pep, f"{section}.derive", derive, ["attributes", "sources"])
        if not derive.get("attributes") or not isinstance(derive.get("sources"), dict):
            raise UserError(f"{pep}: {section}.derive needs attributes (a list) and sources (pairs of key and path)")
    for implication in modifiers.get("imply", []):
        conditions = implication.get("if") if isinstance(implication, dict) else None
        if isinstance(conditions, dict):  # if not, peppy says what is wrong
            implication["if"] = {key: _get_words(pep, key, value) for key, value in conditions.items()}
    if modifiers:
        config[section] = modifiers


def _get_words(pep: Path, key: str, value: Any) -> list[str]:
    """Return the cells that meet a condition of `imply`: one of the words given, from end to end."""
    values = value if isinstance(value, list) else [value]
    if odd := [v for v in values if not isinstance(v, str | int) or isinstance(v, bool)]:
        raise UserError(f"{pep}: sample_modifiers.imply: {key}: YAML makes {odd[0]!r} of the value; put it in quotes")
    return [str(v) for v in values]


def _build_sheet(project: Any, pep: Path, tables: Sequence[Table], folder: Path) -> Sheet:
    """Make samples of the rows of the first table, and add the attributes in peppy's order."""
    table, *subsample_tables = tables
    if taken := [column for each in tables for column in each.columns if column in PEPPYS_OWN]:
        raise UserError(f"{pep}: a column must not be called {taken[0]!r}, which peppy uses itself; rename it")
    samples = [PeppySample(cells, prj=project) for _, cells in table.rows]
    project.add_samples(samples)
    project.attr_remove()
    project.attr_constants()
    project.attr_synonyms()
    project.attr_imply()
    derive = project.config.get("sample_modifiers", {}).get("derive", {"attributes": [], "sources": {}})
    sources = {str(key): source for key, source in derive["sources"].items()}
    attributes = derive["attributes"] if isinstance(derive["attributes"], list) else [derive["attributes"]]
    name = project.st_index
    for sample in samples if name in attributes else ():
        _derive(sample, [name], sources)
    if not any(name in sample for sample in samples):
        raise UserError(explain_missing_names(pep, name, _get_attributes(samples[0])))
    notes = [note for each in tables for note in each.notes]
    notes += [note for each in subsample_tables for note in _merge_subsamples(samples, each, name)]
    unfilled = [_derive(sample, [a for a in attributes if a != name], sources) for sample in samples]
    rows = []
    for (number, _), sample, problems in zip(table.rows, samples, unfilled, strict=True):
        values = _get_attributes(sample)
        rows.append(Row(number, " ".join(values.pop(name, [])), values, problems))
    return Sheet(rows, name, folder, notes)


def _get_attributes(sample: Any) -> dict[str, list[str]]:
    return {str(key): get_values(value) for key, value in sample.items() if key not in PEPPYS_OWN}


def _merge_subsamples(samples: Sequence[Any], table: Table, name: str) -> list[str]:
    """Give samples the values of their rows in a subsample table; return what is wrong with names in it."""
    if name not in table.columns:
        columns = ", ".join(map(repr, table.columns))
        raise UserError(f"{table.path}: a subsample table has to have the column {name!r}; found: {columns}")
    rows: dict[str, list[dict[str, str]]] = {}
    for number, cells in enumerate(cells for _, cells in table.rows):
        filled = {key: cell for key, cell in cells.items() if cell}
        rows.setdefault(filled.pop(name, ""), []).append({"subsample_name": str(number)} | filled)
    for sample in samples:
        own = rows.pop(sample.get(name), [])
        for key in dict.fromkeys(key for row in own for key in row):
            sample[key] = [row[key] for row in own if key in row]
    if not rows:
        return []
    some = ", ".join(map(repr, [*rows][:10])) + (", …" if len(rows) > 10 else "")
    return [f"{table.path}: has rows for names that are not in the sample table; they are not used: {some}"]


def _derive(sample: Any, attributes: Sequence[str], sources: Mapping[str, Any]) -> dict[str, str]:
    """Replace sources by what they give for the sample; return the attributes for which that cannot be, and why."""
    unfilled = {}
    for attribute in attributes:
        if not get_values(sample.get(attribute)):
            continue
        given = sample[attribute]
        derived: list[Any] = []
        for part in _split_subsamples(sample, given) if isinstance(given, list) else [sample]:
            values, problem = _fill_source(part, attribute, sources)
            derived += values
            if problem:
                unfilled[attribute] = problem
        sample[attribute] = derived if len(derived) > 1 else derived[0]
    return unfilled


def _fill_source(sample: Any, attribute: str, sources: Mapping[str, Any]) -> tuple[list[Any], str]:
    """Return what the source that an attribute names gives; if nothing, the attribute as it is, and why."""
    key = str(sample[attribute])
    if key not in sources:
        return [key], f"the derive source {key!r} is not one of {', '.join(sources)}"
    sample[attribute] = key
    found = sample.derive_attribute(sources, attribute)
    if not found:
        return [key], f"the derive source {key!r} cannot be filled: {sources[key]}"
    return found if isinstance(found, list) else [found], ""


def _split_subsamples(sample: Any, keys: Sequence[Any]) -> list[Any]:
    """Split a sample whose subsamples name a source each: a subsample has its values of what is given as often."""
    items = {key: value for key, value in sample.items() if key not in PEPPYS_OWN}
    many = {key: value for key, value in items.items() if isinstance(value, list) and len(value) == len(keys)}
    return [PeppySample(items | {key: value[i] for key, value in many.items()}) for i in range(len(keys))]
