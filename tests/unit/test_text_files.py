"""Files of fragments, BEDPE and tagAlign: counted as brute force counts them, and as the BAM files they were made of."""

import gzip
import random
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import oracle
from divvy_coverage.alignments.headers import are_paired, examine
from divvy_coverage.alignments.text_kinds import TEXT_KINDS
from divvy_coverage.alignments.text_lines import READ_SIZE
from divvy_coverage.counting.compiled.constants import UNITS
from divvy_coverage.counting.count import count_alignments, count_sample
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.options import SETTINGS
from divvy_coverage.counting.passes import Counted, Wanted
from divvy_coverage.demo.files import write_project
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.codes import recode
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.intervals.start_sites import StartSites
from divvy_coverage.preflight.assay import check_counting
from divvy_coverage.preflight.sample_files import AlignedSample
from divvy_coverage.quality.statistics import UNKNOWN_IN_TEXT, compute_statistics
from divvy_coverage.samples import Sample
from helpers import bgzf, need, write_bam
from pairs import filter_pairs, write_bedpe, write_fragments, written
from random_files import to_regions

ANY_LENGTH = 2**31 - 1
CONTIGS = ["chr1", "chr2", "chrM", "chr11_KI270721v1_random", "chr11_KI270721v1_randon", "chrUn_KI", "8letters"]
GOOD = {
    "fragments": "chr1\t100\t300\tACGT-1\t2\n",
    "bedpe": "chr1\t100\t150\tchr1\t250\t300\tr1\t60\t+\t-\n",
    "tagalign": "chr1\t100\t150\tN\t1000\t-\n",
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip in parts": lambda content: gzip.compress(content[:20]) + gzip.compress(content[20:]),
    "bgzip": bgzf,
}


def counted_in(path: Path, rows: Sequence[oracle.Row], counting: Counting, **more: Any) -> Counted:
    return count_sample([path], Wanted([to_regions(list(rows))], counting, **more), warn=lambda text: None)


# --- random files, by brute force


def make_span(chance: random.Random, near: int = -1) -> tuple[int, int]:
    start = chance.choice([0, 5, 99, 100, 99_999_990, 12_345_678, 2_000_000_000]) + chance.randint(0, 300)
    start = max(0, near + chance.randint(-30, 60)) if near >= 0 else start
    return start, start + chance.choice([1, 2, 30, 50, 500])


def make_fragments(chance: random.Random) -> str:
    start, end = make_span(chance)
    return "\t".join(
        [chance.choice(CONTIGS), str(start), str(end), chance.choice(["ACGT-1", "x"]), *chance.choice([[], ["3"]])]
    )


def make_bedpe(chance: random.Random) -> str:
    contig = chance.choice(CONTIGS)
    start, end = make_span(chance)
    other_start, other_end = make_span(chance, start)
    first = [contig, str(start), str(end)]
    second = [contig if chance.random() < 0.8 else chance.choice(CONTIGS), str(other_start), str(other_end)]
    strands = [chance.choice("+-"), chance.choice("+-")]
    for place, mate in enumerate((first, second)):
        if chance.random() < 0.1:
            mate[:], strands[place] = [".", "-1", "-1"], "."
    more = ["7"] if chance.random() < 0.1 else []
    return "\t".join([*first, *second, "name", "60", *strands, *more])


def make_tagalign(chance: random.Random) -> str:
    start, end = make_span(chance)
    return "\t".join([chance.choice(CONTIGS), str(start), str(end), "", "0", chance.choice("+-")])


MAKERS = {"fragments": make_fragments, "bedpe": make_bedpe, "tagalign": make_tagalign}


def as_read(contig: str, start: str | int, end: str | int, strand: str) -> Any:
    """Return what `oracle` needs of an alignment."""
    span = [(0, int(end) - int(start))]
    return SimpleNamespace(
        reference_name=contig, reference_start=int(start), cigartuples=span, flag=16 if strand == "-" else 0
    )


def read_as_defined(kind: str, lines: Sequence[str]) -> tuple[list[Any], list[oracle.Fragment]]:
    """Return the alignments and the fragments of a file."""
    reads, fragments = [], []
    for row in (line.split("\t") for line in lines):
        if kind == "fragments":
            start, end = int(row[1]), int(row[2])
            reads += [as_read(row[0], start, start + 1, "+"), as_read(row[0], end - 1, end, "-")]
            fragments.append(oracle.Fragment(row[0], start, end))
        elif kind == "tagalign":
            reads.append(as_read(*row[:3], row[5]))
        else:
            mates = [as_read(*row[:3], row[8]), as_read(*row[3:6], row[9])]
            placed = [mate for mate in mates if mate.reference_name != "."]
            reads += placed
            if len(placed) == 2 and row[0] == row[3] and row[8] != row[9]:
                start, end = (int(row[1]), int(row[5])) if row[8] == "+" else (int(row[4]), int(row[2]))
                if start < end:
                    fragments.append(oracle.Fragment(row[0], start, end))
    return reads, fragments


def make_counting(chance: random.Random, kind: str) -> Counting:
    units = {"fragments": UNITS[:3], "bedpe": UNITS, "tagalign": UNITS[2:]}[kind]
    unit = chance.choice(units)
    return Counting(
        unit,
        min_mapq=chance.choice([0, 255]),
        exclude_flags=chance.choice([0, 3844]),
        exclude_contigs=chance.choice([(), ("chrM", "chr2")]),
        fragment_length=chance.choice([None, (2, 60)]) if unit in UNITS[:2] else None,
        extend=chance.choice([None, 20, 600]) if unit == "reads" and kind == "tagalign" else None,
        shift=chance.choice([(0, 0), (4, -5), (-200, 30)]),
    )


def make_rows(chance: random.Random, number: int) -> list[oracle.Row]:
    rows = {}
    for _ in range(number):
        start, end = make_span(chance)
        rows[(chance.choice(CONTIGS), start, end)] = None
    return list(rows)


def interrupt(chance: random.Random, lines: Sequence[str]) -> str:
    """Return the lines as a file, with all that may stand between them."""
    end = chance.choice(["\n", "\r\n"])
    text = "# id=x" + end if chance.random() < 0.5 else ""
    for line in lines:
        text += line + end + chance.choice(["", "", "", "#\t\tcomment" + end, end, "#" + end])
    return text


@pytest.mark.parametrize("kind", TEXT_KINDS)
@pytest.mark.parametrize("seed", range(60))
def test_random_files_are_counted_as_brute_force_counts_them(tmp_path: Path, kind: str, seed: int) -> None:
    chance = random.Random(f"{kind} {seed}")
    lines = [GOOD[kind].strip(), *(MAKERS[kind](chance) for _ in range(chance.randint(0, 150)))]
    content = interrupt(chance, lines).encode()
    path = written(tmp_path / "x", chance.choice(list(PACKINGS.values()))(content))
    counting = make_counting(chance, kind)
    rows, blacklist = [("chr1", 100, 200), *make_rows(chance, 20)], make_rows(chance, chance.randint(0, 2))
    counted = counted_in(path, rows, counting, blacklist=to_regions(blacklist) if blacklist else None)
    reads, fragments = read_as_defined(kind, lines)
    applied = Counting(**{**vars(counting), "shift": (0, 0) if kind == "fragments" else counting.shift})
    kept, usable = (
        [read for read in each if get(read) not in counting.exclude_contigs]
        for each, get in ((reads, lambda read: read.reference_name), (fragments, lambda fragment: fragment.contig))
    )
    expected = oracle.count_kept(kept, usable, defaultdict(lambda: ANY_LENGTH), applied, rows, blacklist)
    names = ("kept", "fragments", "contradictory_lengths", "excluded_length", "blacklisted", "usable")
    assert [counted.tally[name] for name in names] == list(vars(expected).values())[:6]
    assert counted.counts[0].tolist() == expected.counts
    assert counted.in_regions.tolist() == [expected.in_regions]
    numbers = {name: sum(read.reference_name == name for read in reads) for name in CONTIGS}
    assert counted.tally.contigs == {name: number for name, number in numbers.items() if number}


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_files_of_many_chunks(tmp_path: Path, kind: str) -> None:
    chance = random.Random(kind)
    lines = [GOOD[kind].strip(), *(MAKERS[kind](chance) for _ in range(999))]
    rows = make_rows(chance, 30)
    counting = Counting("insertions")
    once = counted_in(written(tmp_path / "x", "\n".join(lines) + "\n"), rows, counting)
    times = 3 * READ_SIZE // len("\n".join(lines)) + 1
    many = counted_in(written(tmp_path / "y", ("\n".join(lines) + "\n") * times), rows, counting)
    assert many.counts[0].tolist() == (times * once.counts[0]).tolist()
    assert many.tally["alignments"] == times * once.tally["alignments"]
    assert many.tally.contigs == {name: times * number for name, number in once.tally.contigs.items()}


# --- against BAM


def in_bedtools(out: Path, bam: Path, *options: str) -> Path:
    need(bool(shutil.which("bedtools")), "bedtools", "not installed")
    command = ["bedtools", "bamtobed", *options, "-i", str(bam)]
    return written(out, subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


@pytest.fixture(scope="module", params=["simulated", "SRR891275", "SRR891278"])
def pairs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """A filtered BAM file of pairs, regions that fit it, and its fragments."""
    folder = tmp_path_factory.mktemp("pairs")
    if request.param == "simulated":
        write_project(folder / "demo", n_samples=2, n_regions=300, n_reads=20_000, seed=3)
        bam, bed = sorted((folder / "demo").rglob("*.bam"))[0], folder / "demo" / "regions.bed"
        regions = read_regions(bed)
    else:
        data = request.getfixturevalue("data") / "atac-ataqv-hg19"
        bam = data / f"{request.param}.bam"
        regions = read_regions(data / f"{request.param}.peaks.gz")
        known = oracle.get_lengths(bam)
        regions = regions.take(recode(regions.contigs, regions.codes, list(known)) >= 0)
    fragments = filter_pairs(bam, Counting(min_mapq=30), folder / "pairs.bam")
    assert len(fragments) > 100
    return folder / "pairs.bam", regions, fragments


@pytest.mark.parametrize("unit", ["fragments", "paired_insertions", "insertions"])
def test_fragments_give_the_counts_of_their_bam_file(tmp_path: Path, pairs: Any, unit: str) -> None:
    bam, regions, fragments = pairs
    shift = (0, 0) if unit == "fragments" else (4, -5)
    counts, tally = count_alignments(bam, regions, Counting(unit, shift=(4, -5)))
    text = write_fragments(tmp_path / "fragments.tsv.gz", fragments, shift)
    found, other = count_alignments(text, regions, Counting(unit, shift=(4, -5)))
    assert counts.sum() > 0
    assert found.tolist() == counts.tolist()
    assert other["usable"] == tally["usable"]
    if unit == "fragments":
        assert other.fragment_lengths.tolist() == tally.fragment_lengths.tolist()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("maker", ["bedtools", "the definition"])
def test_bedpe_gives_the_counts_of_its_bam_file(tmp_path: Path, pairs: Any, unit: str, maker: str) -> None:
    bam, regions, fragments = pairs
    text = write_bedpe(tmp_path / "x", bam) if maker == "the definition" else in_bedtools(tmp_path / "x", bam, "-bedpe")
    counts, tally = count_alignments(bam, regions, Counting(unit))
    found, other = count_alignments(text, regions, Counting(unit, min_mapq=255))
    assert counts.sum() > 0
    assert found.tolist() == counts.tolist()
    assert [other[name] for name in ("usable", "kept", "fragments")] == [
        tally[name] for name in ("usable", "kept", "fragments")
    ]
    assert other["fragments"] == len(fragments)
    assert other.contigs == {contig: number for contig, number in tally.contigs.items() if number}


@pytest.mark.parametrize("unit", ["insertions", "reads"])
def test_tagalign_of_bedtools_gives_the_counts_of_its_bam_file(tmp_path: Path, pairs: Any, unit: str) -> None:
    bam, regions, _ = pairs
    text = in_bedtools(tmp_path / "x", bam)
    counts, _ = count_alignments(bam, regions, Counting(unit))
    assert count_alignments(text, regions, Counting(unit))[0].tolist() == counts.tolist()


def test_the_profile_around_start_sites_takes_the_ends_of_fragments_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "x", "chr1\t1000\t1100\tA\n")
    sites = StartSites.from_names(["chr1", "chr1"], [990, 1099], [1, -1])
    counted = counted_in(path, [("chr1", 0, 10)], Counting("fragments", shift=(4, -5)), sites=sites)
    assert {i - 2000: int(counted.tally.tss_profile[i]) for i in np.flatnonzero(counted.tally.tss_profile)} == {
        10: 1,
        109: 1,
        99: 1,
        0: 1,
    }


# --- kinds, packings and statistics


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_every_kind_in_every_packing_is_told_by_its_content(tmp_path: Path, kind: str, packing: str) -> None:
    header = "".join(f"# primary_contig=chr{number}\n" for number in range(2000))  # longer than what is looked at
    path = written(tmp_path / "x.bam", PACKINGS[packing]((header + GOOD[kind]).encode()))
    header_found = examine(path)
    assert (header_found.kind, dict(header_found.contigs)) == (kind, {"chr1": ANY_LENGTH})
    assert header_found.paired == are_paired([path]) == (kind != "tagalign")
    assert counted_in(path, [("chr1", 0, 400)], Counting("insertions")).tally["usable"] == (
        1 if kind == "tagalign" else 2
    )


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("chr1\t100\t300\n", "BED"),
        ("chr1\t100\t101\tpeak_1\t12.3\n", "BED"),
        ("chr1\t100\t300\tpeak_1\t100\t.\n", "BED"),
        ("chr1\t100\t300\tpeak_1\t100\t.\t5.1\t4.2\t3.1\t50\n", "BED"),
        ("chr1\t100\t300\tpeak_1\t100\t+\t100\t300\t0\n", "BED"),
        ("#only\n#comments\n", "text that starts with '#only'"),
    ],
)
def test_other_text_is_no_file_of_alignments(tmp_path: Path, line: str, found: str) -> None:
    path = written(tmp_path / "x", line)
    with pytest.raises(UserError, match="expected BAM, CRAM, SAM, fragments, BEDPE or tagAlign, found " + found):
        examine(path)


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_what_cannot_be_known_is_none(tmp_path: Path, kind: str) -> None:
    counted = counted_in(written(tmp_path / "x", GOOD[kind]), [("chr1", 0, 400)], Counting("insertions"))
    statistics = compute_statistics(counted.tally, 1)
    assert {name: statistics[name] for name in UNKNOWN_IN_TEXT} == dict.fromkeys(UNKNOWN_IN_TEXT)
    assert not counted.tally.mapping_quality.any()
    expected = {"alignments": 2, "kept": 2, "proper_pairs": 2, "fragments": 1, "fragment_length_median": 200}
    if kind == "tagalign":
        expected = dict.fromkeys(expected) | {"alignments": 1, "kept": 1}
    assert {name: statistics[name] for name in expected} == expected
    assert statistics["excluded_contig"] == 0


def test_files_of_a_sample_may_be_of_different_kinds_if_all_are_of_pairs(tmp_path: Path) -> None:
    paths = {kind: written(tmp_path / kind, line) for kind, line in GOOD.items()}
    write_bam(tmp_path / "b.bam", {"chr1": 1000}, [("r", 0, "chr1", 100, "50M", 60)])
    regions = to_regions([("chr1", 0, 400)])
    counts, tally = count_alignments([paths["fragments"], paths["bedpe"]], regions, Counting("fragments"))
    assert counts.tolist() == [2]
    assert compute_statistics(tally, 2)["duplicates"] is None
    counts, tally = count_alignments([tmp_path / "b.bam", paths["tagalign"]], regions, Counting("reads"))
    assert counts.tolist() == [2]
    assert compute_statistics(tally, 2)["mapping_quality_median"] is None
    for others in (["fragments", "tagalign"], ["tagalign", "bedpe"], ["b.bam", "bedpe"]):
        with pytest.raises(
            UserError, match=f"{others[1]}: its alignments are (single|paired)-end, but those of another"
        ):
            count_alignments([tmp_path / name for name in others], regions, Counting("insertions"))


def checked(folder: Path, samples: dict[str, list[str]], **counting: Any) -> list[str]:
    """Return what preflight says of samples with files of these kinds, and of what is counted in them."""
    for kind, line in GOOD.items():
        written(folder / kind, line)
    write_bam(folder / "bam", {"chr1": 1000}, [("r", 0, "chr1", 100, "50M", 60)])
    aligned = [
        AlignedSample(Sample(name), [examine(folder / kind) for kind in kinds]) for name, kinds in samples.items()
    ]
    settings = dict.fromkeys(SETTINGS) | {"unit": "auto"} | counting
    config = {"assay": "atac", "counting": settings, "statistics": {"tss": ""}}
    return [f"{problem.sample}: {problem.text}" for problem in check_counting(config, aligned)[1]]


def test_preflight_tells_which_files_of_a_sample_are_of_pairs_and_which_are_not(tmp_path: Path) -> None:
    assert not checked(tmp_path, {"a": ["fragments", "bedpe"], "b": ["bedpe"]})
    assert not checked(tmp_path, {"a": ["tagalign", "bam"], "b": ["bam"]})
    mixed = checked(tmp_path, {"a": ["bam", "bedpe"], "b": ["bedpe", "tagalign"]}, unit="insertions")
    assert [text.partition("; give files of a sample")[0] for text in mixed] == [
        f"a: {tmp_path / 'bedpe'}: its alignments are paired-end, but those of another file of the sample are single-end",
        f"b: {tmp_path / 'tagalign'}: its alignments are single-end, but those of another file of the sample are "
        "paired-end",
    ]


def test_preflight_tells_which_files_cannot_give_the_unit(tmp_path: Path) -> None:
    (text,) = checked(tmp_path, {"a": ["fragments"], "b": ["bedpe"]}, unit="reads")
    assert text.startswith(
        f"a: {tmp_path / 'fragments'}: a file of fragments has only their ends, so there are no reads"
    )
    (text,) = checked(tmp_path, {"a": ["fragments"], "b": ["tagalign"]})
    assert text.startswith("b: its alignments are single-end, but those of 1 samples (a) are paired-end")
    assert "are made of both mates of a pair" in checked(tmp_path, {"a": ["tagalign"]}, unit="fragments")[0]


def test_contigs_to_exclude_may_be_in_no_file_if_there_are_text_files(tmp_path: Path) -> None:
    assert "no file has chrMT" in checked(tmp_path, {"a": ["bam"]}, exclude_contigs=["chrMT"])[0]
    assert not checked(tmp_path, {"a": ["bam"], "b": ["tagalign"]}, exclude_contigs=["chrMT"])


def test_units_that_a_file_cannot_give(tmp_path: Path) -> None:
    regions = to_regions([("chr1", 0, 400)])
    with pytest.raises(UserError, match="a file of fragments has only their ends, so there are no reads to count"):
        count_alignments(written(tmp_path / "x", GOOD["fragments"]), regions, Counting("reads"))
    with pytest.raises(UserError, match="single-end, so there are no fragments to count"):
        count_alignments(written(tmp_path / "x", GOOD["tagalign"]), regions, Counting("fragments"))
    with pytest.raises(UserError, match="paired-end; `extend` is for single-end reads"):
        count_alignments(written(tmp_path / "x", GOOD["bedpe"]), regions, Counting("reads", extend=100))


def test_a_contig_without_lines_counts_0_but_one_of_the_regions_has_to_be_there(tmp_path: Path) -> None:
    path = written(tmp_path / "x", GOOD["fragments"])
    assert count_alignments(path, to_regions([("chr1", 0, 400), ("chrY", 0, 9)]))[0].tolist() == [1, 0]
    with pytest.raises(UserError, match="none of the contigs of the regions"):
        count_alignments(path, to_regions([("1", 0, 400)]))


# --- damaged files

MALFORMED = {
    "fragments": [
        "chr1\t100",
        "chr1\t100\t200",
        "chr1\t100\t200\tA\t1\tmore",
        "chr1\t200\t200\tA",
        "chr1\t201\t200\tA",
        "chr1\t-1\t200\tA",
        "chr1\t100\tx\tA",
        "chr1\t1e2\t200\tA",
        "chr1\t 10\t200\tA",
        "chr1\t+10\t200\tA",
        "chr1\t\t200\tA",
        "chr1\t10\t2147483648\tA",
        "chr1\t10\t99999999999\tA",
        "chr1\t123456789/\t1234567899\tA",
        "chr1\t:12345678\t999999999\tA",
        "\t10\t20\tA",
        "chr 1\t10\t20\tA",
        "chr1 10 20 A",
        "   ",
    ],
    "bedpe": [
        "chr1\t100\t150\tchr1\t250\t300\tr1\t60\t+",
        "chr1\t100\t150\tchr1\t250\t300\tr1\t60\t+\t.",
        "chr1\t100\t150\tchr1\t250\t300\tr1\t60\t*\t-",
        "chr1\t100\t150\tchr1\t300\t300\tr1\t60\t+\t-",
        "chr1\t150\t100\tchr1\t250\t300\tr1\t60\t+\t-",
        "chr1\t-1\t-1\tchr1\t250\t300\tr1\t60\t+\t-",
        "chr1\t1\t300000000\tchr1\t250\t300\tr1\t60\t+\t-",
    ],
    "tagalign": [
        "chr1\t100\t150\tN\t1000",
        "chr1\t100\t150\tN\t1000\t.",
        "chr1\t100\t150\tN\t1000\t++",
        "chr1\t100\t150\tN\t1000\t+\tmore",
        ".\t-1\t-1\tN\t1000\t.",
    ],
}


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in MALFORMED.items() for line in lines])
def test_malformed_lines_are_named(tmp_path: Path, kind: str, line: str) -> None:
    path = written(tmp_path / "x", "#\n\n" + 2 * GOOD[kind] + f"{line}\n" + GOOD[kind])
    said = f"{path}: line 5: expected chrom"
    for use in (examine, lambda path: counted_in(path, [("chr1", 0, 400)], Counting("insertions"))):
        with pytest.raises(UserError) as error:
            use(path)
        assert str(error.value).startswith(said)
        assert f"found {line!r}; correct or remove this line" in str(error.value)


@pytest.mark.parametrize("packing", PACKINGS)
def test_truncated_files_are_never_taken_for_whole_ones(tmp_path: Path, packing: str) -> None:
    chance = random.Random(packing)
    text = "".join(f"chr1\t{100 * i}\t{100 * i + chance.randint(1, 90)}\tA{chance.random()}\n" for i in range(500))
    whole = PACKINGS[packing](text.encode())
    for size in chance.sample(range(60, len(whole)), 60):
        path = written(tmp_path / "x", whole[:size])
        if packing == "plain" and whole[:size].endswith(b"\n"):
            continue
        if packing == "gzip in parts" and size == len(gzip.compress(text[:20].encode())):
            continue
        with pytest.raises(UserError, match="x: (line [0-9]+|at byte)"):
            counted_in(path, [("chr1", 0, 400)], Counting())


@pytest.mark.parametrize("packing", ["gzip", "bgzip"])
def test_damaged_files_are_never_taken_for_sound_ones(tmp_path: Path, packing: str) -> None:
    chance = random.Random(packing)
    text = "".join(f"chr1\t{100 * i}\t{100 * i + chance.randint(1, 90)}\tA{chance.random()}\n" for i in range(500))
    whole = PACKINGS[packing](text.encode())
    for place in chance.sample(range(30, len(whole) - 40), 60):
        content = bytearray(whole)
        content[place] ^= 1 << chance.randrange(8)
        with pytest.raises(UserError, match="x: "):
            counted_in(written(tmp_path / "x", bytes(content)), [("chr1", 0, 400)], Counting())


@pytest.mark.parametrize(
    "more",
    [b"chr1\t1\t\0002\tA\n", b"x" * (3 << 20), gzip.compress(b"chr1\t1\t2\tA\n", mtime=0)],
    ids=["a zero", "a long line", "gzip within text"],
)
def test_what_is_no_text_is_told_with_the_line(tmp_path: Path, more: bytes) -> None:
    path = written(tmp_path / "x", GOOD["fragments"].encode() + more)
    with pytest.raises(UserError, match="x: line 2: "):
        examine(path)


def test_text_after_gzip_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "x", gzip.compress(GOOD["fragments"].encode()) + GOOD["fragments"].encode())
    with pytest.raises(UserError, match="x: line [0-9]+: found damaged or truncated gzip"):
        examine(path)
