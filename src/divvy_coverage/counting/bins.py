"""What is counted, by bins of the genome: in memory, and as a file of each sample."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from divvy_coverage import __version__
from divvy_coverage.arrays import Integers, add_padded
from divvy_coverage.errors import UserError
from divvy_coverage.files import replacing

Counts = NDArray[np.int32]

ROWS = 1 << 20  # bins of a batch in the file
METADATA = b"divvy_coverage"  # key


@dataclass
class Bins:
    """Where the spans of what is counted start and end, in bins of `size` bp.

    Bin b of a contig is [b × size, (b + 1) × size). A span overlaps all bins from that of its first base to that of its
    last. From both, the counts of bins that are any multiple as wide follow.

    Attributes
    ----------
    size
        Width of a bin (bp).
    lengths
        Lengths of the contigs (bp). Of a text file, which does not know them, how far what is counted reaches.
    starts, ends
        Of each contig with alignments, how many spans start in each bin, and how many end in it (int32).
    """

    size: int
    lengths: dict[str, int]
    starts: dict[str, Counts] = field(default_factory=dict)
    ends: dict[str, Counts] = field(default_factory=dict)

    def add(self, other: "Bins") -> None:
        """Add those of another file of the same sample."""
        for ours, theirs in ((self.starts, other.starts), (self.ends, other.ends)):
            for contig, more in theirs.items():
                ours[contig] = add_padded(ours[contig], more) if contig in ours else more
        for contig, length in other.lengths.items():
            self.lengths[contig] = max(length, self.lengths.get(contig, 0))

    def compute_counts(self, contig: str, size: int) -> Integers:
        """Return how many spans overlap each bin of `size` bp, a multiple of ours, of a contig (int64)."""
        if size % self.size:
            raise ValueError(f"expected a multiple of {self.size} bp, found {size}")
        bins = -(-self.lengths[contig] // size)
        if contig not in self.starts:
            return np.zeros(bins, np.int64)
        starts, ends = (_sum_by(array, size // self.size, bins) for array in (self.starts[contig], self.ends[contig]))
        counts = np.cumsum(starts)
        counts[1:] -= np.cumsum(ends)[:-1]
        return counts


def write_bins(path: Path, bins: Bins, description: Mapping[str, Any]) -> None:
    """Write bins as an Arrow file, in which the contigs follow each other, those without alignments left out.

    Its columns are `starts` and `ends`, in the smallest of uint8, uint16 and int32 that holds all numbers. The metadata
    of its schema are JSON: the size of the bins, contigs with lengths (bp) and how many bins each has in the file, and
    the description.
    """
    import pyarrow as pa

    largest = max((int(array.max()) for array in [*bins.starts.values(), *bins.ends.values()] if array.size), default=0)
    number = np.dtype(np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.int32)
    contigs = [[name, length, len(bins.starts.get(name, ()))] for name, length in bins.lengths.items()]
    metadata = {"version": __version__, "size": bins.size, "contigs": contigs, **description}
    column = pa.from_numpy_dtype(number)
    schema = pa.schema([("starts", column), ("ends", column)], {METADATA: json.dumps(metadata)})
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1), use_threads=False)
    with replacing(path) as temporary, pa.ipc.new_file(temporary, schema, options=options) as file:
        for arrays in _join_contigs(bins, number):
            file.write_batch(pa.record_batch([pa.array(array) for array in arrays], schema))


def read_bins(path: Path) -> tuple[Bins, dict[str, Any]]:
    """Read what `write_bins` wrote: bins, and the description. Raises UserError for any other file."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
            metadata = json.loads(file.schema.metadata[METADATA])
            table = file.read_all()
    except (OSError, KeyError, TypeError, ValueError) as error:  # pyarrow's own errors are ValueErrors
        raise UserError(f"{path}: not a file of bins: {error}; remove it and run again") from error
    bins = Bins(metadata.pop("size"), {name: length for name, length, _ in metadata["contigs"]})
    columns = [table[name].to_numpy() for name in ("starts", "ends")]
    first = 0
    for name, _, number in metadata.pop("contigs"):
        if number:
            bins.starts[name], bins.ends[name] = (column[first : first + number] for column in columns)
            first += number
    return bins, metadata


def _join_contigs(bins: Bins, number: np.dtype[Any]) -> Iterator[list[NDArray[Any]]]:
    """Yield starts and ends of all contigs as numbers of a type, of many small contigs at once."""
    names = [name for name in bins.lengths if name in bins.starts]
    waiting: list[str] = []
    rows = 0
    for name in names:
        waiting.append(name)
        rows += len(bins.starts[name])
        if rows >= ROWS or name == names[-1]:
            parts = [[array[each].astype(number) for each in waiting] for array in (bins.starts, bins.ends)]
            yield [part[0] if len(part) == 1 else np.concatenate(part) for part in parts]
            waiting, rows = [], 0


def _sum_by(array: Counts, factor: int, bins: int) -> Integers:
    """Return the sums of each `factor` values in turn, filled up with zeros to `bins` of them."""
    filled = np.zeros(bins * factor, np.int64)
    filled[: len(array)] = array
    total: Integers = filled.reshape(bins, factor).sum(axis=1)
    return total
