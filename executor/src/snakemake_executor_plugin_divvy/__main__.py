"""Command line of the plugin: `python -m snakemake_executor_plugin_divvy sites` finds its site templates."""

import argparse
from collections.abc import Sequence
from pathlib import Path

SITES = Path(__file__).resolve().parent / "sites"


def print_sites(arguments: argparse.Namespace) -> int:
    """Print the path of the folder with compute packages to copy."""
    print(SITES)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; a command is a function that returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m snakemake_executor_plugin_divvy",
        description="Help with setting up Snakemake's divvy executor. To run a workflow: snakemake --executor divvy",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    sites = commands.add_parser(
        "sites",
        help="print the path of a folder with compute packages to copy",
        description="Print the path of a folder with a divvy configuration and its templates for Slurm, Grid Engine, "
        "LSF, PBS, Torque and one machine. Copy the folder and keep what fits your site.",
    )
    sites.set_defaults(run=print_sites)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = build_parser().parse_args(argv)
    status: int = arguments.run(arguments)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
