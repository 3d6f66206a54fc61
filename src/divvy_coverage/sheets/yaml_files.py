"""YAML files, read strictly: of a key that stands twice, readers of YAML silently take the last."""

from pathlib import Path
from typing import Any

import yaml

from divvy_coverage.errors import UserError, listing
from divvy_coverage.files import check_regular

MOST_VALUES = 1_000_000  # of a file, all aliases written out


def read_yaml(path: Path) -> Any:
    """Read a YAML (or JSON) file.

    Raises
    ------
    UserError
        For a file that cannot be read, that is no YAML, or that is too large with all aliases written out, and with the
        lines of both for a key that stands twice in a mapping.
    """
    check_regular(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        # JSON may be indented by tabs, which YAML refuses; within its strings there are none
        loader = yaml.SafeLoader(text.replace("\t", " ") if text.lstrip().startswith("{") else text)
        document = loader.get_single_node()
        if document is None:
            return None
        # before values are made of it, as YAML's merge keys copy what they name
        if _count_values(document, {}) > MOST_VALUES:
            raise UserError(f"{path}: its aliases stand for more than {MOST_VALUES:,} values; write out what is meant")
        if repeated := _find_repeated_keys(document):
            what = "keys that stand twice, of which only the last would count"
            raise UserError(f"{path}: {what}:{listing(repeated)}\njoin what belongs together, and remove the rest")
        return loader.construct_document(document)
    except RecursionError:
        raise UserError(f"{path}: is nested too deeply; write it with fewer levels") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: is not valid YAML: {error}") from error


def _count_values(node: yaml.Node, known: dict[yaml.Node, float]) -> float:
    """Return how many values a node holds, each alias counted as what it stands for; one within itself is infinite."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if node not in known:
        known[node] = float("inf")
        pairs = isinstance(node, yaml.MappingNode)
        children = [each for pair in node.value for each in pair] if pairs else node.value
        known[node] = 1 + sum(_count_values(child, known) for child in children)
    return known[node]


def _find_repeated_keys(document: yaml.Node) -> list[str]:
    """Return each key that stands twice in a mapping, with the lines of both.

    Keys are compared by their text, as names are: 5 and "5" are the same.
    """
    repeated: list[tuple[int, str]] = []
    waiting, seen = [document], set()
    while waiting:
        node = waiting.pop()
        if node in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(node)
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
            continue
        lines: dict[str, int] = {}
        for key, value in node.value:
            waiting += [key, value]
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                repeated.append((line, f"{key.value!r} in line {lines[key.value]} and in line {line}"))
            lines.setdefault(key.value, line)
    return [text for _, text in sorted(repeated)]
