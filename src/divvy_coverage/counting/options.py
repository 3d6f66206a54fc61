"""What is counted, as options of a command line."""

import argparse
from typing import Any

from divvy_coverage.counting.compiled.constants import UNITS
from divvy_coverage.counting.definition import FLAG_BITS, Counting
from divvy_coverage.counting.presets import AUTO, PRESETS

SETTINGS = tuple(Counting.__dataclass_fields__)  # each with the option of its name


def add_counting_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting; what is not given is that of the assay's preset."""
    add = parser.add_argument
    add("--assay", choices=PRESETS, default="atac", help="whose preset holds for what is not set (%(default)s)")
    unit_help = "what one count is (%(default)s: the preset's, by whether the alignments are paired-end)"
    add("--unit", choices=(AUTO, *UNITS), default=AUTO, help=unit_help)
    add("--exclude-flags", type=parse_flags, metavar="FLAGS", help="SAM flags to exclude (preset)")
    add("--require-flags", type=parse_flags, metavar="FLAGS", help="SAM flags to require (none)")
    add("--min-mapq", type=int, help="minimum mapping quality (preset)")
    add("--exclude-contigs", nargs="*", metavar="CONTIG", help="contigs to exclude (mitochondria and plastids)")
    length_help = "minimum and maximum length of fragments, bp (0 2000)"
    add("--fragment-length", type=int, nargs=2, metavar=("MIN", "MAX"), help=length_help)
    add("--extend", type=int, metavar="BP", help="length to extend single-end reads to, from their 5' end (none)")
    add("--shift", type=int, nargs=2, metavar=("FORWARD", "REVERSE"), help="shift of insertions by strand, bp (preset)")


def parse_flags(text: str) -> int:
    """Parse SAM flags: decimal, or hexadecimal with 0x."""
    flags = int(text, 0)
    if not 0 <= flags <= FLAG_BITS:
        raise argparse.ArgumentTypeError(f"expected SAM flags, 0 to {FLAG_BITS} (0x{FLAG_BITS:X}), found {text}")
    return flags


def get_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given, None for those that were not."""
    return {name: getattr(args, name) for name in SETTINGS}
