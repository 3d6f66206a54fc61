"""The files of a simulated project."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pysam

from divvy_coverage.demo.simulation import GROUPS, Fragments, Genome, simulate_fragments, simulate_genome, to_alignments
from divvy_coverage.errors import UserError
from divvy_coverage.files import explain_unwritable, replacing

PROJECT_CONFIG = """\
pep_version: 2.1.0
sample_table: samples.csv
sample_modifiers:
  derive:
    attributes: [bam, peaks]
    sources:
      bam: bam/{sample_name}.bam
      peaks: peaks/{sample_name}.narrowPeak
"""
CONFIG = """\
assay: atac
pep: project_config.yaml
regions:
  peak_set:
    bed: regions.bed
"""
RECORD = "simulation.json"  # what a complete project was simulated from
MIN_FRAGMENTS = 5  # of a peak


def write_project(
    folder: Path, n_samples: int, n_regions: int, n_reads: int, seed: int, sample_input_files: bool = True
) -> None:
    """Write the whole project into `folder`, unless it is there already.

    Raises UserError for invalid numbers, and for a folder that holds another project.
    """
    if n_samples < 1 or n_regions < 10 or n_reads < 2 or seed < 0:
        raise UserError(
            "a demo project needs at least 1 sample, 10 regions and 2 reads, and a seed that is not negative; found "
            f"{n_samples} samples, {n_regions} regions, {n_reads} reads and the seed {seed}"
        )
    options = [n_samples, n_regions, n_reads, seed, sample_input_files]
    if is_complete(folder, options):
        return
    rng = np.random.default_rng(seed)
    genome = simulate_genome(n_regions, rng)
    groups = sorted(i % len(GROUPS) for i in range(n_samples))
    names = [f"{GROUPS[group]}_{i - groups.index(group) + 1}" for i, group in enumerate(groups)]
    if sample_input_files:
        write = partial(write_sample, genome=genome, n_fragments=n_reads // 2, seed=seed, folder=folder)
        with ProcessPoolExecutor() as pool:
            list(pool.map(write, range(n_samples), names, groups))
    for name, text in format_tables(genome, names, groups).items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text)
    with replacing(folder / RECORD) as temporary:  # last: with it the project is complete
        temporary.write_text(json.dumps(options) + "\n")


def is_complete(folder: Path, options: list[int | bool]) -> bool:
    """Tell whether the folder holds the project with these options; UserError if it holds another one."""
    record = folder / RECORD
    if not record.is_file():
        return False
    found = json.loads(record.read_text())
    if found != options:
        names = ("samples", "regions", "reads", "seed", "sample_input_files")
        described = ", ".join(f"{name}={value}" for name, value in zip(names, found, strict=True))
        raise UserError(f"{folder}: holds a demo project with other options ({described}); choose another folder")
    return True


def format_tables(genome: Genome, names: list[str], groups: list[int]) -> dict[str, str]:
    """Return the files that all samples share: name -> content."""
    contigs = list(genome.contigs)
    rows = list(zip(genome.region_contigs.tolist(), genome.starts.tolist(), genome.ends.tolist(), strict=True))
    truth = "".join(
        f"{contigs[c]}:{start}-{end}\t{change:g}\n"
        for (c, start, end), change in zip(rows, genome.log2_fold_change.tolist(), strict=True)
    )
    sheet = "".join(f"{name},{GROUPS[group]},bam,peaks\n" for name, group in zip(names, groups, strict=True))
    return {
        "regions.bed": "".join(f"{contigs[c]}\t{start}\t{end}\n" for c, start, end in rows),
        "truth.tsv": "region\tlog2_fold_change\n" + truth,
        "samples.csv": "sample_name,group,bam,peaks\n" + sheet,
        "project_config.yaml": PROJECT_CONFIG,
        "config.yaml": CONFIG,
    }


def write_sample(number: int, name: str, group: int, genome: Genome, n_fragments: int, seed: int, folder: Path) -> None:
    """Write bam/<name>.bam with its index, and peaks/<name>.narrowPeak."""
    rng = np.random.default_rng([seed, number])
    fragments = simulate_fragments(genome, group, n_fragments, rng)
    header = pysam.AlignmentHeader.from_references(list(genome.contigs), list(genome.contigs.values()))
    bam = folder / "bam" / f"{name}.bam"
    with replacing(bam) as temporary:
        _write_bam(bam, temporary, header, to_alignments(fragments, header, rng))
    with replacing(folder / "peaks" / f"{name}.narrowPeak") as temporary:
        temporary.write_text("".join(call_peaks(genome, fragments, name)))


def _write_bam(
    path: Path, temporary: Path, header: pysam.AlignmentHeader, alignments: Sequence[pysam.AlignedSegment]
) -> None:
    """Write alignments to a temporary file and their index next to `path`. Raises OutputError if that fails."""
    verbosity = pysam.set_verbosity(0)  # htslib would say it, too, and less
    try:
        with pysam.AlignmentFile(str(temporary), "wb", header=header) as file:
            for alignment in alignments:
                file.write(alignment)
        with replacing(path.with_name(f"{path.name}.bai")) as index:
            pysam.index("-o", str(index), str(temporary))
    except (OSError, pysam.SamtoolsError) as error:
        raise explain_unwritable(path, error) from error
    finally:
        pysam.set_verbosity(verbosity)


def call_peaks(genome: Genome, fragments: Fragments, name: str) -> list[str]:
    """Return narrowPeak lines: the regions with clearly more fragments than the background."""
    lines = []
    contigs = list(genome.contigs)
    for i, contig in enumerate(genome.region_contigs.tolist()):
        here = fragments.starts[fragments.contigs == contig]
        start, end = int(genome.starts[i]), int(genome.ends[i])
        inside = here[slice(*np.searchsorted(here, [start, end]))]
        if len(inside) >= MIN_FRAGMENTS:
            summit = int(np.median(inside)) - start
            lines.append(
                f"{contigs[contig]}\t{start}\t{end}\t{name}_{i}\t{len(inside)}\t.\t{len(inside)}\t-1\t-1\t{summit}\n"
            )
    return lines
