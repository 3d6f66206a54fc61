"""What readers of YAML files do and say nothing of: they take one of two equal keys, and make numbers of text."""

import io
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import yaml


def find_repeated_keys(path: Path) -> str:
    """Return which keys stand twice in a mapping of a file, with the lines of both; "" if none does.

    Files that cannot be read are left to whoever needs them.
    """
    try:
        document = yaml.compose(path.read_text(encoding="utf-8-sig"), yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return ""
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
            if not isinstance(key, yaml.ScalarNode) or key.value.startswith("?"):  # a condition in a profile
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                repeated.append((line, f"{key.value!r} (lines {lines[key.value]} and {line})"))
            lines.setdefault(key.value, line)
    if not repeated:
        return ""
    found = ", ".join(text for _, text in sorted(repeated))
    return f"{path}: keys that stand twice, of which only the last would count: {found}; join what belongs together"


class _TextLoader(yaml.SafeLoader):
    """Reads values as the text that stands in the file: `time: 10:00` is not 600, and `comment: no` is not False."""


KEPT = {"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"}
_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in KEPT]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_texts(text: str) -> Any:
    """Return what a YAML document holds, with its values as the texts that stand there; YAMLError if it is none."""
    return yaml.load(text, _TextLoader)


def find_profiles() -> list[Path]:
    """Return the files of the profiles that this Snakemake was called with; none if it was called from Python."""
    from snakemake.cli import parse_args

    try:
        with redirect_stderr(io.StringIO()):  # it says once more which profiles are used
            parser, _ = parse_args(sys.argv[1:])
    except (Exception, SystemExit):  # the command line of another program
        return []
    return [Path(str(file)) for file in getattr(parser, "_default_config_files", ())]
