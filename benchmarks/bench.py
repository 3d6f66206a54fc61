"""Compare measure_coverage.py with the tools of the field on one file: CPU, wall time, memory, and whether the counts agree.

Each tool counts the primary alignments (-F 0x904) in every region. The commands run in turn, several times; the table
shows medians, and the ratios of CPU time within each round to ours and to the floor, inflating the file with libdeflate
and its checksums in C. Tools that are not installed are skipped.
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
COUNT = f"{OURS} --bam reads.bam --regions regions.bed --exclude-flags 0x904"
NGS_TOOLKIT = """
import pysam
bam = pysam.AlignmentFile("reads.bam")
rows = (line.split() for line in open("regions.bed"))
with open("ngs_toolkit.out", "w") as out:
    for contig, start, end in rows:
        print(bam.count(contig, int(start), int(end), read_callback=lambda r: not r.flag & 0x904), file=out)
"""
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
    feature_counts = "featureCounts -p -F SAF -a regions.saf -O --primary"
    nothing: Counts = lambda folder: None  # noqa: E731
    return [
        Contender("inflate (C, libdeflate, CRC)", "./inflate reads.bam", nothing, "./inflate"),
        Contender("measure_coverage.py", f"{COUNT} --out 1.bed --stats 1.json", column("1.bed", 3)),
        Contender(
            "measure_coverage.py --threads 2", f"{COUNT} --threads 2 --out 2.bed --stats 2.json", column("2.bed", 3)
        ),
        Contender("samtools view -c (a total only)", "samtools view -c -F 0x904 reads.bam", nothing, "samtools"),
        Contender(
            "featureCounts -T1", f"{feature_counts} -T 1 -o f1.txt reads.bam", column("f1.txt", 6, 2), "featureCounts"
        ),
        Contender(
            "featureCounts -T2", f"{feature_counts} -T 2 -o f2.txt reads.bam", column("f2.txt", 6, 2), "featureCounts"
        ),
        Contender(
            "bedtools coverage -sorted",
            "bedtools coverage -sorted -counts -g genome.txt -a regions.bed -b reads.bam > coverage.bed",
            column("coverage.bed", 3),
            "bedtools",
        ),
        Contender(
            "bedtools multicov",
            "bedtools multicov -D -bams reads.bam -bed regions.bed > multicov.bed",
            column("multicov.bed", 3),
            "bedtools",
        ),
        Contender(
            "ngs_toolkit's way (pysam, one region at a time)",
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


def agreement(contender: Contender, expected: list[int], folder: Path) -> str:
    """Say how many regions have our count."""
    counts = contender.counts(folder)
    if counts is None:
        return "–"
    same = int(np.count_nonzero(np.array(counts) == np.array(expected)))
    return "all" if same == len(expected) == len(counts) else f"{same} of {len(expected)}"


def table(results: Sequence[Contender], folder: Path) -> str:
    """Return the results as a Markdown table."""
    by_name = {contender.name: contender for contender in results}
    ours, floor = by_name["measure_coverage.py"], by_name.get("inflate (C, libdeflate, CRC)")
    expected = ours.counts(folder) or []
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
        equal = agreement(contender, expected, folder)
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
