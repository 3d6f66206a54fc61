"""PEPs as peppy resolves them, but nothing in silence.

peppy reads the project configuration (imports, amendments) and the tables, and adds attributes. Left alone it merges
rows of the same name, takes a part of a word for the word in `imply`, passes over misspelt sections and imports that
are not there, cuts long rows, and needs time quadratic in the samples for a subsample table.
"""

import csv
import logging
import os
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peppy import Project
from peppy import Sample as PeppySample
from peppy.const import PROJECT_MODIFIERS, SAMPLE_MODIFIERS, SUBSAMPLE_DF_KEY
from peppy.exceptions import PeppyError

from divvy_coverage.errors import UserError, listing
from divvy_coverage.preflight.pep_configs import check_configs

TABLES = {".csv": ",", ".tsv": "\t"}
SEPARATED = "a .csv is separated by commas, a .tsv by tabs"


@dataclass(frozen=True)
class Row:
    """A row of the sample table with all that the PEP adds to it."""

    number: int  # from 1, the header not counted
    name: str
    attributes: dict[str, list[str]]  # without the name
    unfilled: dict[str, str]  # derived attribute -> why it is as it was


@dataclass(frozen=True)
class Sheet:
    """The rows of a PEP, in the order of the sample table."""

    rows: list[Row]
    name_column: str
    folder: Path  # relative paths start here
    strangers: list[str]  # names in the subsample tables that the sample table lacks


def read_pep(pep: Path, amendments: Sequence[str] = ()) -> Sheet:
    """Resolve a PEP, or a plain sample table. Raises UserError if it cannot be used as a whole."""
    _check_pep(pep, amendments)
    with _collect_messages(pep) as said:
        project = Project(os.path.abspath(pep), amendments=list(amendments) or None, defer_samples_creation=True)
        problems = [message for message in said if not message.startswith("Config file does not have version")]
    if problems:
        raise UserError(f"{pep}: cannot be read as a PEP:{listing(problems)}")
    folder = Path(os.path.realpath(pep)).parent if pep.is_symlink() else pep.parent  # as peppy does
    project.st_index = project.config.get("sample_table_index") or "sample_name"  # imports and amendments included
    with _collect_messages(pep):
        for table in _get_tables(pep, project.config):
            _check_table(Path(table))
        _tidy_modifiers(pep, project.config)
        with chdir(folder):  # patterns of derived paths start in the folder, too
            return _build_sheet(project, pep, folder)


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


def _check_pep(pep: Path, amendments: Sequence[str]) -> None:
    """Refuse what peppy would ignore, or refuse in riddles, before it reads the file."""
    if not pep.is_file():
        what = "a folder" if pep.is_dir() else "a pipe or a device" if pep.exists() else "no such file"
        raise UserError(f"{pep}: {what}; set `pep` in the configuration to a PEP (YAML) or a sample sheet (CSV, TSV)")
    if pep.suffix.lower() in TABLES and amendments:
        raise UserError(f"{pep}: a plain table has no amendments, found {', '.join(amendments)}; give a PEP (YAML)")
    if pep.suffix.lower() not in (".yaml", ".yml"):
        return  # peppy names the suffixes that it knows
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
    if pep.suffix.lower() in TABLES:
        return [str(pep)]
    if not config.get("sample_table"):
        old = isinstance(config.get("metadata"), dict)
        hint = "`metadata` is of PEP 1" if old else "is this a part that other PEPs import?"
        raise UserError(
            f"{pep}: no sample_table ({hint}); a PEP has pep_version: 2.1.0 and sample_table: <file> at its top level"
        )
    subsamples = config.get("subsample_table") or []
    return [config["sample_table"], *(subsamples if isinstance(subsamples, list) else [subsamples])]


def _check_table(path: Path) -> None:
    """Refuse what pandas would cut or rename: rows that are longer than the header, and columns of the same name."""
    if path.suffix not in TABLES or "://" in str(path):
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=TABLES[path.suffix])
            header = next((row for row in reader if row), [])
            long = [f"line {reader.line_num}: {row}" for row in reader if any(row[len(header) :])]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: is not a plain table in UTF-8; save it as one ({error})") from error
    if not header:
        raise UserError(f"{path}: is empty; the first line has to name the columns")
    if twice := [f"{name!r}" for name, count in Counter(header).items() if count > 1 and name]:
        raise UserError(f"{path}: several columns are called {', '.join(twice)}; rename or remove all but one")
    if long:
        raise UserError(f"{path}: more fields than the header has columns ({len(header)}):{listing(long)}")


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


def _build_sheet(project: Any, pep: Path, folder: Path) -> Sheet:
    """Read the tables, and add the attributes in peppy's order."""
    numbered = [(n, s) for n, s in enumerate(project.load_samples(), start=1) if any(_get_attributes(s).values())]
    if not numbered:
        raise UserError(f"{pep}: expected at least one sample, found none; the sample table holds no rows")
    numbers, samples = zip(*numbered, strict=True)
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
    _check_names(pep, samples, name)
    strangers = _merge_subsamples(pep, samples, project[SUBSAMPLE_DF_KEY] or [], name)
    unfilled = [_derive(sample, [a for a in attributes if a != name], sources) for sample in samples]
    rows = []
    for number, sample, problems in zip(numbers, samples, unfilled, strict=True):
        values = _get_attributes(sample)
        rows.append(Row(number, " ".join(values.pop(name, [])), values, problems))
    return Sheet(rows, name, folder, strangers)


def _get_attributes(sample: Any) -> dict[str, list[str]]:
    return {str(key): _get_values(value) for key, value in sample.items() if not str(key).startswith("_")}


def _get_values(value: Any) -> list[str]:
    """Return the values of an attribute, without those that are empty, which may be None, NaN or blanks."""
    values = value if isinstance(value, list) else [value]
    return [text for v in values if v is not None and v == v and (text := str(v)).strip()]


def _check_names(pep: Path, samples: Sequence[Any], name: str) -> None:
    if any(name in sample for sample in samples):
        return
    columns = ", ".join(repr(column) for column in _get_attributes(samples[0]))
    raise UserError(
        f"{pep}: no column {name!r}, which has to hold the names of the samples; found: {columns} ({SEPARATED};"
        " sample_table_index in the PEP names another column)"
    )


def _merge_subsamples(pep: Path, samples: Sequence[Any], tables: Sequence[Any], name: str) -> list[str]:
    """Give samples the values of their rows in the subsample tables; return the names that no sample has."""
    names = {sample.get(name) for sample in samples}
    strangers: dict[str, None] = {}
    for table in tables:
        if name not in table.columns:
            columns = ", ".join(repr(column) for column in table.columns)
            raise UserError(f"{pep}: a subsample table has no column {name!r}; found: {columns} ({SEPARATED})")
        rows: dict[str, list[dict[str, str]]] = {}
        for number, record in enumerate(table.to_dict("records")):
            filled = {key: value for key, value in record.items() if _get_values(value)}
            if filled:
                rows.setdefault(filled.pop(name, ""), []).append({"subsample_name": str(number)} | filled)
        strangers |= dict.fromkeys(key for key in rows if key not in names)
        for sample in samples:
            own = rows.get(sample.get(name), [])
            for key in dict.fromkeys(key for row in own for key in row):
                sample[key] = [row[key] for row in own if key in row]
    return list(strangers)


def _derive(sample: Any, attributes: Sequence[str], sources: Mapping[str, Any]) -> dict[str, str]:
    """Replace sources by what they give for the sample; return the attributes for which that cannot be, and why."""
    unfilled = {}
    for attribute in attributes:
        if not _get_values(sample.get(attribute)):
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
    items = {key: value for key, value in sample.items() if not str(key).startswith("_")}
    many = {key: value for key, value in items.items() if isinstance(value, list) and len(value) == len(keys)}
    return [PeppySample(items | {key: value[i] for key, value in many.items()}) for i in range(len(keys))]
