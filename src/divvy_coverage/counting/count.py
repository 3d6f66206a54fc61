"""Count the alignments of a sample in one pass over each of its files."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from divvy_coverage.alignments.headers import are_paired, find_kind
from divvy_coverage.alignments.text_kinds import TEXT_KINDS
from divvy_coverage.arrays import Integers
from divvy_coverage.counting.definition import MEND_MATES, MIXTURE, PAIRED_UNITS, Counting
from divvy_coverage.counting.engines.threads import Open
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.counting.presets import resolve_counting
from divvy_coverage.counting.tally import Tally
from divvy_coverage.errors import UserError
from divvy_coverage.files import identify
from divvy_coverage.intervals.contigs import find_no_contig
from divvy_coverage.intervals.regions import Regions, read_regions
from divvy_coverage.intervals.start_sites import NO_START_SITES, StartSites, read_start_sites
from divvy_coverage.progress import Progress, show_nothing

Warn = Callable[[str], None]
MATES = 100  # of so many one at least has its mate


def count_alignments(
    files: str | Path | Sequence[str | Path],
    regions: Regions | str | Path,
    counting: Counting | None = None,
    blacklist: Regions | str | Path | None = None,
    sites: StartSites | str | Path = NO_START_SITES,
    reference: str | Path | None = None,
    absent_contigs: str = "error",
    threads: int = 1,
    progress: Progress = show_nothing,
    warn: Warn = warnings.warn,
) -> tuple[Integers, Tally]:
    """Count the alignments of one sample in every region.

    No index and no order of the alignments is needed: each file is read once, from front to back.

    Parameters
    ----------
    files
        Alignment files of the sample: BAM, CRAM, SAM, fragments, BEDPE or tagAlign, told by content. Several are
        counted as one.
    regions
        n regions, or a file of them (see `read_regions`).
    counting
        What one count is, and which alignments are kept; by default what the workflow counts of ATAC-seq: fragments, or
        insertions of single-end reads, with a mapping quality of at least 30 (see `resolve_counting`).
    blacklist
        Regions, or a file of them: what overlaps one by 1 bp is not counted.
    sites
        Transcription start sites, or a file of them (BED6), for the profile of insertions around them.
    reference
        Reference genome (FASTA), for CRAM files that do not carry their own.
    absent_contigs
        What to do about regions on contigs that a header lacks: "error", or "zero" to count nothing there.
    threads
        Number of threads for a BAM file.
    progress
        Is told numbers of bytes of the files as they are done.
    warn
        Is told of regions that are duplicates, or end beyond the end of their contig.

    Returns
    -------
    counts : Integers
        Counts in the order of the regions (int64, n).
    tally : Tally
        Statistics of the alignments.

    Raises
    ------
    UserError
        For a file that is missing, given twice, not an alignment file, truncated, damaged, of another genome than the
        regions, or single-end where pairs are counted.

    Examples
    --------
    >>> counts, tally = count_alignments("sample.bam", "peaks.bed", Counting(min_mapq=30))  # doctest: +SKIP
    >>> counts.sum() / tally["usable"]  # doctest: +SKIP
    0.31
    """
    paths = [Path(file) for file in ([files] if isinstance(files, (str, Path)) else files)]
    if not isinstance(regions, Regions):
        regions = read_regions(regions, warn)
    if not isinstance(blacklist, Regions | None):
        blacklist = read_regions(blacklist)
    sites = sites if isinstance(sites, StartSites) else read_start_sites(sites)
    if counting is None:
        check_different(paths)
        counting = resolve_counting("atac", {}, are_paired(paths))
    wanted = Wanted([regions], counting, blacklist, sites, absent_contigs=absent_contigs)
    genome = None if reference is None else Path(reference)
    counted = count_sample(paths, wanted, genome, threads, progress, warn)
    return counted.counts[0], counted.tally


def count_sample(
    paths: Sequence[Path],
    wanted: Wanted,
    reference: Path | None = None,
    threads: int = 1,
    progress: Progress = show_nothing,
    warn: Warn = warnings.warn,
) -> Counted:
    """Count the alignments of one sample in all region sets, in one pass over each of its files.

    Parameters and errors are those of `count_alignments`.
    """
    if not paths:
        raise UserError("files: expected at least one alignment file, found none")
    check_different(paths)
    if reference is not None and not reference.is_file():
        raise UserError(f"{reference}: no such file; give a reference genome (FASTA)")
    counted: Counted | None = None
    for path in paths:
        try:
            found = _count_file(path, wanted, reference, max(1, threads), progress, warn)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
        if problem := find_wrong_pairing(wanted.counting, found.tally):
            raise UserError(f"{path}: {problem}")
        if counted is None:
            counted = found
            continue
        if counted.tally["alignments"] and (problem := find_mixture(counted.tally, found.tally)):
            raise UserError(f"{path}: {problem}")
        counted.add(found)
    assert counted
    for regions in wanted.region_sets:
        if problem := find_no_contig(regions.contigs, counted.tally.contigs):
            raise UserError(f"{', '.join(map(str, paths))}: {problem}")
    return counted


def find_wrong_pairing(counting: Counting, tally: Tally) -> str:
    """Say that what is counted cannot be had of single-end or of paired-end alignments; "" if it can."""
    if counting.unit in PAIRED_UNITS and tally["alignments"] and not tally["paired"]:
        return (
            f"its alignments are single-end, so there are no {counting.unit} to count; choose the unit insertions or "
            "reads, or auto"
        )
    if counting.unit in PAIRED_UNITS and tally["kept_proper"] >= MATES and not tally["fragments"]:
        return (
            f"{tally['kept_proper']} kept alignments are proper pairs by their flags, but none has its mate, on the "
            f"other strand and facing it, where RNEXT and PNEXT say, so there are no {counting.unit} to count; "
            f"{MEND_MATES}"
        )
    if counting.extend is not None and tally["paired"]:
        return "its alignments are paired-end; `extend` is for single-end reads: remove it, or count fragments"
    return ""


def find_mixture(tally: Tally, other: Tally) -> str:
    """Say that a text file of single-end alignments and one of pairs are no files of one sample; "" if they may be."""
    texts = tally.is_filtered or other.is_filtered
    if texts and other["alignments"] and bool(tally["paired"]) != bool(other["paired"]):
        return MIXTURE.format(*("paired", "single")[:: 1 if other["paired"] else -1])
    return ""


def check_different(paths: Sequence[Path]) -> None:
    """Raise UserError if files of a sample are the same one, whose alignments would count twice."""
    seen: dict[object, Path] = {}
    for path in paths:
        other = seen.setdefault(identify(path), path)
        if other is not path:
            raise UserError(f"{path}: the same file is given twice{f', as {other} too' * (other != path)}; remove one")


def _count_file(
    path: Path, wanted: Wanted, reference: Path | None, threads: int, progress: Progress, warn: Warn
) -> Counted:
    from divvy_coverage.counting.engines.bam import count_bam  # the compiled loop takes its time

    kind = find_kind(path)
    if kind in TEXT_KINDS:
        from divvy_coverage.counting.engines.text import count_text

        return count_text(path, kind, wanted, progress, warn)
    if kind == "bam":
        return count_bam(path, cast(Open, partial(path.open, "rb")), wanted, threads, progress, warn)
    from divvy_coverage.alignments.samtools import read_as_bam  # only what is not BAM needs pysam

    counted = count_bam(path, partial(read_as_bam, path, reference), wanted, 1, show_nothing, warn)
    progress(path.stat().st_size)
    return counted
