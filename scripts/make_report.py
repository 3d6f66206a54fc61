"""Make the report of a run: a page, pictures for papers, and content for MultiQC."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from divvy_coverage.command_line import run
from divvy_coverage.files import check_outputs
from divvy_coverage.report.data import read_run
from divvy_coverage.report.multiqc import write_content
from divvy_coverage.report.page import write_page
from divvy_coverage.report.pictures import write_pictures


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: read the files of a run, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--results", type=Path, required=True, help="folder with the results of a run")
    add("--region-sets", nargs="+", required=True, help="names of the region sets")
    add("--label", default="label", help="attribute of the sheet with the labels of samples (default: %(default)s)")
    add("--out", type=Path, required=True, help="page to write (.html)")
    add("--pictures", type=Path, required=True, help="folder for <region set>.{frip,correlation,pca}.{svg,png}")
    add("--multiqc", type=Path, required=True, help="folder for MultiQC's custom content")
    args = parser.parse_args(argv)
    check_outputs(args.out, args.pictures / "any", args.multiqc / "any")
    report = read_run(args.results, args.region_sets, args.label)
    write_pictures(report, args.pictures)
    write_content(report, args.multiqc)
    write_page(report, args.out)


if __name__ == "__main__":
    sys.exit(run(main))
