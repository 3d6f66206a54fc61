"""Mistakes in configuration and sheet: one clear message, and no job is started."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

from helpers import refuse, snakemake, succeed, write_bam, write_sheet


def nothing_started(folder: Path) -> None:
    assert not (folder / "logs").exists()
    assert not (folder / "results" / "coverage").exists()


@pytest.mark.parametrize(
    ("change", "essentials"),
    [
        ({"regoins": {}}, ["unknown key 'regoins'", "did you mean 'regions'", "assay, pep, amendments, samples"]),
        ({"counting": {"min_mapk": 3}}, ["counting: unknown key 'min_mapk'", "did you mean 'min_mapq'"]),
        (
            {"counting": {"unit": "reed"}},
            ["counting.unit", "'reed' is not one of ['auto', 'fragments', 'paired_insertions', 'insertions', 'reads']"],
        ),
        ({"counting": {"min_mapq": "x", "exclude_flags": -1}}, ["counting.min_mapq", "counting.exclude_flags"]),
        ({"regions": {"p": {"bad": "x"}}}, ["regions.p: unknown key 'bad'", "did you mean 'bed'"]),
        ({"regions": {"p": {}}}, ["regions.p: no sample has peaks to make regions of"]),
        ({"regions": {"p": {"consensus": {"source": "tops"}}}}, ["regions.p.consensus.source", "'tops' is not one of"]),
        ({"assay": None}, ["assay: None is not one of ['atac', 'chip', 'cutandrun']"]),
        ({"assay": "rna"}, ["assay: 'rna' is not one of ['atac', 'chip', 'cutandrun']"]),
        ({"permissive": "maybe"}, ["permissive: 'maybe' is not of type 'boolean'"]),
        ({"regions": {"a b": {"bed": "x"}}}, ["regions: not a valid name: 'a b'; names may hold only A-Z a-z 0-9"]),
        (
            {"regions": {"..": {"bed": "regions.bed"}, "-x": {}, "p\n": {}}},
            ["regions: not a valid name: '..'", "regions: not a valid name: '-x'", r"regions: not a valid name: 'p\n'"],
        ),
        (
            {"regions": {500: {"bed": "regions.bed"}, True: {}, date(2024, 1, 1): {}}},
            [
                "regions: not a valid name: 500; YAML makes a value of it (int), so write it in quotes",
                "regions: not a valid name: True; YAML makes a value of it (bool), so write it in quotes",
                "regions: not a valid name: datetime.date(2024, 1, 1); YAML makes a value of it (date), so write it",
            ],
        ),
        (
            {"blacklist": "$NOWHERE_9/b.bed", "regions": {"p": {"bed": "${NOWHERE_9}/r.bed"}}},
            [
                "blacklist: $NOWHERE_9 is not set, or write the path without it: $NOWHERE_9/b.bed",
                "regions.p.bed: ${NOWHERE_9} is not set",
            ],
        ),
        ({"regions": {}}, ["regions"]),
        ({"matrix": {"formats": ["xlsx"]}}, ["matrix.formats.0", "'xlsx' is not one of"]),
        ({"pep": "gone.yaml"}, ["gone.yaml: no such file"]),
        ({"regions": {"p": {"bed": "gone.bed"}}}, ["gone.bed: cannot be read: No such file"]),
    ],
)
def test_a_wrong_configuration_is_refused(project: Path, change: dict, essentials: list[str]) -> None:
    path = project / "config" / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    refuse(snakemake(project, "--profile", "divvy"), *essentials)
    nothing_started(project)


def test_the_assay_has_to_be_said(project: Path) -> None:
    path = project / "config" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    del config["assay"], config["pep"]
    path.write_text(yaml.safe_dump(config))
    essentials = [
        "'assay' is missing: Whose defaults hold for what is not set in counting; choose one of atac, chip, cutandrun",
        "'pep' is missing: Sample sheet",
    ]
    refuse(snakemake(project, "--profile", "divvy"), *essentials)
    nothing_started(project)


def test_settings_that_stand_twice_are_refused(project: Path) -> None:
    """As when a recipe is pasted above the settings that a configuration came with."""
    path = project / "config" / "config.yaml"
    text = "counting:\n  min_mapq: 30\n" + path.read_text()
    path.write_text(text)
    second = text.splitlines().index("counting:", 1) + 1
    essentials = [
        "config.yaml: keys that stand twice",
        f"'counting' in line 1 and in line {second}",
        "join what belongs",
    ]
    refuse(snakemake(project, "--profile", "divvy"), *essentials)
    nothing_started(project)


def test_whole_numbers_as_r_writes_them_and_paths_with_variables(project: Path) -> None:
    (project / "p.bed").write_text("chr1\t100\t101\nchr1\t500\t501\n")
    sheet = (project / "samples.csv").read_text().splitlines()
    (project / "samples.csv").write_text("\n".join([f"{sheet[0]},peaks", *(f"{row},p.bed" for row in sheet[1:])]))
    config = {
        "assay": "atac",
        "pep": "~/samples.csv",
        "regions": {
            "a": {"bed": "$HERE/regions.bed", "blacklist": "${HERE}/p.bed"},
            "c": {"consensus": {"extension": 50.0, "min_samples": 2.0}},
        },
        "counting": {"unit": "reads", "min_mapq": 30.0, "exclude_flags": 4.0},
    }
    (project / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    made = ["results/inputs.json", "results/regions/a.bed", "results/regions/c.bed"]
    succeed(snakemake(project, *made, "--cores", "1", HOME=str(project), HERE=str(project)))
    counting = json.loads((project / made[0]).read_text())["counting"]
    assert (counting["min_mapq"], counting["exclude_flags"]) == (30, 4)
    assert isinstance(counting["min_mapq"], int)
    assert (project / made[1]).read_text() == "chr1\t120\t130\n"
    assert (project / made[2]).read_text() == "chr1\t50\t151\nchr1\t450\t551\n"


def test_a_folder_that_snakemake_takes_for_a_pattern_is_refused(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run {1}"
    folder.mkdir()
    shutil.copytree(project / "config", folder / "config")
    said = refuse(snakemake(folder, "--cores", "1"), f"{folder}: Snakemake takes {{…}} in this path for a wildcard")
    assert "re.error" not in said


def test_a_hostile_sample_name_is_refused(project: Path) -> None:
    name = "a;b $(touch x) {MEM}"
    write_sheet(project / "samples.csv", [{"sample_name": name, "bam": "bam/a.bam"}])
    refuse(snakemake(project, "--profile", "divvy"), name, "A-Z a-z 0-9 . _ -")
    nothing_started(project)
    assert not (project / "x").exists()


@pytest.mark.slow
def test_a_sample_that_fails_gives_no_matrix(project: Path) -> None:
    reads = [(f"r{i}", 0, "chr1", i // 4, "50M", 60) for i in range(20_000)]  # more than preflight looks at
    write_bam(project / "bam" / "b.bam", {"chr1": 10_000}, reads)
    content = bytearray((project / "bam" / "b.bam").read_bytes())
    content[-40] ^= 1  # the checksum of the last block with data
    (project / "bam" / "b.bam").write_bytes(content)
    done = snakemake(project, "--profile", "divvy", "--set-resources", "measure_coverage:pack=1")
    refuse(done, "exit status 1", "b.bam", "logs/divvy/measure_coverage/b.")
    assert (project / "results/coverage/a/peaks.npy").is_file()
    assert not (project / "results/matrix").exists()


def test_a_duplicated_region_is_a_warning(project: Path) -> None:
    (project / "regions.bed").write_text("chr1\t0\t10\nchr1\t0\t10\n")
    assert "1 exact duplicates" in succeed(snakemake(project, "preflight", "--cores", "1"))
