"""Make a folder for your own project, where `snakemake --profile divvy` works as it does in the clone.

The folder gets its own configuration and sample sheet to edit; workflow and profile stay those of the clone.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from divvy_coverage.command_line import run
from divvy_coverage.counting.presets import PRESETS
from divvy_coverage.errors import OutputError, UserError
from divvy_coverage.files import explain_unwritable, replacing
from divvy_coverage.installation import find_folder

SNAKEFILE = """\
include: "divvy-coverage/Snakefile"


rule default:
    default_target: True
    input:
        rules.all.input,
"""
FOLDERS = ("workflow", "config", "config/pep")  # that a project has
SHEET = "sample_name,group,bam\n"
PROJECT_CONFIG = "pep_version: 2.1.0\nsample_table: samples.csv\n"


def get_files(assay: str) -> dict[str, str]:
    """Return the files of a new project of that assay: path in the project -> content."""
    config = (find_folder("config") / "config.yaml").read_text().replace("demo/regions.bed", "config/regions.bed")
    config = config.replace("assay: atac     ", f"assay: {assay:9}")
    return {
        "workflow/Snakefile": SNAKEFILE,
        "config/config.yaml": config,
        "config/pep/project_config.yaml": PROJECT_CONFIG,
        "config/pep/samples.csv": SHEET,
    }


def make_project(folder: Path, assay: str) -> None:
    """Write a new project into `folder`, or nothing; raises UserError instead of overwriting, and if it cannot."""
    files = get_files(assay)
    links = {"workflow/divvy-coverage": find_folder("workflow"), "divvy": find_folder("profiles") / "divvy"}
    if existing := [name for name in [*files, *links] if os.path.lexists(folder / name)]:
        raise UserError(f"{folder}: expected a new folder, found {', '.join(existing)}; choose another folder")
    folders = [each for each in (folder, *(folder / name for name in FOLDERS)) if not each.exists()]
    try:
        for name, text in files.items():
            with replacing(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
        for name, target in links.items():
            _link(folder / name, target)
    except OutputError:
        for name in (*files, *links):
            with suppress(OSError):
                (folder / name).unlink()
        for each in reversed(folders):
            with suppress(OSError):
                each.rmdir()
        raise


def _link(path: Path, target: Path) -> None:
    """Make a link; OutputError if it cannot be made."""
    try:
        path.symlink_to(target)
    except OSError as error:
        raise explain_unwritable(path, error) from error


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: make a project folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument("--assay", choices=PRESETS, required=True, help="whose defaults hold for what is counted")
    args = parser.parse_args(argv)
    make_project(args.folder.expanduser(), args.assay)
    print(
        f"Made {args.folder}. Next: list your samples in config/pep/samples.csv, save your regions as\n"
        "config/regions.bed, look through config/config.yaml, and run there: snakemake --profile divvy"
    )


if __name__ == "__main__":
    sys.exit(run(main))
