"""Compare measure_coverage.py with the tools of the field on one file: CPU, wall time, memory, and whether the counts agree.

Each tool counts the primary alignments (-F 0x904) in every region, as reads or, as ours does by default, as fragments.
The commands run in turn, several times; the table shows medians, and the ratios of CPU time within each round to ours
and to the floor, inflating the file with libdeflate and its checksums in C. Tools that are not installed are skipped.
"""

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
OURS = f"{shlex.quote(sys.executable)} {shlex.quote(str(HERE.parent / 'scripts' / 'measure_coverage.py'))}"
SAMPLE = f"{OURS} --bam reads.bam --regions regions.bed"
COUNT = f"{SAMPLE} --unit reads --exclude-flags 0x904 --min-mapq 0 --exclude-contigs"
NGS_TOOLKIT = """
import pysam
bam = pysam.AlignmentFile("reads.bam")
rows = (line.split() for line in open("regions.bed"))
with open("ngs_toolkit.out", "w") as out:
    for contig, start, end in rows:
        print(bam.count(contig, int(start), int(end), read_callback=lambda r: not r.flag & 0x904), file=out)
"""
READS, FRAGMENTS = "measure_coverage.py, reads", "measure_coverage.py, fragments"
Counts = Callable[[Path], list[int] | None]


@dataclass
class Contender:
    """A command, and how to read the counts that it writes."""

    name: str
    command: str
    counts: Counts
    program: str = "sh"
    runs: list[tuple[float, float, float]] = field(default_factory=list)  # CPU s, wall s, peak MiB


def column(file: str, number: int, skip: int = 0) -> Counts:
    """Return a reader of counts in a column of a table."""
    return lambda folder: [int(line.split("\t")[number]) for line in (folder / file).read_text().splitlines()[skip:]]


def contenders() -> list[Contender]:
    """Return the tools; the floor and ours come first."""
    reads = "featureCounts -p -F SAF -a regions.saf -O --primary"
    fragments = (
        "featureCounts -p --countReadPairs -B -P -d 0 -D 2000 -F SAF -a regions.saf -O -Q 30 --primary --ignoreDup"
    )
    nothing: Counts = lambda folder: None  # noqa: E731
    two = f"{OURS} --bam tiny.bam --out 5.npy --stats 5.json --regions"
    more_sets = f"{SAMPLE} regions.2.bed regions.3.bed --out 4.npy 4.2.npy 4.3.npy --stats 4.json"
    return [
        Contender("inflate (C, libdeflate, CRC)", "./inflate reads.bam", nothing, "./inflate"),
        Contender(READS, f"{COUNT} --out 1.bed --stats 1.json", column("1.bed", 3)),
        Contender(f"{READS}, --threads 2", f"{COUNT} --threads 2 --out 2.bed --stats 2.json", column("2.bed", 3)),
        Contender(FRAGMENTS, f"{SAMPLE} --out 3.bed --stats 3.json", column("3.bed", 3)),
        Contender(
            f"{FRAGMENTS}, three region sets, own peaks, start sites, 50-bp bins",
            f"{more_sets} --peaks peaks.bed --tss tss.bed --bins 4.arrow",
            nothing,
        ),
        Contender("measure_coverage.py, two reads, one region", f"{two} one.bed", nothing),
        Contender("measure_coverage.py, two reads, 300,000 regions as jobs have them", f"{two} many.npz", nothing),
        Contender("measure_coverage.py, two reads, 300,000 regions as BED", f"{two} many.bed", nothing),
        Contender("samtools view -c (a total only)", "samtools view -c -F 0x904 reads.bam", nothing, "samtools"),
        Contender(
            "featureCounts -T1, reads", f"{reads} -T 1 -o f1.txt reads.bam", column("f1.txt", 6, 2), "featureCounts"
        ),
        Contender(
            "featureCounts -T2, reads", f"{reads} -T 2 -o f2.txt reads.bam", column("f2.txt", 6, 2), "featureCounts"
        ),
        Contender(
            "featureCounts -T1, fragments",
            f"{fragments} -T 1 -o f3.txt reads.bam",
            column("f3.txt", 6, 2),
            "featureCounts",
        ),
        Contender(
            "bedtools coverage -sorted, reads",
            "bedtools coverage -sorted -counts -g genome.txt -a regions.bed -b reads.bam > coverage.bed",
            column("coverage.bed", 3),
            "bedtools",
        ),
        Contender(
            "bedtools multicov, reads",
            "bedtools multicov -D -bams reads.bam -bed regions.bed > multicov.bed",
            column("multicov.bed", 3),
            "bedtools",
        ),
        Contender(
            "ngs_toolkit's way (pysam, one region at a time), reads",
            f"{shlex.quote(sys.executable)} -c {shlex.quote(NGS_TOOLKIT)}",
            column("ngs_toolkit.out", 0),
        ),
    ]


def measure(contender: Contender, folder: Path) -> None:
    """Run a command once and keep its CPU and wall time and its peak memory."""
    start = time.perf_counter()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(["bash", "-c", f"exec {contender.command}"], cwd=folder, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{contender.name} failed; see {folder / 'log.txt'}")
    contender.runs.append((usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024))


def agreement(contender: Contender, folder: Path) -> str:
    """Say how many regions have our count of the same."""
    counts = contender.counts(folder)
    if counts is None:
        return "–"
    expected = column("3.bed" if "fragments" in contender.name else "1.bed", 3)(folder) or []
    same = int(np.count_nonzero(np.array(counts) == np.array(expected)))
    return "all" if same == len(expected) == len(counts) else f"{same} of {len(expected)}"


def table(results: Sequence[Contender], folder: Path) -> str:
    """Return the results as a Markdown table."""
    by_name = {contender.name: contender for contender in results}
    ours, floor = by_name[READS], by_name.get("inflate (C, libdeflate, CRC)")
    lines = [
        "| tool | CPU s | wall s | peak MiB | CPU / ours | CPU / floor | equal counts |",
        "|---|---|---|---|---|---|---|",
    ]
    for contender in results:
        cpu, wall, memory = (statistics.median(values) for values in zip(*contender.runs, strict=True))
        ratios = [
            f"{statistics.median(a[0] / b[0] for a, b in zip(contender.runs, other.runs, strict=True)):.2f}"
            if other
            else "–"
            for other in (ours, floor)
        ]
        equal = agreement(contender, folder)
        lines.append(
            f"| {contender.name} | {cpu:.2f} | {wall:.2f} | {memory:.0f} | {ratios[0]} | {ratios[1]} | {equal} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: make the inputs if they are missing, run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench"), help="for inputs and outputs (%(default)s)")
    parser.add_argument("--reads", type=int, default=20_000_000)
    parser.add_argument("--regions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    folder = args.folder / f"{args.reads}-{args.regions}"
    if not (folder / "reads.bam").exists():
        inputs = ["--out", str(folder), "--reads", str(args.reads), "--regions", str(args.regions)]
        subprocess.run([sys.executable, str(HERE / "make_inputs.py"), *inputs], check=True)
    compile_floor = ["cc", "-O3", str(HERE / "inflate.c"), "-o", str(folder / "inflate"), "-ldeflate"]
    subprocess.run(compile_floor, check=False, stderr=subprocess.DEVNULL) if shutil.which("cc") else None
    there = [c for c in contenders() if shutil.which(c.program) or (folder / c.program).exists()]
    print(
        f"skipped, not installed: {[c.name for c in contenders() if c.name not in [t.name for t in there]]}",
        file=sys.stderr,
    )
    for number in range(args.rounds + 1):  # the first round fills caches, and is not counted
        for contender in there:
            measure(contender, folder)
            print(f"round {number}: {contender.name}: {contender.runs[-1][0]:.2f} CPU s", file=sys.stderr)
    for contender in there:
        del contender.runs[0]
    print(table(there, folder))


if __name__ == "__main__":
    main()
