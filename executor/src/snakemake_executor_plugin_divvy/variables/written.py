"""Resources as they stand on the command line and in profiles, before YAML and Snakemake make numbers of them."""

import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from snakemake_executor_plugin_divvy.yaml_files import find_profiles, read_texts

OPTION = re.compile(r"--(set|default)-res(?:ources?)?(?:=(.*))?", re.DOTALL)


def list_texts(rule: str, name: str, or_default: bool) -> list[str]:
    """Return the texts that a resource of a rule may have been given by: its own, or else those of the default.

    Which of them counts is not known here: of several sources Snakemake takes one.
    """
    texts = _read_all()
    return texts.get((rule, name)) or (texts.get(("", name), []) if or_default else [])


def may_be_read_as(text: str, value: object) -> bool:
    """Tell whether YAML, in a profile, or Snakemake may have read a text as that value."""
    return str(value) in {text, str(_read_number(text)), str(_read_yaml(text))}


@lru_cache(1)
def _read_all() -> dict[tuple[str, str], list[str]]:
    """Return the texts of resources by rule ("" for the default) and name."""
    texts: dict[tuple[str, str], list[str]] = {}
    for rule, name, text in (*_read_command_line(sys.argv[1:]), *_read_profiles(find_profiles())):
        texts.setdefault((rule, name), []).append(text)
    return texts


def _read_command_line(words: list[str]) -> Iterator[tuple[str, str, str]]:
    kind = ""
    for word in words:
        if word.startswith("--"):
            found = OPTION.fullmatch(word)
            kind, word = (found[1], found[2] or "") if found else ("", "")
        yield from _split(kind, word)


def _split(kind: str, word: str) -> Iterator[tuple[str, str, str]]:
    rule, _, assignment = word.partition(":") if kind == "set" else ("", "", word)
    name, found, text = assignment.partition("=")
    if kind and found:
        yield rule, name, text


def _read_profiles(files: list[Path]) -> Iterator[tuple[str, str, str]]:
    for file in files:
        profile = None
        with suppress(OSError, ValueError, yaml.YAMLError):  # then Snakemake says so
            profile = read_texts(file.read_text(encoding="utf-8-sig"))
        if not isinstance(profile, dict):
            continue
        for kind in ("set", "default"):
            given: Any = profile.get(f"{kind}-resources") or {}
            if isinstance(given, list):
                for word in given:
                    yield from _split(kind, str(word))
                continue
            for rule, resources in given.items() if kind == "set" else [("", given)]:
                for name, text in resources.items() if isinstance(resources, dict) else ():
                    yield str(rule), str(name), str(text)


def _read_number(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        return text


def _read_yaml(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return text
