"""What is counted, and which alignments are kept; config/README.md says it in words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from divvy_coverage.counting.compiled.constants import (
    FIRST,
    MISSING_FLAGS,
    PAIRED,
    PROPER_PAIR,
    REASONS,
    SECOND,
    SECONDARY,
    SUPPLEMENTARY,
    UNITS,
    UNMAPPED,
)
from divvy_coverage.errors import UserError

PAIRED_UNITS = ("fragments", "paired_insertions")  # that are made of both mates
INSERTION_UNITS = ("paired_insertions", "insertions")
FLAG_BITS = 0xFFF
LARGEST_MAPQ = 255
# the usual names of the genomes of mitochondria and plastids
MITOCHONDRIA = ("chrM", "chrMT", "M", "MT", "mitochondrion", "mitochondrion_genome", "Mito", "chrMito")
PLASTIDS = ("chrC", "Pt", "chrPt", "chloroplast", "ChrC", "chrPltd")
# of text files
NO_READS = (
    "a file of fragments has only their ends, so there are no reads to count; choose the unit fragments, "
    "paired_insertions or insertions, or auto"
)
MIXTURE = (
    "its alignments are {}-end, but those of another file of the sample are {}-end; give files of a sample that are "
    "all of pairs, or all single-end"
)
MEND_MATES = (
    "make the file again with both mates, or mend it (samtools sort -n, samtools fixmate, samtools sort), or choose "
    "the unit insertions or reads"
)
ORGANELLES = (*MITOCHONDRIA, "ChrM", "Mt", *PLASTIDS)


@dataclass(frozen=True)
class Counting:
    """What one count is, and what an alignment has to be like to be kept.

    Parameters
    ----------
    unit
        What one count is: "fragments", "paired_insertions", "insertions" or "reads".
    exclude_flags, require_flags
        SAM flags of which a kept alignment has none, and all.
    min_mapq
        Minimum mapping quality of a kept alignment.
    exclude_contigs
        Names of contigs whose alignments are not kept.
    fragment_length
        Minimum and maximum length of a counted fragment (bp), for units of pairs; None for any.
    extend
        Length to which single-end reads are extended from their 5′ end (bp), for unit "reads"; None for as they are.
    shift
        How far insertions are from the 5′ end on the forward and on the reverse strand (bp).

    Raises
    ------
    UserError
        For a value that there is not, one that does not apply to the unit, and for flags of which it is known
        beforehand that no alignment is counted.
    """

    unit: str = "fragments"
    exclude_flags: int = 3844
    require_flags: int = 0
    min_mapq: int = 0
    exclude_contigs: tuple[str, ...] = ()
    fragment_length: tuple[int, int] | None = None
    extend: int | None = None
    shift: tuple[int, int] = (4, -5)

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Self:
        """Return what is counted by its fields as YAML and JSON have them, with lists for tuples.

        Raises UserError as the class does, and for a name that is no field.
        """
        if unknown := [name for name in values if name not in cls.__dataclass_fields__]:
            names = ", ".join(cls.__dataclass_fields__)
            raise UserError(f"{unknown[0]}: no setting of what is counted; expected one of {names}")
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**fields)

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UserError(f"unit: expected one of {', '.join(UNITS)}, found {self.unit!r}")
        for name in ("exclude_flags", "require_flags"):
            if not 0 <= getattr(self, name) <= FLAG_BITS:
                raise UserError(f"{name}: expected SAM flags, 0 to {FLAG_BITS}, found {getattr(self, name)}")
        if not 0 <= self.min_mapq <= LARGEST_MAPQ:
            raise UserError(f"min_mapq: expected a mapping quality, 0 to {LARGEST_MAPQ}, found {self.min_mapq}")
        self._check_lengths()
        self._check_flags()

    def _check_lengths(self) -> None:
        if self.fragment_length is not None:
            if self.unit not in PAIRED_UNITS:
                raise UserError(
                    f"fragment_length: applies to the units {' and '.join(PAIRED_UNITS)}, not to {self.unit}, which are"
                    " counted without their mates; remove it, or choose one of these units"
                )
            minimum, maximum = self.fragment_length
            if not 0 <= minimum <= maximum:
                raise UserError(f"fragment_length: expected 0 <= minimum <= maximum, found {minimum} and {maximum}")
        if self.extend is not None:
            if self.unit != "reads":
                raise UserError(
                    f"extend: applies to the unit reads, not to {self.unit}; remove it, or choose the unit reads"
                )
            if self.extend < 1:
                raise UserError(f"extend: expected a length of at least 1 bp, found {self.extend}")

    def _check_flags(self) -> None:
        if both := self.require_flags & self.exclude_flags:
            raise UserError(
                f"require_flags: {self.require_flags} has flags ({both}: {_name_flags(both)}) that exclude_flags, "
                f"{self.exclude_flags}, excludes, so nothing would be counted; remove them from one of the two"
            )
        if self.unit not in PAIRED_UNITS:
            return
        if needed := self.exclude_flags & (PAIRED | PROPER_PAIR | FIRST | SECOND):
            raise UserError(
                f"exclude_flags: {self.exclude_flags} excludes {_name_flags(needed)} ({needed}), which mates of "
                f"{self.unit} are, so nothing would be counted; remove it, or choose another unit"
            )
        if impossible := self.require_flags & (FIRST | SECOND | UNMAPPED | SECONDARY | SUPPLEMENTARY):
            raise UserError(
                f"require_flags: {self.require_flags} requires {_name_flags(impossible)} ({impossible}), which both "
                f"mates of {self.unit} never are, so nothing would be counted; remove it, or choose another unit"
            )

    def describe(self, with_profile: bool = False) -> dict[str, Any]:
        """Return what makes counts comparable, as JSON has it, without a shift that nothing is shifted by.

        Besides the units of insertions, this is the profile around start sites, if there is one.
        """
        described = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        if self.unit not in INSERTION_UNITS and not with_profile:
            del described["shift"]
        return described


def _name_flags(flags: int) -> str:
    return ", ".join(name for bit, name in enumerate(REASONS[:MISSING_FLAGS]) if flags >> bit & 1)
