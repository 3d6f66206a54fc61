"""Measure how time and memory grow with the samples, the regions and the reads.

Each command runs as a whole process: CPU seconds (of its children too), wall time, and the peak memory of its largest
process. Those that take seconds run three times, of which the table has the medians. Results are saved one by one, and
those that are there are not measured again: remove results.json to start anew. Inputs are simulated, the same every
time: counts of samples are negative binomial, with different depths and many zeros; beyond 1,000 samples they are
other names (hard links) of the first 1,000, and the largest number of reads is several names of one file. The page
cache then has less to hold than it would have of as many files.
"""

import argparse
import json
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench import HERE, NGS_TOOLKIT, OURS, Contender, measure

from divvy_coverage.counting.evidence import checksum, read_evidence, write_evidence
from divvy_coverage.files import replacing
from divvy_coverage.intervals.regions import read_regions

PYTHON = shlex.quote(sys.executable)
SUMMARIZE, COMPARE, COLLECT = (
    f"{PYTHON} {shlex.quote(str(HERE.parent / 'scripts' / name))}"
    for name in ("summarize_coverage.py", "compare_samples.py", "collect_coverage.py")
)
DISTINCT = 1000  # samples with counts of their own
ROUNDS = 3
ENOUGH = 15  # seconds of wall time after which a command is not run again
FORMATS = ("csv.gz", "parquet", "h5ad", "mtx.gz")
FORMATS_OF_SAMPLES = {"raw": FORMATS, "norm": FORMATS}
FORMATS_OF_REGIONS = {"raw": FORMATS[:2], "norm": FORMATS[:2]}
MANY = 10_000  # samples from which on fewer are measured: CSV and Matrix Market of so many floats take minutes
FORMATS_OF_MANY = {"raw": FORMATS, "norm": FORMATS[1:3]}
# what ATACSeqAnalysis.collect_coverage does of https://github.com/afrendeiro/toolkit, by default and with fast_and_unsafe
COLLECT_COVERAGE = """
import sys
import pandas as pd
way, samples = sys.argv[1:]
names = open(samples).read().split()[1:]
region = ["chrom", "start", "end"]
tables = [pd.read_csv(f"bed/{name}.bed", sep="\\t", header=None, names=[*region, name]) for name in names]
if way == "fast_and_unsafe":
    wide = pd.concat(tables, axis=1).dropna().sort_index()
    matrix = wide.loc[:, ~wide.columns.duplicated()].set_index(region).astype(int)
else:
    long = pd.concat(tables).melt(region)
    matrix = long.pivot_table("value", region, "variable", fill_value=0).astype(int)
parts = matrix.index.to_frame().astype(str)
matrix.index = parts.chrom + ":" + parts.start + "-" + parts.end
matrix.to_csv("collect_coverage.csv")
"""


@dataclass(frozen=True)
class Sizes:
    """What is measured. collect_coverage has sizes of its own, of which the largest take 3.5 GB."""

    samples: tuple[int, ...]  # of `samples_regions` regions
    samples_regions: int
    regions: tuple[int, ...]  # of `regions_samples` samples
    regions_samples: int
    reads: tuple[int, ...]  # over `reads_regions` regions; the last has several files of the size before
    reads_regions: int
    peer_samples: dict[str, tuple[int, ...]]  # by way of collect_coverage
    peer_regions: dict[str, tuple[int, ...]]


FULL = Sizes(
    samples=(10, 100, 1000, 10_000),
    samples_regions=300_000,
    regions=(10_000, 100_000, 1_000_000),
    regions_samples=100,
    reads=(1_000_000, 10_000_000, 100_000_000),
    reads_regions=100_000,
    peer_samples={"default": (2, 5, 10), "fast_and_unsafe": (10, 100)},
    peer_regions={"default": (1000, 3000), "fast_and_unsafe": (10_000, 100_000)},
)
QUICK = Sizes(
    samples=(10, 20),
    samples_regions=1000,
    regions=(1000, 10_000),
    regions_samples=10,
    reads=(100_000, 200_000),
    reads_regions=1000,
    peer_samples={"default": (2,), "fast_and_unsafe": (10,)},
    peer_regions={"default": (1000,), "fast_and_unsafe": (1000,)},
)


@dataclass(frozen=True)
class Task:
    """A command to measure in a folder, and an output that is checked and then removed."""

    question: str  # what grows
    name: str  # of the line in table and picture
    size: int
    command: str
    folder: Path
    inputs: Callable[[], None]  # makes those that are missing
    output: str = ""
    check: Callable[[], None] = lambda: None

    @property
    def key(self) -> str:
        """Return the name of its result."""
        return f"{self.question}: {self.name}: {self.size}"


def tasks(sizes: Sizes, folder: Path) -> Iterator[Task]:
    """Yield everything that is measured."""
    regions, question = sizes.samples_regions, f"samples × {sizes.samples_regions:,} regions"
    for size in sizes.samples:
        formats = FORMATS_OF_MANY if size >= MANY else FORMATS_OF_SAMPLES
        yield from our_tasks(question, size, folder / f"regions-{regions}", regions, size, formats)
    for way, of_way in sizes.peer_samples.items():
        for size in of_way:
            yield peer_task(question, size, folder / f"regions-{regions}", regions, size, way)
    samples, question = sizes.regions_samples, f"regions × {sizes.regions_samples:,} samples"
    for size in sizes.regions:
        yield from our_tasks(question, size, folder / f"regions-{size}", size, samples, FORMATS_OF_REGIONS)
    for way, of_way in sizes.peer_regions.items():
        for size in of_way:
            yield peer_task(question, size, folder / f"regions-{size}", size, samples, way)
    for size in sizes.reads:
        yield from reads_tasks(size, min(size, sizes.reads[-2]), sizes.reads_regions, folder)


def our_tasks(
    question: str, size: int, folder: Path, regions: int, samples: int, formats: Mapping[str, Sequence[str]]
) -> Iterator[Task]:
    """Yield summarize_coverage.py, whose tables the others read, compare_samples.py, and collect_coverage.py."""
    task = partial(Task, question, size=size, folder=folder, inputs=partial(make_cohort, folder, regions, samples))
    tables = f"--stats {samples}.stats.tsv --region-stats {samples}.region_stats.tsv.gz"
    inputs = f"--samples {samples}.tsv --regions regions.bed --coverage coverage {tables}"
    others = f"--pca {samples}.pca.tsv --correlation {samples}.correlation.tsv --summary {samples}.summary.json"
    yield task("summarize", command=f"{SUMMARIZE} {inputs}")
    stats = inputs.partition(" --region-stats")[0]
    yield task("compare", command=f"{COMPARE} {stats} {others}")
    for kind, suffixes in formats.items():
        for suffix in suffixes:
            out = f"{samples}.matrix_{kind}.{suffix}"
            options = f"--kind {kind} --normalization log2cpm --out {out}"
            yield task(f"collect {kind} {suffix}", command=f"{COLLECT} {inputs} {options}", output=out)


def peer_task(question: str, size: int, folder: Path, regions: int, samples: int, way: str) -> Task:
    """Return collecting the same counts as ngs_toolkit does."""
    return Task(
        question,
        f"ngs_toolkit {way}",
        size,
        f"{PYTHON} -c {shlex.quote(COLLECT_COVERAGE)} {way} {samples}.tsv",
        folder,
        partial(make_cohort, folder, regions, samples, beds=True),
        "collect_coverage.csv",
        partial(in_process, check_collected, folder, samples),
    )


def reads_tasks(size: int, each: int, regions: int, folder: Path) -> Iterator[Task]:
    """Yield the ways of counting `size` reads, in files of `each` reads."""
    where, floor = folder / f"reads-{each}", folder / "inflate"
    question, inputs = f"reads in {regions:,} regions", partial(make_reads, where, each, regions, size)
    task = partial(Task, question, size=size, folder=where, inputs=inputs)
    files = " ".join(f"{number}.bam" for number in range(size // each))
    options = (
        "--regions regions.bed --unit reads --exclude-flags 0x904 --min-mapq 0 --out counts.npy --stats counts.json"
    )
    yield task("measure_coverage.py", command=f"{OURS} --bam {files} {options}")
    programs = {"samtools view -c": "samtools view -c -F 0x904", "inflate (C)": shlex.quote(str(floor))}
    if not shutil.which("samtools"):
        del programs["samtools view -c"]
    if not compiled(floor):
        del programs["inflate (C)"]
    for name, program in programs.items():
        loop = f"for bam in {files}; do {program} $bam || exit; done"
        yield task(name, command=f"bash -c {shlex.quote(loop)}")
    if size == each:
        yield task("ngs_toolkit default", command=f"{PYTHON} -c {shlex.quote(NGS_TOOLKIT)}", output="ngs_toolkit.out")


def in_process(function: Callable[..., None], *arguments: Any) -> None:
    """Call a function in a process of its own: the peak memory of this one is counted with every command's."""
    with ProcessPoolExecutor(1) as pool:
        pool.submit(function, *arguments).result()


def sample_name(number: int) -> str:
    """Return the name of a sample."""
    return f"sample_{number:05d}"


def make_cohort(folder: Path, regions: int, samples: int, beds: bool = False) -> None:
    """Make regions, counts and evidence, a table of samples and, if asked for, BED files with counts."""
    if not (folder / "evidence.json").exists():
        make_inputs(folder, 10_000, regions)
        in_process(remove_duplicates, folder / "regions.bed")
        options = "--bam reads.bam --regions regions.bed --out reads.npy --stats evidence.json"
        subprocess.run(f"{OURS} {options}", shell=True, cwd=folder, check=True)
    for name in ("coverage", "bed"):
        (folder / name).mkdir(exist_ok=True)
    distinct = range(min(samples, DISTINCT))
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write_counts, folder), distinct))
        list(pool.map(partial(write_bed, folder), distinct if beds else ()))
    for number in range(DISTINCT, samples):
        link(folder / "coverage" / sample_name(number % DISTINCT), sample_name(number))
    names = "".join(f"{sample_name(number)}\n" for number in range(samples))
    (folder / f"{samples}.tsv").write_text(f"sample_name\n{names}")


def remove_duplicates(bed: Path) -> None:
    """Write regions again, each once."""
    bed.write_bytes(read_regions(bed).bed())


def write_counts(folder: Path, number: int) -> None:
    """Write a sample's counts, of which the mean over samples is about 5, and what measure_coverage.py would say of them."""
    sample = folder / "coverage" / sample_name(number)
    if (sample / "evidence.json").exists():
        return
    sample.mkdir(exist_ok=True)
    evidence = read_evidence(folder / "evidence.json")
    means = np.random.default_rng(0).lognormal(0.5, 1.5, evidence.region_sets["regions"].regions)
    rng = np.random.default_rng(number + 1)
    mean, size = means * rng.lognormal(0, 0.4), 5
    counts = rng.negative_binomial(size, size / (size + mean)).astype(np.int32)
    total = int(counts.sum())
    np.save(sample / "regions.npy", counts)
    evidence.tally["usable"], evidence.tally["alignments"] = 2 * total, 3 * total
    found = replace(evidence.region_sets["regions"], in_regions=total, sum=total, counts_sha256=checksum(counts))
    write_evidence(replace(evidence, region_sets={"regions": found}), sample / "evidence.json")


def write_bed(folder: Path, number: int) -> None:
    """Write a sample's counts as ngs_toolkit's jobs do."""
    path = folder / "bed" / f"{sample_name(number)}.bed"
    if not path.exists():
        counts = np.load(folder / "coverage" / sample_name(number) / "regions.npy").tolist()
        lines = (folder / "regions.bed").read_text().splitlines()
        with replacing(path) as temporary:
            temporary.write_text("".join(f"{line}\t{count}\n" for line, count in zip(lines, counts, strict=True)))


def check_collected(folder: Path, samples: int) -> None:
    """Check that collect_coverage found the counts that collect_coverage.py would write."""
    import pandas as pd

    found = pd.read_csv(folder / "collect_coverage.csv", index_col=0).loc[read_regions(folder / "regions.bed").names()]
    for name in map(sample_name, range(samples)):
        if not np.array_equal(found[name], np.load(folder / "coverage" / name / "regions.npy")):
            raise SystemExit(f"{folder}: {name}: collect_coverage has other counts")


def make_reads(folder: Path, each: int, regions: int, reads: int) -> None:
    """Make a file of `each` reads, and as many copies of it as `reads` need."""
    if not (folder / "reads.bam").exists():
        make_inputs(folder, each, regions)
    for number in range(reads // each):
        if not (folder / f"{number}.bam").exists():
            shutil.copyfile(folder / "reads.bam", folder / f"{number}.bam")


def compiled(floor: Path) -> bool:
    """Compile the program that does nothing but inflate a file; whether that is possible."""
    command = ["cc", "-O3", str(HERE / "inflate.c"), "-o", str(floor), "-ldeflate"]
    if shutil.which("cc") and not floor.exists():
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
    return floor.exists()


def make_inputs(folder: Path, reads: int, regions: int) -> None:
    """Simulate regions and reads."""
    options = ["--out", str(folder), "--reads", str(reads), "--regions", str(regions)]
    subprocess.run([sys.executable, str(HERE / "make_inputs.py"), *options], check=True)


def link(path: Path, name: str) -> None:
    """Give a file or a folder another name beside it."""
    if not (path.parent / name).exists():
        (path.parent / name).symlink_to(path.name)


def run(task: Task, rounds: int) -> dict[str, Any]:
    """Make the inputs of a task, run its command and return what it took."""
    task.inputs()
    contender = Contender(task.name, task.command, lambda folder: None)
    while len(contender.runs) < rounds and sum(wall for _, wall, _ in contender.runs) < ENOUGH:
        measure(contender, task.folder)
    task.check()
    if task.output:
        (task.folder / task.output).unlink()
    cpu, wall, memory = (round(statistics.median(values), 3) for values in zip(*contender.runs, strict=True))
    what = {"question": task.question, "name": task.name, "size": task.size}
    return what | {"cpu": cpu, "wall": wall, "mib": memory, "runs": len(contender.runs)}


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: measure what has not been measured yet, print the tables and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench/scale"), help="for all files (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="small sizes, each once, in <folder>/quick")
    parser.add_argument("--draw-only", action="store_true", help="measure nothing, draw what is there")
    parser.add_argument("--picture", type=Path, help="to write, without .svg and .png (<folder>/scale)")
    args = parser.parse_args(argv)
    folder = (args.folder / "quick" if args.quick else args.folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for task in () if args.draw_only else tasks(QUICK if args.quick else FULL, folder):
        if task.key not in results:
            results[task.key] = result = run(task, 1 if args.quick else ROUNDS)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(results, indent=1) + "\n")
            print("{question}: {name}, {size:,}: {cpu:.2f} CPU s, {mib:.0f} MiB".format(**result), file=sys.stderr)
    if not results:
        raise SystemExit(f"{path}: no results to draw yet; run this without --draw-only")
    import curves  # what draws takes more memory than most commands, and this process's counts with theirs

    print(curves.tables(list(results.values())))
    curves.draw(list(results.values()), args.picture or folder / "scale")


if __name__ == "__main__":
    main()
