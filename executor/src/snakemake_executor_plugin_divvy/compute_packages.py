"""A divvy compute package: find it, check it, and render submission scripts with it.

looper's divvy does the rendering; this module makes it strict, because divvy itself passes over unknown packages,
missing files and variables without a value.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_executor_plugin_divvy.yaml_files import find_repeated_keys, read_texts

PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Z][A-Z0-9_]*)\}")  # {MEM}, but not the shell's ${MEM}
DIRECTIVE = re.compile(r"\s*#(SBATCH|\$|BSUB|PBS)\s")
# what a value may contain: where the scheduler reads it, anything but quotes, braces and line breaks; where the shell
# reads it, only what the shell leaves alone
SAFE_IN_DIRECTIVE = re.compile(r"[^'\"\\{}`$\x00-\x1f\x7f]*")
SAFE_IN_SHELL = re.compile(r"[\w@%+=:,./ -]*")
CHANGED_BY = {'"': re.compile(r'["$`\\]'), "'": re.compile("'")}  # quotes, and what they do not keep as it is
LOGFILE_IN_DIRECTIVE = "LOGFILE_IN_DIRECTIVE"  # LOGFILE as the scheduler reads it; stands for it in directives
# variables that are not named after a resource
OWN = ("CODE", "JOBNAME", "LOGFILE", LOGFILE_IN_DIRECTIVE, "CORES", "MEM", "TIME")


class ComputeError(ValueError):
    """The divvy configuration, or a value for its template, cannot be used; the message says what to do."""


@dataclass
class ComputePackage:
    """A compute package of a divvy configuration."""

    name: str
    config: Path
    template: Path
    submission_command: str
    text: str = field(repr=False)
    settings: Mapping[str, str] = field(repr=False)  # of the package itself, by upper-case names

    def check(self, variables: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Check `variables` (upper-case names) against the template, without writing anything.

        Return the variables that are not set and whose directives are omitted, and those that the template does not
        use. ComputeError if a variable that has to be set is not, or if a value could break out of its place.
        """
        values = self._add_defaults(variables)
        kept = self._select_lines(values)
        missing = sorted({name for line in kept for name in PLACEHOLDER.findall(line) if name not in values})
        if missing:
            raise ComputeError(
                f"the template {self.template} needs {', '.join(missing)}: set a resource of that name "
                f"(--set-resources RULE:{missing[0].lower()}=VALUE), or a value in the compute package {self.name!r}"
            )
        _check_values({k: v for k, v in variables.items() if k != "CODE"}, kept)
        _check_code(variables.get("CODE", ""), kept)
        directives = [line for line in self.text.splitlines() if DIRECTIVE.match(line)]
        unset = {name for line in directives for name in _list_missing(line, values)}
        return sorted(unset), sorted(set(variables) - set(PLACEHOLDER.findall(self.text)) - set(OWN))

    def render(self, variables: Mapping[str, str], path: Path) -> str:
        """Render the template with `variables`, write the script to `path` and return it; ComputeError as `check`.

        Lines of scheduler directives with a variable that is empty or not set are omitted.
        """
        from looper.utils import write_submit_script  # takes half a second, and only the controller needs it

        self.check(variables)
        values = self._add_defaults(variables)
        kept = "".join(self._select_lines(values))
        used = {name: values[name] for name in PLACEHOLDER.findall(kept)}
        code = {"CODE": used.pop("CODE", "")}  # last, for divvy would fill a {MEM} within it too
        write_submit_script(str(path), kept, used | code)
        return path.read_text()

    def _add_defaults(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return variables with the compute package's own settings as defaults."""
        return {**self.settings, **variables}

    def _select_lines(self, values: Mapping[str, str]) -> list[str]:
        lines = self.text.splitlines(keepends=True)
        if LOGFILE_IN_DIRECTIVE in values:
            own = f"{{{LOGFILE_IN_DIRECTIVE}}}"
            lines = [line.replace("{LOGFILE}", own) if DIRECTIVE.match(line) else line for line in lines]
        return [line for line in lines if not (DIRECTIVE.match(line) and _list_missing(line, values))]


def load_package(config: str | None, name: str, folder: Path = Path()) -> ComputePackage:
    """Load a compute package from a divvy configuration; ComputeError says what is wrong, and the choices.

    A relative path of the configuration starts in `folder`, by default the current one.
    """
    path = find_config(config, folder)
    if repeated := find_repeated_keys(path):
        raise ComputeError(repeated)
    from looper.divvy import ComputingConfiguration  # takes seconds, and only the controller needs it

    try:
        # from_yaml_file would lock the file, which writes beside it: not where it may only be read
        divvy = ComputingConfiguration(read_texts(path.read_text(encoding="utf-8-sig")))
        divvy.filepath = str(path)  # relative templates start in its folder
        packages = divvy["compute_packages"]
    except OSError as error:
        raise ComputeError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever yacman meets in a file that is not a divvy configuration
        raise ComputeError(f"{path}: not a divvy configuration: {type(error).__name__}: {error}") from error
    if not isinstance(packages, Mapping) or not packages:
        raise ComputeError(f"{path}: expected a section compute_packages with at least one package")
    if name not in packages:
        raise ComputeError(f"no compute package {name!r} in {path}; it has: {', '.join(sorted(map(str, packages)))}")
    settings = packages[name]
    for key in ("submission_template", "submission_command"):
        if not isinstance(settings, Mapping) or not settings.get(key):
            raise ComputeError(f"{path}: the compute package {name!r} has no {key}")
    divvy.clean_start(name)  # activate_package would keep settings of the previous package
    template = Path(divvy.compute["submission_template"])
    try:
        text = template.read_text()
    except OSError as error:
        raise ComputeError(
            f"{path}: the submission template of the compute package {name!r} cannot be read: {template}: "
            f"{error.strerror}; relative paths are relative to the configuration's folder"
        ) from error
    defaults = {str(key).upper(): "" if value is None else str(value) for key, value in divvy.compute.items()}
    return ComputePackage(name, path, template, str(settings["submission_command"]).strip(), text, defaults)


def find_config(given: str | None, folder: Path = Path()) -> Path:
    """Return the divvy configuration: the given one, that of $DIVCFG, or the one that comes with looper.

    Relative paths start in `folder`, by default the current one.
    """
    source, value = ("--divvy-config", given) if given else ("DIVCFG", os.environ.get("DIVCFG"))
    if not value:
        from looper.const import DEFAULT_CONFIG_FILEPATH

        return Path(DEFAULT_CONFIG_FILEPATH)
    path = (folder / Path(os.path.expandvars(value)).expanduser()).absolute()
    if not path.is_file():
        meant = "" if str(path) == value else f" ({path})"
        raise ComputeError(
            f"{source}={value}: no such file{meant}; expected a divvy configuration (`divvy init` makes one)"
        )
    return path


def _list_missing(line: str, values: Mapping[str, str]) -> list[str]:
    return [name for name in PLACEHOLDER.findall(line) if not values.get(name)]


def _check_code(code: str, lines: list[str]) -> None:
    """Refuse a command that would be another one between the quotes that a template puts around it."""
    for line in lines:
        for place in re.finditer(r"\{CODE\}", line):
            quote = _find_open_quote(line[: place.start()])
            if quote and (found := CHANGED_BY[quote].search(code)):
                raise ComputeError(
                    f"the command of a job, {code}, has {found.group()} in it, which is not kept between the quotes of "
                    f"this line of the template: {line.strip()!r}; work in a folder with a plain path, or write "
                    "{CODE} without quotes"
                )


def _find_open_quote(text: str) -> str:
    """Return the quote that is open at the end of a text of the shell; "" if none is."""
    quote, escaped = "", False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif character == quote:
            quote = ""
        elif character in CHANGED_BY and not quote:
            quote = character
    return quote


def _check_values(variables: Mapping[str, str], lines: list[str]) -> None:
    for line in lines:
        safe = SAFE_IN_DIRECTIVE if DIRECTIVE.match(line) else SAFE_IN_SHELL
        for name in PLACEHOLDER.findall(line):
            if not safe.fullmatch(variables.get(name, "")):
                source = "path of the scheduler's log" if name.startswith("LOGFILE") else f"resource {name.lower()}"
                raise ComputeError(
                    f"the {source} is {variables[name]!r}, which is not safe in this line of the template: "
                    f"{line.strip().replace(LOGFILE_IN_DIRECTIVE, 'LOGFILE')!r}; use letters, digits and "
                    ". _ - + = : , / @ %"
                )
