"""The commands of divvy-coverage, run as `python -m divvy_coverage COMMAND`."""

import ast
import runpy
import sys

from divvy_coverage import __version__
from divvy_coverage.errors import UserError
from divvy_coverage.installation import find_folder, find_script


def describe_commands() -> str:
    """Return the commands, each with the first sentence of what it does."""
    lines = []
    for path in sorted(find_folder("scripts").glob("*.py")):
        about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        lines.append(f"  {path.stem:<20} {about}")
    return "\n".join(lines)


def main() -> int:
    """Run the command with the remaining arguments."""
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in ("-h", "--help"):
        print("usage: python -m divvy_coverage COMMAND [options]\n\nCommands (COMMAND --help lists their options):")
        print(describe_commands())
        return 0
    if command == "--version":
        print(f"divvy-coverage {__version__}")
        return 0
    try:
        script = find_script(command)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sys.argv = [str(script), *sys.argv[2:]]
    runpy.run_path(str(script), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
