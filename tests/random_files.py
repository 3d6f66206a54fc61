"""Random small files and countings, each from a seed, compared with brute force.

    python tests/random_files.py 0-99999

prints the seeds for which the engine does not count as defined. Files have pairs whose mates differ in everything that
matters, orphans, secondary and supplementary alignments, single-end reads, and records that contradict themselves, in
order of coordinates, by name, or shuffled; some have blocks that no record fits in. Batches are small, and the table of
mates mostly starts so small that it has to be cleared or to grow.
"""

import gzip
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pysam

import oracle
from divvy_coverage.counting.bins import Bins
from divvy_coverage.counting.compiled.constants import TSS_FLANK, UNITS
from divvy_coverage.counting.count import count_sample
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.kernel import decoder, duplication
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.counting.tally import Tally
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.intervals.start_sites import StartSites
from divvy_coverage.quality.complexity import sum_copies
from divvy_coverage.quality.statistics import count_without_mate
from helpers import bgzf

CONTIGS = {"chr1": 400, "chr2": 300, "chrM": 120, "chrEmpty": 100, "chr3": 2**31 - 2}
CIGARS = ["1M", "10M", "30M", "5S5M", "3M2D3M", "4M100N4M", "2M5I2M", "3=1X", "10S", "5H9M", "*", "3I", "20P5M", "7N"]
SITES = StartSites.from_names(["chr1", "chr1", "chr2", "chr9"], [10, 70, 0, 5], [1, -1, -1, 1])
Record = dict[str, object]


def make_pair(chance: random.Random, name: str) -> list[Record]:
    """Return the two mates of a pair, most of them sound."""
    contig = chance.choice(["chr1", "chr1", "chr2", "chrM"])
    length = chance.randint(1, 150)
    left = chance.randint(0, CONTIGS[contig] - 20)
    cigars = chance.choice(["10M", "5M", "3M2D3M", "30M"]), chance.choice(["10M", "5M", "2M5I2M", "1M"])
    right = max(0, left + length - chance.randint(1, 12))
    # as in most libraries; also facing away from each other, and on one strand
    flags = chance.choice([*5 * [(99, 147), (163, 83)], (83, 163), (67, 131), (115, 179)])
    mates: list[Record] = []
    for place, (flag, start, other) in enumerate(zip(flags, (left, right), (right, left), strict=True)):
        extra = chance.choice([0, 0, 0, 0, 0x400, 0x200, 0x4]) if chance.random() < 0.3 else 0
        sign = -1 if place else 1
        template = sign * (length if chance.random() < 0.9 else chance.randint(-200, 200))
        mapq = chance.choice([0, 10, 30, 60])
        mates.append(
            {
                "name": name,
                "flag": flag | extra,
                "contig": contig,
                "start": start,
                "cigar": cigars[place],
                "mapq": mapq,
                "mate_contig": "=",
                "mate_start": other,
                "template": template,
            }
        )
    if chance.random() < 0.15:
        mates[1]["flag"] = chance.choice([flags[0], 129, 65, 0x93 | 0x800, 0x93 | 0x100])
    if chance.random() < 0.1:
        mates[1]["start"] = chance.randint(0, 100)
    if chance.random() < 0.1:
        mates[1]["contig"] = "chr2"
    if chance.random() < 0.15:
        mates.pop(chance.randrange(2))
    return mates


def make_record(chance: random.Random, name: str) -> Record:
    """Return an alignment of which anything may be said."""
    flag = chance.choice([chance.randint(0, 0xFFF), 0, 16, 4, 77, 1024 + 99, 99, 147])
    contig = chance.choice(["chr1", "chr2", "chr3", "*"])
    place = {"mate_contig": chance.choice(["=", "chr2", "*"]), "mate_start": chance.randint(0, 80)}
    return {
        "name": name,
        "flag": flag,
        "contig": contig,
        "start": chance.randint(0, 80),
        "cigar": chance.choice(CIGARS),
        "mapq": chance.choice([0, 29, 30, 60, 255]),
        "template": chance.randint(-120, 120),
    } | place


def make_records(chance: random.Random) -> list[Record]:
    records: list[Record] = []
    for number in range(chance.randint(0, 12)):
        name = "n" * chance.choice([0, 0, 1, 6, 7, 8, 20]) + str(number)
        records += make_pair(chance, name)
        if chance.random() < 0.2:
            records += make_pair(chance, name) if chance.random() < 0.3 else [make_record(chance, name)]
    if chance.random() < 0.5:
        records += [make_record(chance, f"r{number}") for number in range(chance.randint(0, 10))]
    return records


def sort(chance: random.Random, records: list[Record]) -> list[Record]:
    chance.shuffle(records)
    order = chance.choice(["coordinates", "coordinates", "name", "shuffled"])
    names = list(CONTIGS)
    if order == "coordinates":
        return sorted(records, key=lambda r: (names.index(r["contig"]) if r["contig"] != "*" else 99, r["start"]))
    return sorted(records, key=lambda r: str(r["name"])) if order == "name" else records


def write(path: Path, records: Sequence[Record], lengths: Mapping[str, int] = CONTIGS) -> None:
    """Write records, in the order given, on contigs of these lengths (bp)."""
    header = pysam.AlignmentHeader.from_references(list(lengths), list(lengths.values()))
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for each in records:
            read = pysam.AlignedSegment(header)
            read.query_name, read.flag, read.mapping_quality = each["name"], each["flag"], each["mapq"]
            read.reference_id = header.get_tid(each["contig"])
            read.reference_start = each["start"] if each["contig"] != "*" else -1
            read.cigarstring = each["cigar"]
            read.next_reference_id = (
                read.reference_id if each["mate_contig"] == "=" else header.get_tid(each["mate_contig"])
            )
            read.next_reference_start = each["mate_start"]
            read.template_length = each["template"]
            file.write(read)


def make_rows(chance: random.Random, number: int) -> list[oracle.Row]:
    rows = {}
    for _ in range(number):
        contig = chance.choice(["chr1", "chr1", "chr2", "chrM", "chrEmpty"])
        start = chance.randint(0, min(250, CONTIGS[contig] - 1))
        rows[(contig, start, start + chance.choice([1, 3, 20, 150]))] = None
    return list(rows)


def make_counting(chance: random.Random) -> Counting:
    while True:
        unit = chance.choice(UNITS)
        paired = unit in ("fragments", "paired_insertions")
        try:
            return Counting(
                unit,
                chance.choice([0, 0x4, 0x904, 3844, 0x10]),
                chance.choice([0, 0, 0, 2, 0x41]),
                chance.choice([0, 0, 20, 30, 255]),
                chance.choice([(), (), ("chrM",), ("chr1",)]),
                chance.choice([None, (0, 2000), (30, 100)]) if paired else None,
                chance.choice([None, 1, 40, 500]) if unit == "reads" else None,
                chance.choice([(4, -5), (0, 0), (-60, 60)]),
            )
        except UserError:  # that it would count nothing
            continue


def to_regions(rows: list[oracle.Row]) -> Regions:
    contigs, starts, ends = [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    return Regions.from_names(contigs, np.array(starts, np.int64), np.array(ends, np.int64))


def write_random(chance: random.Random, path: Path) -> None:
    """Write a random file, whose blocks may be smaller than its records."""
    write(path, sort(chance, make_records(chance)))
    if chance.random() < 0.3:
        path.write_bytes(bgzf(gzip.decompress(path.read_bytes()), chance.choice([11, 60, 250])))


def find_difference(seed: int, folder: Path) -> str:
    """Return how engine and brute force differ for a seed; "" if they agree in everything."""
    chance = random.Random(seed)
    path = folder / "x.bam"
    write_random(chance, path)
    counting = make_counting(chance)
    sets = [make_rows(chance, chance.randint(1, 8)) for _ in range(chance.randint(1, 3))]
    blacklist = make_rows(chance, chance.randint(0, 3))
    peaks = make_rows(chance, chance.randint(0, 3))
    mitochondrial = chance.choice([["chrM"], ["chr2", "chrM"]])
    wanted = Wanted(
        [to_regions(rows) for rows in sets],
        counting,
        to_regions(blacklist) if blacklist else None,
        SITES,
        to_regions(peaks) if peaks else None,
        chance.choice([None, 1, 7, 50]),
    )
    try:
        with (
            patch.object(decoder, "FIRST_SLOTS", chance.choice([4, 4, 16, 2**10])),
            patch.object(decoder, "BATCH", chance.choice([1, 2, 5, 100])),
            patch.object(duplication, "ROOM", chance.choice([1, 2, 5, 100])),
        ):
            counted = count_sample([path], wanted, threads=chance.choice([1, 1, 2]), warn=lambda text: None)
    except UserError as error:
        return find_wrong_refusal(path, counting, str(error))
    expected = [oracle.count(path, counting, rows, blacklist) for rows in sets]
    in_peaks = oracle.count(path, counting, peaks, blacklist).in_regions if peaks else None
    return (
        find_wrong_counts(counted, expected)
        or find_wrong_statistics(counted.tally, path, counting)
        or find_wrong_copies(counted.tally, path, mitochondrial)
        or find_wrong_bins(counted.bins, wanted.bin_size, expected[0], chance.choice([1, 3]))
        or ("" if counted.in_peaks == in_peaks else f"{counted.in_peaks} instead of {in_peaks} in peaks")
    )


def find_wrong_refusal(path: Path, counting: Counting, problem: str) -> str:
    """Return why a file should not have been refused; "" if pairs are to be counted and it has none, or extended."""
    flags = [read.flag for read in oracle.read_all(path)]
    paired = any(flag & 1 for flag in flags)
    right = paired if counting.extend else bool(flags) and not paired
    return "" if right and ("single-end" in problem) else f"refused: {problem}"


def find_wrong_counts(counted: Counted, expected: list[oracle.Expected]) -> str:
    """Return what was counted wrongly; "" if nothing was."""
    one, tally = expected[0], counted.tally
    names = ("kept", "fragments", "contradictory_lengths", "excluded_length", "blacklisted", "usable")
    found = [tally[name] for name in names]
    if found != [one.kept, one.fragments, one.contradictory, one.excluded_length, one.blacklisted, one.usable]:
        return f"{dict(zip(names, found, strict=True))} instead of {one}"
    if (without_mate := count_without_mate(tally)) != one.without_mate:
        return f"without_mate: {without_mate} instead of {one.without_mate}"
    for number, each in enumerate(expected):
        if counted.counts[number].tolist() != each.counts or counted.in_regions[number] != each.in_regions:
            return f"set {number}: {counted.counts[number].tolist()}, {counted.in_regions[number]} instead of {each}"
    return ""


def find_wrong_statistics(tally: Tally, path: Path, counting: Counting, around: StartSites = SITES) -> str:
    """Return which statistics are wrong; "" if none is."""
    kinds = ("alignments", "unmapped", "duplicates", "proper_pairs", "paired")
    described = tally.describe()
    found = {kind: tally[kind] for kind in kinds} | {
        name: {key: number for key, number in described[name].items() if number}
        for name in ("excluded", "mapping_quality", "fragment_lengths", "contigs")
    }
    for name, expected in oracle.describe(path, counting).items():
        if found[name] != expected:
            return f"{name}: {found[name]} instead of {expected}"
    profile = {i - TSS_FLANK: n for i, n in enumerate(described["tss_profile"] or ()) if n}
    sites = ([around.contigs[code] for code in around.codes], around.positions.tolist(), around.strands.tolist())
    return "" if profile == oracle.tss_profile(path, counting, *sites) else "another profile around start sites"


def find_wrong_copies(tally: Tally, path: Path, mitochondrial: list[str]) -> str:
    """Return how copies of fragments are told wrongly; "" if they are not."""
    copies = sum_copies(tally.copies, mitochondrial)
    found = {str(times): int(copies[times]) for times in np.flatnonzero(copies)}
    expected = oracle.count_copies(path, mitochondrial)
    return "" if found == expected else f"copies: {found} instead of {expected}"


def find_wrong_bins(bins: Bins | None, size: int | None, expected: oracle.Expected, factor: int) -> str:
    """Return which bins, `factor` times as wide, are wrong, on the contigs that are not long; "" if none is."""
    if bins is None or size is None:
        return "" if bins is size is None else "bins that nobody wanted"
    if bins.lengths != CONTIGS:
        return f"lengths {bins.lengths}"
    size *= factor
    for contig, length in CONTIGS.items():
        if length > 1000:
            continue
        found = bins.compute_counts(contig, size).tolist()
        bounds = [(start, min(start + size, length)) for start in range(0, length, size)]
        if found != [expected.count_bin(contig, *each) for each in bounds]:
            return f"bins of {contig}: {found}"
    return ""


def main(first: int, last: int) -> int:
    bad = 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        for seed in range(first, last + 1):
            if difference := find_difference(seed, Path(folder)):
                bad += 1
                print(f"seed {seed}: {difference}", flush=True)
    print(f"{last - first + 1} seeds, {bad} with another result")
    return 1 if bad else 0


if __name__ == "__main__":
    start, _, end = sys.argv[1].partition("-")
    sys.exit(main(int(start), int(end or start)))
