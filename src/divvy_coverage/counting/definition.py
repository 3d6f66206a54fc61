"""What is counted, and which alignments are kept; config/README.md says it in words."""

from dataclasses import asdict, dataclass
from typing import Any

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.contigs import ABSENT_CONTIGS

MODES = ("reads", "fragments", "insertions")
FLAG_BITS = 0xFFF
PROPER_PAIR, UNMAPPED, REVERSE, FIRST, SECONDARY, DUPLICATE, SUPPLEMENTARY = 0x2, 0x4, 0x10, 0x40, 0x100, 0x400, 0x800
# why an alignment is not kept: the lowest flag that excludes it (in the order of SAM's flags), else another reason
REASONS = (
    *("paired", "proper_pair", "unmapped", "mate_unmapped", "reverse", "mate_reverse", "first", "second"),
    *("secondary", "qc_fail", "duplicate", "supplementary", "missing_flags", "mapping_quality", "unplaced"),
)
MISSING_FLAGS, LOW_MAPQ, UNPLACED = (REASONS.index(name) for name in ("missing_flags", "mapping_quality", "unplaced"))


@dataclass(frozen=True)
class Counting:
    """What one count is, and what an alignment has to be like to be kept.

    Parameters
    ----------
    mode
        What one count is: "reads", "fragments" or "insertions".
    exclude_flags, require_flags
        SAM flags of which a kept alignment has none, and all.
    min_mapq
        Minimum mapping quality of a kept alignment.
    shift
        How far insertions are from the 5′ end of an alignment on the forward and on the reverse strand (bp).
    absent_contigs
        What to do about regions on contigs that a header lacks: "error", or "zero" to count nothing there.

    Raises
    ------
    UserError
        For a mode, a flag or a value of `absent_contigs` that there is not.
    """

    mode: str = "reads"
    exclude_flags: int = 3844
    require_flags: int = 0
    min_mapq: int = 0
    shift: tuple[int, int] = (4, -5)
    absent_contigs: str = "error"

    def __post_init__(self) -> None:
        for name, choices in (("mode", MODES), ("absent_contigs", ABSENT_CONTIGS)):
            if getattr(self, name) not in choices:
                raise UserError(f"{name}: expected one of {', '.join(choices)}, found {getattr(self, name)!r}")
        for name in ("exclude_flags", "require_flags"):
            if not 0 <= getattr(self, name) <= FLAG_BITS:
                raise UserError(f"{name}: expected SAM flags, 0 to {FLAG_BITS}, found {getattr(self, name)}")

    def describe(self) -> dict[str, Any]:
        """Return what makes counts comparable, as JSON has it."""
        return asdict(self) | {"shift": list(self.shift)}
