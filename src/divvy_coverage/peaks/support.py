"""The table of support: which samples have peaks in which regions of a consensus.

Regions are its rows. It has one column per sample: 1 if the sample has an interval in the region, else 0. The last
column, `support`, is the fraction of samples that have one.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from divvy_coverage.files import replacing
from divvy_coverage.intervals.regions import ROW_NAMES, SUPPORT
from divvy_coverage.peaks.consensus import Consensus

CELLS = 1 << 26  # of the table that are in memory twice while it is written


def write_support(consensus: Consensus, path: Path) -> None:
    """Write the table of support as Parquet, some rows at a time; pandas reads `region` as the index."""
    regions, samples = consensus.regions.names(), consensus.samples
    empty = pd.DataFrame({name: np.zeros(0, np.uint8) for name in samples} | {SUPPORT: np.zeros(0)})
    metadata = pa.Schema.from_pandas(empty.set_index(pd.Index([], str, name=ROW_NAMES))).metadata
    columns = [(ROW_NAMES, pa.string()), *((name, pa.uint8()) for name in samples), (SUPPORT, pa.float64())]
    schema = pa.schema(columns, metadata=metadata)
    rows = max(1, CELLS // len(samples))
    with replacing(path) as temporary, pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for first in range(0, len(regions), rows):
            block = np.ascontiguousarray(consensus.support[first : first + rows].T)
            fraction = block.sum(axis=0) / len(samples)
            arrays = [regions[first : first + rows], *block, fraction]
            writer.write_batch(pa.record_batch([pa.array(array) for array in arrays], schema=schema))
