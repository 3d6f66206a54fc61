"""Coverage of genomic regions by sequencing alignments: from a sample sheet to one matrix of regions × samples.

`Project` runs the whole workflow from Python; the functions are its engine, for notebooks. All are imported when they
are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from divvy_coverage.counting.count import count_alignments
    from divvy_coverage.counting.definition import Counting
    from divvy_coverage.errors import UserError
    from divvy_coverage.intervals.regions import Regions, read_regions
    from divvy_coverage.matrix.reading import read_matrix
    from divvy_coverage.peaks.consensus import build_consensus
    from divvy_coverage.project import Project

__version__ = "0.1.0"
__all__ = [
    "Counting",
    "Project",
    "Regions",
    "UserError",
    "build_consensus",
    "count_alignments",
    "read_matrix",
    "read_regions",
]
_HOMES = {
    "Counting": "counting.definition",
    "Project": "project",
    "Regions": "intervals.regions",
    "UserError": "errors",
    "build_consensus": "peaks.consensus",
    "count_alignments": "counting.count",
    "read_matrix": "matrix.reading",
    "read_regions": "intervals.regions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
