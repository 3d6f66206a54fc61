"""Real and simulated libraries, and what other programs make of them."""

import itertools
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pysam

import random_files

SCATE = ["GSM1596840", "GSM1596874", "GSM1596881", "GSM1596942", "SRR1779959", "SRR1779973", "SRR1780018", "SRR1780020"]
QUICK = ("GSM1596942", "SRR1780018")
ATAQV = ["SRR891275", "SRR891278"]
CHIP = ["align1_rep1", "align1_rep2", "align2_rep1", "align2_rep2", "ctrl"]
LENGTHS = {"chr1": 100_000, "chr2": 100_000, "chrM": 100_000}

Span = tuple[str, int, int]


def run(*words: str | Path) -> list[list[str]]:
    """Return the fields of the lines that a program prints."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def write_bed(path: Path, rows: list[tuple]) -> Path:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def list_spans(bam: Path, folder: Path) -> list[Span]:
    """Return the spans of the pairs of which both mates pass the filters: samtools view, by name, 5' end to 5' end."""
    kept, named = folder / "kept.bam", folder / "named.bam"
    pysam.view("-b", "-F", "3844", "-f", "2", "-q", "30", "-o", str(kept), str(bam), catch_stdout=False)
    pysam.sort("-n", "-o", str(named), str(kept))
    spans = []
    with pysam.AlignmentFile(str(named)) as file:
        for _, group in itertools.groupby(file, lambda read: read.query_name):
            forward, *reverse = sorted(group, key=lambda read: read.is_reverse)
            if len(reverse) == 1:
                spans.append((forward.reference_name, forward.reference_start, reverse[0].reference_end))
    return spans


def make_library(number: int, seed: int) -> list[random_files.Record]:
    """Return pairs of chr1 and chr2 as aligners write them, with all that may keep a mate from being counted."""
    chance, records = random.Random(seed), []
    for pair in range(number):
        contig, start, length = chance.choice(["chr1", "chr2"]), chance.randint(0, 90_000), chance.randint(40, 600)
        places = [start, start + length - 40]
        shared = 0x400 if chance.random() < 0.1 else 0
        for place, flag in enumerate((99, 147) if chance.random() < 0.5 else (163, 83)):
            mate = {
                "name": f"p{pair}",
                "contig": contig,
                "cigar": "40M",
                "mapq": chance.choice([0, 20, 29, 30, 42, 60]),
            }
            mate |= {"flag": flag | shared, "start": places[place], "mate_start": places[1 - place]}
            records.append(mate | {"mate_contig": "=", "template": length * (1 - 2 * place)})
        kind = chance.random()
        if kind < 0.1:  # an orphan
            records.pop(-chance.randint(1, 2))
        elif kind < 0.2:  # discordant: not a proper pair
            for mate in records[-2:]:
                mate["flag"] -= 2
        elif kind < 0.3:  # a mate elsewhere
            records[-1]["contig"], records[-2]["mate_contig"] = "chrM", "chrM"
            for mate in records[-2:]:
                mate["flag"] -= 2
        elif kind < 0.4:  # an alignment in two parts
            records.append(records[-1] | {"flag": records[-1]["flag"] | 0x800, "start": start + 7, "cigar": "20M"})
    return records


def write_library(path: Path, records: list[random_files.Record], lengths: Mapping[str, int]) -> None:
    names = list(lengths)
    random_files.write(path, sorted(records, key=lambda each: (names.index(each["contig"]), each["start"])), lengths)
