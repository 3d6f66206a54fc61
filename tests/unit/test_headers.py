"""Looking at alignment files without counting: what they are, and what is said of those that are none."""

import errno
import gzip
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pysam
import pytest

from divvy_coverage.alignments.bgzf import END, READ_SIZE
from divvy_coverage.alignments.fingerprints import compute_fingerprint
from divvy_coverage.alignments.headers import Header, are_paired, compute_digest, examine
from divvy_coverage.counting.count import count_alignments
from divvy_coverage.counting.definition import Counting
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions
from helpers import bgzf, write_bam

CONTIGS = {"chr1": 1000, "chr2": 300}
READS = [("r", 0, "chr1", 5 * i, "30M", 60) for i in range(100)]
FASTQ = b"@r1\nACGT\n+\nIIII\n" * 50
SAM = b"@SQ\tSN:chr1\tLN:1000\nr1\t0\tchr1\t100\t60\t4M\t*\t0\t0\tACGT\tIIII\n"
TAGGED = SAM.replace(b"IIII", b"IIII\tNH:i:12")
VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\n"


def header_of(contigs: dict[str, int], text: bytes = b"") -> bytes:
    """Return the header of a BAM file."""
    names = b"".join(
        struct.pack("<I", len(name) + 1) + name.encode() + b"\0" + struct.pack("<I", length)
        for name, length in contigs.items()
    )
    return b"BAM\1" + struct.pack("<I", len(text)) + text + struct.pack("<I", len(contigs)) + names


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def sound_bam() -> bytes:
    return bgzf(header_of(CONTIGS))


@pytest.mark.parametrize(("mode", "kind"), [("wb", "bam"), ("wc", "cram"), ("w", "sam")])
def test_kind_and_contigs_are_told_by_content(tmp_path: Path, mode: str, kind: str) -> None:
    path = tmp_path / "x.file"
    write_bam(path, CONTIGS, READS if mode != "wc" else [], mode)
    paired = None if kind == "cram" else False
    assert examine(path) == Header(path, kind, CONTIGS, compute_digest(CONTIGS), paired, compute_fingerprint(path))
    if kind == "sam":
        for packed in (gzip.compress(path.read_bytes()), bgzf(path.read_bytes())):
            assert examine(written(tmp_path / "x.sam.gz", packed)).kind == "sam"


def test_the_digest_is_of_names_lengths_and_order() -> None:
    digests = {
        compute_digest(contigs) for contigs in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}, {"a": 12}, {"a1": 2})
    }
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("number", "size"), [(1, 7), (195, 7), (195, 97), (195, 65_280), (30_000, 4096), (30_000, 65_280)]
)
def test_headers_may_be_larger_than_a_block(tmp_path: Path, number: int, size: int) -> None:
    contigs = {f"contig_{i}": 1000 + i for i in range(number)}
    records = b"\0" * 50 * size
    path = written(tmp_path / "x.bam", bgzf(header_of(contigs, b"@CO\t" + b"x" * 1000) + records, size))
    assert examine(path).contigs == contigs


def test_only_the_start_and_the_end_are_read(tmp_path: Path) -> None:
    content = bytearray(bgzf(header_of(CONTIGS) + np.random.default_rng(1).bytes(2 * READ_SIZE), 60_000))
    content[READ_SIZE + 1 : -len(END)] = b"?" * len(content[READ_SIZE + 1 : -len(END)])
    assert examine(written(tmp_path / "x.bam", bytes(content))).contigs == CONTIGS


def write_flags(path: Path, flags: Sequence[int], mode: str) -> Path:
    """Write alignments with these flags; CRAM without a reference genome."""
    header = pysam.AlignmentHeader.from_references(list(CONTIGS), list(CONTIGS.values()))
    options = [b"no_ref=1"] if mode == "wc" else []
    with pysam.AlignmentFile(str(path), mode, header=header, format_options=options) as file:
        for number, flag in enumerate(flags):
            read = pysam.AlignedSegment(header)
            read.query_name, read.flag, read.mapping_quality = f"r{number}", flag, 60
            read.reference_id, read.reference_start, read.cigarstring = 0, number % 900, "10M"
            read.query_sequence = "ACGTACGTAC"
            file.write(read)
    return path


@pytest.mark.parametrize("mode", ["wb", "wc", "w"])
@pytest.mark.parametrize(
    ("flags", "paired"),
    [([], None), ([0, 16, 4], False), ([99], True), ([16, 77, 0], True), ([0] * 150 + [99], True), ([0] * 5000, False)],
)
def test_whether_the_first_alignments_are_of_pairs(
    tmp_path: Path, flags: list[int], paired: bool | None, mode: str
) -> None:
    path = write_flags(tmp_path / "x.file", flags, mode)
    assert examine(path).paired is paired
    assert are_paired([path]) is paired


def test_a_sample_is_of_pairs_if_any_of_its_files_is(tmp_path: Path) -> None:
    nothing, single, pairs = (
        write_flags(tmp_path / f"{name}.bam", flags, "wb")
        for name, flags in (("nothing", []), ("single", [0]), ("pairs", [99]))
    )
    assert are_paired([nothing, nothing]) is None
    assert are_paired([nothing, single]) is False
    assert are_paired([single, nothing, pairs]) is True


@pytest.mark.parametrize("size", [97, 4096, 65_280])
def test_the_first_alignment_may_cross_blocks(tmp_path: Path, size: int) -> None:
    content = gzip.decompress(write_flags(tmp_path / "x.bam", [99] * 3, "wb").read_bytes())
    assert examine(written(tmp_path / "y.bam", bgzf(content, size))).paired is True


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "an empty file; copy or make it again"),
    "FASTQ": (lambda: FASTQ, "found FASTQ; align the reads first"),
    "FASTQ of long reads": (lambda: b"@r1\n" + b"A" * 10_000 + b"\n+\n", "found FASTQ;"),
    "FASTQ in gzip": (lambda: gzip.compress(FASTQ), "found FASTQ, compressed by gzip"),
    "FASTA": (lambda: b">chr1\nACGT\n", "found FASTA;"),
    "BED": (lambda: b"# peaks\n\nchr1\t1\t5\n", "found BED; give the path of a file with alignments"),
    "BED in bgzip": (lambda: bgzf(b"chr1\t1\t5\n"), "found BED, compressed by bgzip"),
    "VCF": (lambda: VCF, "found VCF;"),
    "VCF in bgzip": (lambda: bgzf(VCF), "found VCF, compressed by bgzip"),
    "bigWig": (lambda: struct.pack("<IH", 0x888FFC26, 4) + bytes(100), "found bigWig"),
    "bigBed, other end first": (lambda: struct.pack(">IH", 0x8789F2EB, 4) + bytes(100), "found bigBed"),
    "BAI": (lambda: b"BAI\1" + bytes(100), "found an index; give the path of the alignments"),
    "CSI": (lambda: bgzf(b"CSI\1" + bytes(100)), "found an index, compressed by bgzip"),
    "zip": (lambda: b"PK\3\4" + bytes(100), "unpack it first"),
    "web page": (lambda: b"\n<!DOCTYPE html><html>Not Found</html>", "found a web page; download it again"),
    "Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "zeros": (lambda: bytes(10_000), "found nothing but zeros; copy it again"),
    "table": (lambda: b"sample_name,bam\na,b\n", "found text that starts with 'sample_name,bam'"),
    "noise": (lambda: np.random.default_rng(1).bytes(5000), "found another kind of file"),
    "BAM in gzip": (lambda: gzip.compress(header_of(CONTIGS)), "found BAM, compressed by gzip; make it again"),
    "BAM, inflated": (lambda: header_of(CONTIGS), "found BAM, not compressed; make it again: samtools view -b"),
    "CRAM in gzip": (lambda: gzip.compress(b"CRAM\3\0" + bytes(100)), "found CRAM, compressed by gzip"),
    "damaged gzip": (lambda: b"\x1f\x8b\x08\0nothing", "found nothing that can be read, compressed by gzip"),
    "only the end": (lambda: END, "at byte 28: the file ends within the header"),
    "only some bytes": (lambda: sound_bam()[:20], "at byte 20: the end-of-file block is missing"),
    "no end": (lambda: sound_bam()[: -len(END)], "the end-of-file block is missing"),
    "cut end": (lambda: sound_bam()[:-1], "the end-of-file block is missing"),
    "more after the end": (lambda: sound_bam() + b"\n", "the end-of-file block is missing"),
    "header cut": (lambda: bgzf(header_of(CONTIGS)[:-3]), "the file ends within the header"),
    "text cut": (lambda: bgzf(b"BAM\1" + struct.pack("<I", 500) + b"@CO"), "the file ends within the header"),
    "no number": (lambda: bgzf(b"BAM\1\0\0"), "the file ends within the header"),
    "impossible text": (lambda: bgzf(b"BAM\1" + b"\xff" * 100), "at byte 0: the header claims"),
    "impossible name": (lambda: bgzf(b"BAM\1\0\0\0\0\1\0\0\0" + b"\xff" * 100), "contig name of 4294967295 bytes"),
    "contigs twice": (
        lambda: bgzf(header_of({"a": 1, "b": 2}).replace(b"b\0", b"a\0")),
        "two contigs of the same name",
    ),
    "no contigs": (lambda: bgzf(header_of({})), "its header names no contig"),
    "SAM without header": (lambda: SAM[SAM.index(b"\n") + 1 :], "its header names no contig"),
    "SAM with a bad length": (lambda: SAM.replace(b"LN:1000", b"LN:x"), "a damaged header"),
    "SAM cut within a tag": (lambda: TAGGED[:-2], "the last line has no end"),
    "SAM cut within the header": (lambda: b"@SQ\tSN:chr1\tLN:10", "the last line has no end"),
    "SAM in gzip, cut": (lambda: gzip.compress(SAM)[:-9], "found damaged gzip: Compressed file ended"),
    "SAM in gzip, cut within a line": (lambda: gzip.compress(TAGGED[:-2]), "the last line has no end"),
    "SAM without end": (lambda: bgzf(SAM)[: -len(END)], "the end-of-file block is missing"),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_refusals_say_what_was_found(
    tmp_path: Path, content: Callable[[], bytes], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "x.bam", content())
    with pytest.raises(UserError) as error:
        examine(path)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_never_counted_not_even_as_zeros(tmp_path: Path, name: str) -> None:
    path, regions = (
        written(tmp_path / "x.bam", REFUSED[name][0]()),
        Regions.from_names(["chr1"], np.array([1]), np.array([5])),
    )
    with pytest.raises(UserError) as error:
        count_alignments(path, regions, Counting("reads"), absent_contigs="zero")
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("pack", [gzip.compress, bgzf], ids=["gzip", "bgzip"])
def test_a_compressed_sam_file_that_is_cut_is_not_counted(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    regions, path = Regions.from_names(["chr1"], np.array([1]), np.array([200])), tmp_path / "x.sam.gz"
    assert count_alignments(written(path, pack(SAM)), regions, Counting("reads"))[0].tolist() == [1]
    for content in (pack(TAGGED[:-2]), pack(SAM)[:-9], pack(SAM)[:-40]):
        with pytest.raises(UserError, match=r"x\.sam\.gz: .*(truncated|damaged)"):
            count_alignments(written(path, content), regions, Counting("reads"))


def test_damage_in_the_header_is_told_with_its_place(tmp_path: Path) -> None:
    content = bytearray(sound_bam())
    content[25] ^= 0x55
    with pytest.raises(UserError, match=r"at byte 0: the content of a block .* copy or make it again"):
        examine(written(tmp_path / "x.bam", bytes(content)))


def test_a_cram_file_without_its_end(tmp_path: Path) -> None:
    write_bam(tmp_path / "x.cram", CONTIGS, [], "wc")
    whole = (tmp_path / "x.cram").read_bytes()
    (tmp_path / "x.cram").write_bytes(whole[:-38])
    with pytest.raises(UserError, match=r"x\.cram: the end-of-file container is missing"):
        examine(tmp_path / "x.cram")


def test_a_cram_file_counts_without_its_reference(tmp_path: Path) -> None:
    """Most files need it for sequences only, and they are not read: a missing one used to be told as truncation."""
    genome = tmp_path / "genome.fa"
    genome.write_text(">chr1\n" + "ACGT" * 250 + "\n>chr2\n" + "ACGT" * 75 + "\n")
    header = pysam.AlignmentHeader.from_references(list(CONTIGS), list(CONTIGS.values()))
    with pysam.AlignmentFile(str(tmp_path / "x.cram"), "wc", header=header, reference_filename=str(genome)) as file:
        for start in (0, 8, 40):
            read = pysam.AlignedSegment(header)
            read.query_name, read.reference_id, read.reference_start = "r", 0, start
            read.query_sequence, read.cigarstring, read.mapping_quality = ("ACGT" * 5), "20M", 60
            file.write(read)
    genome.unlink()
    genome.with_name("genome.fa.fai").unlink(missing_ok=True)
    assert examine(tmp_path / "x.cram").contigs == CONTIGS
    regions = Regions.from_names(["chr1", "chr1"], np.array([0, 27]), np.array([5, 28]))
    assert count_alignments(tmp_path / "x.cram", regions, Counting("reads"))[0].tolist() == [1, 1]


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    for name, said in {"": "found a folder", "pipe": "found a pipe", "gone.bam": "No such file"}.items():
        with pytest.raises(UserError, match=said):
            examine(tmp_path / name)


def test_what_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "x.bam", sound_bam())
    monkeypatch.setattr(Path, "open", Mock(side_effect=PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        examine(tmp_path / "x.bam")


def test_looking_at_bam_files_needs_no_large_library() -> None:
    code = "import sys; from divvy_coverage.alignments import headers; print([name for name in ('numpy', 'numba', 'pysam', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
