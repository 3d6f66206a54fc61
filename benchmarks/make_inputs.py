"""Make the input of the benchmark: a coordinate-sorted, indexed, paired-end BAM file, and regions. The same seed, the
same files.

Reads are 50 bp with simulated bases and qualities, names of 24 letters and two tags, so that a record takes about what
one of a real file takes; two thirds of the fragments lie in regions.
"""

import argparse
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import deflate
import numpy as np
import pysam

from divvy_coverage.alignments.bgzf import END
from divvy_coverage.files import replacing
from divvy_coverage.intervals.regions import read_regions

CONTIGS = {f"chr{i}": length for i, length in enumerate((249, 242, 198, 190, 182, 171, 159, 145, 138, 134), start=1)}
LENGTHS = np.array(list(CONTIGS.values())) * 1_000_000
READ_LENGTH = 50
BLOCK = 0xFF00
RECORD = np.dtype(
    [
        *(
            ("size", "<i4"),
            ("contig", "<i4"),
            ("position", "<i4"),
            ("name_length", "u1"),
            ("mapq", "u1"),
            ("bin", "<u2"),
        ),
        *(("operations", "<u2"), ("flag", "<u2"), ("bases", "<i4"), ("mate_contig", "<i4"), ("mate_position", "<i4")),
        *(("template", "<i4"), ("name", "S25"), ("cigar", "<u4"), ("sequence", "u1", 25), ("quality", "u1", 50)),
        *(("nm", "S3"), ("nm_value", "u1"), ("as", "S3"), ("as_value", "u1")),
    ]
)


def regions(number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return contig numbers, starts and ends (0-based half-open) of sorted regions."""
    contig = np.sort(rng.choice(len(LENGTHS), number, p=LENGTHS / LENGTHS.sum()))
    start = (rng.random(number) * (LENGTHS[contig] - 10_000)).astype(np.int64) + 1000
    order = np.lexsort((start, contig))
    return contig[order], start[order], start[order] + rng.integers(150, 1000, number)


def alignments(number: int, where: tuple[np.ndarray, ...], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the fields of both mates of number / 2 proper pairs, sorted by position."""
    pairs = number // 2
    contig, start, end = where
    region = rng.integers(0, len(contig), pairs)
    length = np.clip(rng.gamma(4, 45, pairs).astype(np.int64), READ_LENGTH, 900)
    middle = (start + end)[region] // 2 + rng.normal(0, 120, pairs).astype(np.int64)
    anywhere = rng.random(pairs) < 1 / 3
    middle[anywhere] = (rng.random(int(anywhere.sum())) * (LENGTHS[contig[region[anywhere]]] - 2000)).astype(
        np.int64
    ) + 1000
    left = np.maximum(middle - length // 2, 0)
    right = left + length - READ_LENGTH
    duplicate = np.where(rng.random(pairs) < 0.08, 0x400, 0)
    mapq = np.where(rng.random(pairs) < 0.15, rng.integers(0, 60, pairs), 60)
    fields = {
        "contig": np.tile(contig[region], 2),
        "position": np.concatenate([left, right]),
        "mate_position": np.concatenate([right, left]),
        "template": np.concatenate([length, -length]),
        "flag": np.concatenate([0x63 | duplicate, 0x93 | duplicate]),
        "mapq": np.tile(mapq, 2),
        "name": np.tile(rng.permutation(pairs), 2),
    }
    order = np.lexsort((fields["position"], fields["contig"]))
    return {name: values[order] for name, values in fields.items()}


def records(fields: dict[str, np.ndarray], rng: np.random.Generator) -> Iterator[bytes]:
    """Yield BAM records, 375 whole ones at a time, as htslib fills its blocks."""
    step = BLOCK // RECORD.itemsize
    for first in range(0, len(fields["contig"]), step):
        part = slice(first, first + step)
        number = len(fields["contig"][part])
        out = np.zeros(number, RECORD)
        for name, values in fields.items():
            if name != "name":
                out[name] = values[part]
        out["size"], out["mate_contig"], out["name_length"] = RECORD.itemsize - 4, out["contig"], 25
        out["operations"], out["bases"], out["cigar"] = 1, READ_LENGTH, READ_LENGTH << 4
        out["bin"] = 4681 + (out["position"] >> 14)
        out["name"] = [b"A00519:1043:HM2KY%07d" % i for i in fields["name"][part].tolist()]
        out["sequence"] = rng.choice(
            np.array([0x11, 0x12, 0x14, 0x18, 0x21, 0x22, 0x24, 0x28, 0x88, 0x84], np.uint8), (number, 25)
        )
        out["quality"] = rng.choice(np.array([37, 25, 11], np.uint8), (number, 50), p=[0.9, 0.07, 0.03])
        out["nm"], out["nm_value"], out["as"], out["as_value"] = b"NMC", rng.integers(0, 3, number), b"ASC", 50
        yield out.tobytes()


def block(content: bytes) -> bytes:
    """Return content as a BGZF block."""
    data = bytes(deflate.deflate_compress(content, 6))
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(data) + 25)
    return head + data + struct.pack("<II", zlib.crc32(content), len(content))


def header() -> bytes:
    """Return the header of the BAM file."""
    contigs = [(name, int(length)) for name, length in zip(CONTIGS, LENGTHS, strict=True)]
    text = "@HD\tVN:1.6\tSO:coordinate\n" + "".join(f"@SQ\tSN:{name}\tLN:{length}\n" for name, length in contigs)
    references = (
        struct.pack("<i", len(n) + 1) + n.encode() + b"\0" + struct.pack("<i", length) for n, length in contigs
    )
    return (
        b"BAM\1" + struct.pack("<i", len(text)) + text.encode() + struct.pack("<i", len(contigs)) + b"".join(references)
    )


def write_bam(path: Path, fields: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    """Write alignments."""
    with path.open("wb") as file:
        file.write(block(header()))
        for content in records(fields, rng):
            file.write(block(content))
        file.write(END)


def write_bed(path: Path, where: tuple[np.ndarray, np.ndarray, np.ndarray], more: str) -> None:
    """Write regions with more columns."""
    names = list(CONTIGS)
    rows = zip(*(values.tolist() for values in where), strict=True)
    path.write_text("".join(f"{names[c]}\t{s}\t{e}{more}\n" for c, s, e in rows))


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: write reads.bam, its index, and the regions into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--reads", type=int, default=20_000_000)
    parser.add_argument("--regions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(args.seed)
    where = regions(args.regions, rng)
    names = list(CONTIGS)
    rows = [(names[c], s, e) for c, s, e in zip(*(values.tolist() for values in where), strict=True)]
    write_bed(args.out / "regions.bed", where, "")
    others = np.random.default_rng(args.seed + 1)
    for name in ("regions.2.bed", "regions.3.bed", "peaks.bed"):
        write_bed(args.out / name, regions(args.regions, others), "")
    write_bed(args.out / "tss.bed", regions(25_000, others), "\tgene\t0\t+")
    write_bed(args.out / "one.bed", regions(1, others), "")
    write_bed(args.out / "many.bed", regions(300_000, others), "")
    (args.out / "many.npz").write_bytes(read_regions(args.out / "many.bed").npz())
    write_bam(args.out / "tiny.bam", alignments(2, where, others), others)
    saf = "".join(f"r{i}\t{c}\t{s + 1}\t{e}\t+\n" for i, (c, s, e) in enumerate(rows))
    (args.out / "regions.saf").write_text("GeneID\tChr\tStart\tEnd\tStrand\n" + saf)
    (args.out / "genome.txt").write_text("".join(f"{n}\t{length}\n" for n, length in zip(names, LENGTHS, strict=True)))
    with replacing(args.out / "reads.bam") as temporary:
        write_bam(temporary, alignments(args.reads, where, rng), rng)
        pysam.index(str(temporary), str(args.out / "reads.bam.bai"))


if __name__ == "__main__":
    main()
