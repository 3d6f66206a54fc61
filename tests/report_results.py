"""Results folders as runs leave them, with simulated numbers, for tests of what is made of them."""

import csv
import gzip
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from divvy_coverage import results
from divvy_coverage.counting.definition import Counting
from divvy_coverage.counting.evidence import Evidence, write_evidence
from divvy_coverage.counting.tally import Tally
from divvy_coverage.files import write_record
from divvy_coverage.problems import Problem, write_problems
from divvy_coverage.samples import Sample, write_samples
from helpers import script, succeed

HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "a \"quoted\" & <b>bold</b> 'label'")


def sheet(n: int, labels: Sequence[str] = ()) -> list[dict[str, str]]:
    """A sheet of `n` samples in two groups and three batches; the first of them have `labels`."""
    return [
        {
            "sample_name": f"s{i:0{len(str(n))}d}",
            "bam": f"bam/s{i}.bam",
            "label": labels[i] if i < len(labels) else f"{('control', 'treated')[i % 2]} {i + 1}",
            "group": ("control", "treated")[i % 2],
            "batch": str(1 + i % 3),
            "age": str(20 + (7 * i) % 60),
            "organism": "human",
            "peaks_file": f"/data/s{i}.narrowPeak",
        }
        for i in range(n)
    ]


def write_results(
    folder: Path,
    samples: Sequence[Mapping[str, str]],
    region_sets: Sequence[str] = ("peak_set",),
    regions: int = 1000,
    paired: bool = True,
    tss: bool = True,
    empty: Sequence[int] = (),
    poor: Sequence[int] = (),
) -> None:
    """Write the files of a finished run of `samples`; those numbered in `empty` have no counts, in `poor` a low FRiP."""
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True, exist_ok=True)
    write_samples([_build_sample(row) for row in samples], folder / results.SAMPLES)
    names = [sample["sample_name"] for sample in samples]
    groups = np.array([sample.get("group", "") == "treated" for sample in samples], float)
    statistics = [_simulate_statistics(rng, paired, tss, i in empty, i in poor) for i in range(len(samples))]
    counting = Counting("fragments" if paired else "reads")
    for name, simulated in zip(names, statistics, strict=True):
        evidence = Evidence("code", [], counting.describe(), simulated["tally"], None, {})
        write_evidence(evidence, folder / results.EVIDENCE.format(sample=name))
    for name in region_sets:
        numbers = [each["statistics"] for each in statistics]
        _write_matrix(rng, folder, name, names, groups, counting, numbers, regions)
    provenance = {
        "version": "0.1.0",
        "created": "2026-11-22T21:00:00+00:00",
        "command": "snakemake --profile divvy",
        "config": {"pep": "samples.csv", "regions": {name: {"bed": f"{name}.bed"} for name in region_sets}},
        "samples_sha256": "ab" * 32,
        "region_sets": dict.fromkeys(region_sets, "cd" * 32),
        "software": {"python": "3.11.7", "snakemake": "9.11.0", "numpy": "2.4.0"},
    }
    write_record(provenance, folder / results.PROVENANCE)


def _build_sample(row: Mapping[str, str]) -> Sample:
    attributes = {key: [value] if value else [] for key, value in row.items() if key not in ("sample_name", "bam")}
    return Sample(row["sample_name"], [row["bam"]], None, attributes)


def _simulate_statistics(rng: np.random.Generator, paired: bool, tss: bool, empty: bool, poor: bool) -> dict[str, Any]:
    """Return the statistics of a sample, and the tally that its curves are drawn from."""
    total = 0 if empty else int(rng.lognormal(17, 0.3))
    kept = int(0.9 * total)
    usable = kept // 2 if paired else kept
    inside = int(usable * np.clip(rng.normal(0.05 if poor else 0.35, 0.03 if not poor else 0.005), 0.01, 1))
    lengths = np.arange(30, 1000)
    shape = np.exp(-((lengths - 60) ** 2) / 800) + 0.3 * np.exp(-((lengths - 195) ** 2) / 1500) + 0.01
    fragments = rng.poisson(shape * (usable / shape.sum()) * rng.normal(1, 0.1, len(shape)).clip(0.5))
    tally = Tally()
    if total:
        tally.mapping_quality[[0, 30, 60]] = total // 50, total // 20, total - total // 50 - total // 20
    if paired:
        tally.fragment_lengths[lengths] = fragments
    distance = np.arange(-2000, 2001)
    profile = rng.poisson((1 + rng.normal(8, 1) * np.exp(-((distance / 150) ** 2))) * 20 * (kept > 0))
    statistics = {
        "usable": usable, "in_regions": inside, "frip": inside / usable if usable else None,
        "frip_own_peaks": None,
        "alignments": total, "unmapped": 0, "duplicates": total // 12, "proper_pairs": total if paired else None,
        "kept": kept, "fragments": int(fragments.sum()) if paired else None,
        "mitochondrial_fraction": float(rng.beta(2, 60)) if total else None,
        "fragment_length_median": 88 if paired and kept else None, "mapping_quality_median": 60 if total else None,
        "excluded_duplicate": total // 12, "excluded_mapping_quality": 0,
        "without_mate": 0 if paired else None, "contradictory_lengths": 0 if paired else None,
        "nrf": 0.9, "pbc1": 0.9, "pbc2": 9.0,
        "tss_enrichment": float(profile[1950:2051].mean() / profile[:100].mean()) if tss and kept else None,
    }  # fmt: skip
    tally.tss_profile = profile if tss else None
    return {"statistics": statistics, "tally": tally}


def _write_matrix(
    rng: np.random.Generator,
    folder: Path,
    region_set: str,
    names: Sequence[str],
    groups: np.ndarray,
    counting: Counting,
    statistics: Sequence[dict[str, Any]],
    regions: int,
) -> None:
    """Write the tables of one region set."""

    def find(path: str) -> Path:
        return folder / path.format(region_set=region_set)

    find(results.STATS).parent.mkdir(parents=True, exist_ok=True)
    libraries = np.array([each["usable"] for each in statistics])
    factors = (libraries / max(1, libraries.mean())).tolist()
    rows = [
        {"sample_name": name, **each, "regions_detected": int(0.9 * regions * (size > 0))}
        | {"library_size": size, "size_factor": factor if size else "", "tmm_factor": ""}
        for name, each, size, factor in zip(names, statistics, libraries.tolist(), factors, strict=True)
    ]
    _write_table(find(results.STATS), rows)
    _write_regions(rng, find(results.REGION_STATS), regions, variance=len(names) > 1)
    k = _write_pca(rng, find(results.PCA), names, groups)
    some = names[:1000]
    _write_correlation(rng, find(results.CORRELATION), some, groups[: len(some)])
    summary = {
        **{"normalization": "log2cpm", "library_size": "usable", "regions": regions, "regions_sha256": "cd" * 32},
        **{"counting": counting.describe(), "most_variable_regions": min(regions, 2000)},
        **{"explained_variance": [0.42 / (c + 1) for c in range(k)]},
        **{"order": [some[i] for i in np.argsort(groups[: len(some)], kind="stable").tolist()]},
    }
    write_record(summary, find(results.SUMMARY))


def _write_regions(rng: np.random.Generator, path: Path, regions: int, variance: bool) -> None:
    mean = rng.lognormal(3, 1.2, regions)
    spread = 0.1 + 1 / mean * rng.lognormal(0, 0.5, regions)
    detection = np.clip(1 - np.exp(-mean / 3) + rng.normal(0, 0.05, regions), 0, 1)
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("region\tchrom\tstart\tend\tmean\tvariance\tdispersion\tdetection_rate\tsupport\n")
        for i, (m, d, rate) in enumerate(zip(mean.tolist(), spread.tolist(), detection.tolist(), strict=True)):
            start, end = 1000 * i, 1000 * i + 500
            spread_cells = f"{m + d * m * m:.6g}\t{d:.6g}" if variance else "\t"
            file.write(f"chr1:{start}-{end}\tchr1\t{start}\t{end}\t{m:.6g}\t{spread_cells}\t{rate:.4g}\t\n")


def _write_pca(rng: np.random.Generator, path: Path, names: Sequence[str], groups: np.ndarray) -> int:
    """Write principal components, and return how many."""
    k = min(10, len(names) - 1)
    scores = rng.normal(0, 1, (len(names), k)) * np.linspace(5, 1, k) + np.outer(groups, np.linspace(12, 0, k))
    rows = [
        {"sample_name": name, **{f"PC{c + 1}": value for c, value in enumerate(row)}}
        for name, row in zip(names, scores.tolist(), strict=True)
    ]
    _write_table(path, rows)
    return k


def _write_correlation(rng: np.random.Generator, path: Path, names: Sequence[str], groups: np.ndarray) -> None:
    noise = rng.normal(0, 0.02, (len(names), len(names)))
    r = 0.8 + 0.15 * (groups[:, None] == groups) + (noise + noise.T) / 2
    np.fill_diagonal(r, 1)
    lines = ["\t".join(["sample_name", *names])]
    lines += ["\t".join([name, *(f"{v:.5f}" for v in row)]) for name, row in zip(names, r.tolist(), strict=True)]
    path.write_text("\n".join(lines) + "\n")


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


EXCLUDED = (
    Problem("<b>x</b>", 14, "paths", "error", "bam: no such file: <i>x</i>.bam"),
    Problem("<b>x</b>", 14, "peaks", "error", "no peaks"),
    Problem("s99", 99, "genome", "error", "other contigs"),
)
WARNINGS = (
    Problem("", None, "columns", "warning", "samples.csv: no peaks"),
    Problem("", None, "regions", "warning", "2 regions end beyond their contig:\n  chr1:5-10\n  <b>chr2</b>:5-10"),
)


def make_report(folder: Path, *region_sets: str, label: str = "label") -> subprocess.CompletedProcess[str]:
    """Make the report of the results in `folder`."""
    outputs = ["--out", "results/report.html", "--pictures", "results/report", "--multiqc", "results/multiqc"]
    options = ["--results", "results", "--region-sets", *region_sets, "--label", label]
    return script("make_report.py", *options, *outputs, folder=folder)


def make_small_report(folder: Path, n: int, **options: Any) -> Path:
    """Make the report of a plain sheet of `n` samples, without attributes."""
    rows = [{"sample_name": f"NA{i}" if i else "NA", "bam": "x.bam"} for i in range(n)]
    write_results(folder / "results", rows, **options)
    succeed(make_report(folder, "peak_set"))
    return folder / "results" / "report.html"


def make_hostile_report(folder: Path) -> Path:
    """Make the report of 12 samples with hostile labels and attributes, and return the folder of the results."""
    samples = [
        row | {"image": f"{HOSTILE[0]} {i % 2}", "a.b[0]</b>": str(i % 3)} for i, row in enumerate(sheet(12, HOSTILE))
    ]
    made = folder / "results"
    write_results(made, samples, ["peak_set", "promoters"], regions=200, empty=[4], poor=[7])
    write_problems(EXCLUDED, made / results.EXCLUDED)
    write_problems(WARNINGS, made / results.WARNINGS)
    succeed(make_report(folder, "peak_set", "promoters"))
    return made
