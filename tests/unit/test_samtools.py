"""CRAM and SAM files give the numbers of the BAM file they were made of, or an error that says what is wrong."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pysam
import pytest

from divvy_coverage.alignments.bgzf import read_blocks
from divvy_coverage.alignments.samtools import VIEW, read_as_bam
from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import Counting
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions

CONTIGS = {"chr1": 5000, "chr2": 3000}
STARTS = [0, 8, 40, 700]
REGIONS = Regions.from_names(["chr1", "chr1", "chr2"], np.array([0, 27, 700]), np.array([5, 28, 710]))
COUNTS = [1, 1, 1]
HEADER = "".join(f"@SQ\tSN:{name}\tLN:{length}\n" for name, length in CONTIGS.items())


def count(path: Path, reference: Path | None = None) -> list[int]:
    return count_alignments(path, REGIONS, Counting("reads"), reference=reference)[0].tolist()


def refuse(path: Path, message: str, reference: Path | None = None) -> None:
    with pytest.raises(UserError) as error:
        count(path, reference)
    assert str(error.value) == f"{path}: {message}"


def sam_line(contig: str = "chr1", start: int = 9, mate: str = "*") -> str:
    return f"r\t0\t{contig}\t{start}\t60\t20M\t{mate}\t0\t0\t{'ACGTA' * 4}\t{'I' * 20}\n"


def write_genome(path: Path, *contigs: str) -> Path:
    random = np.random.default_rng(1)
    path.write_text("".join(f">{name}\n{''.join(random.choice(list('ACGT'), CONTIGS[name]))}\n" for name in contigs))
    return path


def find_children() -> list[int]:
    """Return the ids of the processes that make BAM for this one and are still there."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended meanwhile
            if any(VIEW in word for word in child.cmdline()):
                found.append(child.pid)
    return found


@pytest.fixture
def sam(tmp_path: Path) -> Path:
    """A SAM file, of 4 alignments on each contig."""
    path = tmp_path / "x.sam"
    path.write_text(HEADER + "".join(sam_line(name, start + 1) for name in CONTIGS for start in STARTS))
    return path


@pytest.fixture
def long_sam(tmp_path: Path) -> Path:
    """A SAM file of more than a pipe holds."""
    path = tmp_path / "long.sam"
    path.write_text(HEADER + "".join(sam_line(start=1 + i // 100) for i in range(100_000)))
    return path


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is wrong with a file, neither a process nor a temporary file stays."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    yield
    assert not find_children()
    assert not any((tmp_path / "temporary").iterdir())


def test_some_cram_files_need_their_reference(sam: Path, tmp_path: Path) -> None:
    """htslib asks for it where alignments of several contigs share a slice; then any with these contigs will do."""
    genome, cram = write_genome(tmp_path / "genome.fa", *CONTIGS), tmp_path / "x.cram"
    options = ["--output-fmt-option", "multi_seq_per_slice=1", "--reference", str(genome)]
    pysam.view("-C", *options, "-o", str(cram), str(sam), catch_stdout=False)
    moved = genome.rename(tmp_path / "moved.fa")
    expected = "expected the reference genome that it was made with, found {}; give its FASTA file as `reference`"
    refuse(cram, expected.format("none"))
    other = write_genome(tmp_path / "other.fa", "chr2")
    refuse(cram, expected.format(f"{other}, which lacks contigs of it"), other)
    assert count(cram, moved) == COUNTS


@pytest.mark.parametrize("line", [sam_line("chr3"), sam_line(mate="chr3"), sam_line("chr3") * 1000])
def test_a_contig_that_the_header_lacks_is_an_error(sam: Path, line: str) -> None:
    """To htslib these alignments are unmapped, which would leave them out in silence."""
    assert count(sam) == COUNTS
    with sam.open("a") as file:
        file.write(line)
    refuse(sam, "has alignments on chr3, which its header lacks; make it again with a complete header")


@pytest.mark.parametrize(
    "line",
    [
        sam_line().replace("20M", "20Q"),
        sam_line(start=-9),
        sam_line().replace("r\t0", "r\tx"),
        "r\t0\tchr1\t9\n",
        "r\n",
    ],
)
def test_a_malformed_line_is_named(sam: Path, line: str) -> None:
    with sam.open("a") as file:
        file.write(line + sam_line() * 100)
    with pytest.raises(UserError, match=r"x\.sam: expected CRAM or SAM, found damage \((.*; )?Parse error at line 11;"):
        count(sam)


@pytest.mark.parametrize("name", ["-x.sam", "x##idx##y.sam", "s3:x.sam", "x y'\".sam", "--output=x"])
def test_a_name_is_only_a_name(sam: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sam.parent)
    assert count(sam.rename(Path(name))) == COUNTS
    assert sorted(path.name for path in Path().iterdir()) == sorted([name, "temporary"])


def kill_while_reading(path: Path) -> None:
    with read_as_bam(path) as content:
        content.read(1)
        (child,) = find_children()
        os.kill(child, signal.SIGKILL)
        list(read_blocks(content, path))


def test_a_process_that_dies(long_sam: Path) -> None:
    with pytest.raises(UserError) as error:
        kill_while_reading(long_sam)
    assert str(error.value) == (
        f"{long_sam}: reading it was ended by SIGKILL; if memory was short, ask for more, otherwise copy or make it "
        "again"
    )


def leave(content: bytes) -> None:
    """Read no further."""


def fail(content: bytes) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("use", [leave, fail])
def test_a_process_ends_with_its_reader(long_sam: Path, use: Callable[[bytes], None]) -> None:
    try:
        with read_as_bam(long_sam) as content:
            use(content.read(1))
    except KeyboardInterrupt:
        assert use is fail
    assert not find_children()
