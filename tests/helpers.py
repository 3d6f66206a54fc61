"""What the tests share: paths, real data, tiny BAM files, and runs of Snakemake."""

import contextlib
import csv
import fcntl
import importlib
import io
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pysam
import pytest
import yaml

from divvy_coverage.command_line import run
from forked_snakemake import ForkedSnakemake

CLONE = Path(__file__).resolve().parents[1]
SNAKEFILE = CLONE / "workflow" / "Snakefile"
DATA = Path(os.environ.get("DIVVY_COVERAGE_DATA", CLONE.parent / "shared" / "data")).resolve()
REQUIRED = os.environ.get("DIVVY_COVERAGE_REQUIRE", "").split()
BIN = Path(sys.executable).parent
NOTHING = "Nothing to be done"  # as Snakemake says it
FORMATS = ("csv.gz", "parquet", "h5ad", "mtx.gz")  # of matrices, all there are
MATRIX = "results/matrix/peaks.matrix_raw.csv.gz"  # of a tiny project; much faster than all that a run makes

READS = {"unit": "reads", "min_mapq": 0, "exclude_contigs": []}  # what most tests count
READS_OPTIONS = ["--unit", "reads", "--min-mapq", "0", "--exclude-contigs"]

# name, flag, contig, 0-based start, CIGAR, mapping quality
Read = tuple[str, int, str, int, str, int]


def need(available: bool, what: str, reason: str) -> None:
    """Skip the test if `what` is not there, but fail where DIVVY_COVERAGE_REQUIRE names it."""
    if not available:
        (pytest.fail if what in REQUIRED else pytest.skip)(f"{what}: {reason}")


def environment(**more: str) -> dict[str, str]:
    """An environment in which `snakemake` and `python` are those that run the tests."""
    clean = {k: v for k, v in os.environ.items() if k not in ("DIVCFG", "SNAKEMAKE_PROFILE")}
    return clean | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | more


def command(*words: str | Path, folder: Path, timeout: float = 300, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command for at most `timeout` seconds; stdout holds stderr too."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def snakemake(folder: Path, *options: str, snakefile: Path = SNAKEFILE, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in `folder`, in a process that starts from nothing if it has variables of its own."""
    words = ["--snakefile", str(snakefile), *options]
    if env:
        return command("snakemake", *words, folder=folder, **env)
    status, printed = get_forked_snakemake().run(words, folder, environment(), timeout=300)
    return subprocess.CompletedProcess(["snakemake", *words], status, printed)


@cache
def get_forked_snakemake() -> ForkedSnakemake:
    """Return the one of this process."""
    return ForkedSnakemake()


def succeed(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a command printed, which has to have succeeded."""
    assert done.returncode == 0, done.stdout
    return done.stdout


def refuse(done: subprocess.CompletedProcess[str], *essentials: str) -> str:
    """Return what a command printed, which has to have failed with a message that holds all `essentials`."""
    assert done.returncode == 1, done.stdout
    missing = [essential for essential in essentials if essential not in done.stdout]
    assert not missing, f"not said: {missing}\n{done.stdout}"
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def script(name: str, *options: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the scripts in `folder`, in this process, as starting Python takes longer than most of them."""
    printed = io.StringIO()
    words = [str(option) for option in options]
    with contextlib.chdir(folder), redirect_stdout(printed), redirect_stderr(printed):
        try:
            status = run(importlib.import_module(name.removesuffix(".py")).main, words)
        except SystemExit as end:  # of argparse
            status = int(end.code or 0)
    return subprocess.CompletedProcess([name, *words], status, printed.getvalue())


def in_r(code: str, folder: Path, *packages: str) -> str:
    """Run R code in `folder` and return what it prints; skip if R or one of the packages is not there."""
    have = [
        "Rscript",
        "-e",
        f"stopifnot({', '.join(f'nzchar(system.file(package={p!r}))' for p in packages) or 'TRUE'})",
    ]
    there = shutil.which("Rscript") and not subprocess.run(have, capture_output=True, check=False).returncode
    need(bool(there), "r", f"no Rscript, or not all of its packages {', '.join(packages)}")
    (folder / "code.R").write_text(code)
    return succeed(command("Rscript", "--vanilla", "code.R", folder=folder))


def link_profile(folder: Path) -> None:
    """Let `snakemake --profile divvy` work in `folder`."""
    (folder / "divvy").symlink_to(CLONE / "profiles" / "divvy")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first of the processes that ask for it makes, for all of them."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / name
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.with_suffix(".made").exists():
            make(folder)
            folder.with_suffix(".made").touch()
    return folder


def write_config(folder: Path, pep: str | Path, beds: Mapping[str, str | Path], **sections: Any) -> None:
    """Write config/config.yaml of a project in `folder`, which counts reads unless it says otherwise."""
    regions = {name: {"bed": str(bed)} for name, bed in beds.items()}
    config = {"assay": "atac", "pep": str(pep), "regions": regions, **sections}
    config["counting"] = READS | sections.get("counting", {})
    path = folder / "config" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config))


def write_sheet(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write a sample sheet (CSV)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def resolve_sheet(pep: Path, *options: Any, **names: str) -> list[Any]:
    """Return the samples of a PEP; UserError with all errors if there are any."""
    from divvy_coverage.errors import UserError
    from divvy_coverage.problems import list_by_kind, select_errors
    from divvy_coverage.sheets.sheet import read_sheet

    samples, problems = read_sheet(pep, *options, **names)
    if errors := select_errors(problems):
        raise UserError(f"{pep}:{list_by_kind(errors)}")
    return samples


def write_bam(
    path: Path, contigs: Mapping[str, int], reads: Sequence[Read], mode: str = "wb", mates: bool = False
) -> None:
    """Write reads, in the order given, as BAM (or SAM, with mode "w"); two that follow each other may be mates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = pysam.AlignmentHeader.from_references(list(contigs), list(contigs.values()))
    with pysam.AlignmentFile(str(path), mode, header=header) as file:
        for number, (name, flag, contig, start, cigar, mapq) in enumerate(reads):
            read = pysam.AlignedSegment(header)
            read.query_name, read.flag, read.mapping_quality = name, flag, mapq
            read.reference_id = header.get_tid(contig)
            read.reference_start = start
            read.cigarstring = cigar
            if mates:
                read.next_reference_id, read.next_reference_start = read.reference_id, reads[number ^ 1][3]
                first, second = sorted([reads[number], reads[number ^ 1]], key=lambda each: each[3])
                length = second[3] + int(second[4].removesuffix("M")) - first[3]
                read.template_length = length if read.is_forward else -length
            file.write(read)


def bgzf(content: bytes, size: int = 65_280) -> bytes:
    """Compress content into blocks of `size` bytes, wherever records end."""
    from divvy_coverage.alignments.bgzf import END  # of the scripts, which only tests can import

    blocks = b""
    for first in range(0, len(content), size):
        part = content[first : first + size]
        deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
        data = deflater.compress(part) + deflater.flush()
        blocks += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(data) + 25) + data
        blocks += struct.pack("<II", zlib.crc32(part), len(part))
    return blocks + END


def write_cohort(folder: Path, counts: np.ndarray, names: Sequence[str] = (), counted: Sequence[int] = ()) -> Any:
    """Write the coverage of samples with these counts (regions × samples) as counting does, and return the cohort.

    Regions are of 100, 110, 120 … bp; `counted` is what is usable of each sample in all (twice its counts).
    """
    from divvy_coverage.counting.definition import Counting
    from divvy_coverage.counting.evidence import Evidence, RegionSetEvidence, checksum, write_counts, write_evidence
    from divvy_coverage.counting.tally import Tally
    from divvy_coverage.matrix.cohort import read_cohort

    names = names or [f"s{number}" for number in range(counts.shape[1])]
    bed, table, coverage = folder / "r.bed", folder / "s.tsv", folder / "cov"
    coverage.mkdir(parents=True)
    bed.write_text("".join(f"chr1\t{50_000 * i}\t{50_000 * i + 100 + 10 * i}\n" for i in range(len(counts))))
    table.write_text("sample_name\n" + "".join(f"{name}\n" for name in names))
    cohort = read_cohort(table, bed, coverage)
    for column, name in enumerate(names):
        column_counts = np.ascontiguousarray(counts[:, column], np.int64)
        total = int(column_counts.sum())
        tally = Tally()
        tally["usable"] = counted[column] if len(counted) else 2 * total
        tally["alignments"] = 3 * total
        region_set = RegionSetEvidence(len(counts), cohort.regions.sha256(), total, total, checksum(column_counts))
        evidence = Evidence("code", [], Counting("reads").describe(), tally, None, {"r": region_set})
        write_counts(column_counts, coverage / name / "r.npy", cohort.regions)
        write_evidence(evidence, coverage / name / "evidence.json")
    return cohort


def tiny_project(folder: Path, samples: Sequence[str] = ("a", "b"), bam_folder: str = "bam") -> None:
    """Write a project with a read or two a sample on one contig, and two regions."""
    for number, name in enumerate(samples):
        reads = [(f"r{i}", 0, "chr1", 100 * i, "50M", 60) for i in range(number + 1)]
        write_bam(folder / bam_folder / f"{name}.bam", {"chr1": 10_000}, reads)
    write_sheet(folder / "samples.csv", [{"sample_name": s, "bam": f"{bam_folder}/{s}.bam"} for s in samples])
    (folder / "regions.bed").write_text("chr1\t0\t1000\nchr1\t120\t130\n")
    write_config(folder, "samples.csv", {"peaks": "regions.bed"})
    link_profile(folder)


def jobs(printed: str, rule: str = "measure_coverage") -> int:
    """How many jobs of a rule ran."""
    return printed.count(f"(Rule: {rule})")


def planned_jobs(printed: str, rule: str = "measure_coverage") -> int:
    """How many jobs of a rule a dry run lists."""
    return printed.count(f"rule {rule}:")


def tracked() -> list[str]:
    """Return the files that git tracks or would track."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=CLONE, capture_output=True, text=True, check=True).stdout.split("\0")
    return [name for name in found if name and (CLONE / name).exists()]


def copy_clone(folder: Path) -> Path:
    """Copy the project, as git would clone it, into `folder`."""
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CLONE / name, folder / name, follow_symlinks=False)
    compiled = "src/divvy_coverage/counting/kernel/__pycache__"  # by numba, which takes seconds
    shutil.copytree(CLONE / compiled, folder / compiled, dirs_exist_ok=True)
    return folder


def read_matrix(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Return the region names, the sample names and the values of a matrix (csv.gz)."""
    import pandas as pd

    frame = pd.read_csv(path, index_col=0)
    return list(frame.index), list(frame.columns), frame.to_numpy()
