"""Where checking the inputs writes, and what it looks at."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """The folders of a run.

    Attributes
    ----------
    plan
        Where is written what the run is to be made of: samples, excluded samples, warnings, and region sets.
    results
        Where these are when the run has started, from an earlier run. It is only looked at.
    cache
        What was found in files, so that those that did not change are not read again. It may be removed.
    """

    plan: Path
    results: Path
    cache: Path
