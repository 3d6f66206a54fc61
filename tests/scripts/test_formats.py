"""The formats of the matrix, as those who use them read them: every value, every name, and their order."""

import gzip
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

import collect_coverage as collect
from divvy_coverage.intervals.regions import read_regions
from divvy_coverage.matrix import formats
from divvy_coverage.matrix.cohort import read_cohort
from divvy_coverage.matrix.collecting import collect_coverage, write_matrix
from divvy_coverage.matrix.normalization import METHODS, fit
from divvy_coverage.matrix.tables import infer_type
from divvy_coverage.samples import Sample, write_samples
from helpers import CLONE, command, in_r, script, succeed, write_cohort

NAMES = ["zeta", "1e5", "007", "NA", "nan", "null", "None", "T", ".5"]
HOSTILE = ["<script>alert('x')</script>", "\"quoted\", 'too'", "tab\there", "ü→日本", "", "%=1+1", "NA", "a;b", "\\n"]
ATTRIBUTES: dict[str, list[str]] = {
    "bam": [f"/data/{name}.bam" for name in NAMES],
    "group": HOSTILE,
    "age": ["1", "", "-3", "40", "5", "6", "7", "8", "9"],
    "batch": ["1", "2", "-3", "40", "5", "6", "7", "8", "900000000000000"],
    "dose/µM": ["0.5", "1e-05", "3", "0", "1", "1", "1", "1", "1.5e+20"],
    "dose_µM": ["0.5 mM"] * 9,
    "patient": ["007"] * 9,
    "well": ["1E5"] * 9,
    "barcode": ["9007199254740993"] * 9,
    "nothing": [""] * 9,
    "alignments": ["mine"] * 9,
    ".": ["dot"] * 9,
    "": ["no name"] * 9,
    "nul": ["a\0b"] * 9,
}
LONG = {"b": "'ü'\n% \"quoted\" " + "x" * 3000, "a": {"b": [1], "a": None}}
INPUTS = ["--samples", "s.tsv", "--regions", "r.bed", "--coverage", "cov", "--stats", "stats.tsv"]


@dataclass(frozen=True)
class Written:
    """A folder with matrices in all formats, and what they have to hold."""

    folder: Path
    samples: list[str]
    regions: list[str]
    counts: np.ndarray  # regions × samples
    normalized: np.ndarray

    def values(self, kind: str) -> np.ndarray:
        return self.counts if kind == "raw" else self.normalized


def options(kind: str, out: str) -> list[str]:
    return [*INPUTS, "--region-stats", "regions.tsv.gz", "--kind", kind, "--out", out]


def prepare(folder: Path, counts: np.ndarray, method: str = "log2cpm") -> Written:
    """Write everything that collect_coverage.py reads."""
    names = NAMES[: counts.shape[1]] if counts.shape[1] <= len(NAMES) else []
    sizes = [1_000_003 + 7 * number for number in range(counts.shape[1])]
    cohort = write_cohort(folder, counts, names, sizes)
    sheet = [{k: v[i].split("\n") if v[i] else [] for k, v in ATTRIBUTES.items()} for i in range(len(names))]
    if names:
        write_samples([Sample(name, attributes=row) for name, row in zip(names, sheet, strict=True)], folder / "s.tsv")
    succeed(script("summarize_coverage.py", *INPUTS, "--region-stats", "regions.tsv.gz", folder=folder))
    stats = pd.read_csv(folder / "stats.tsv", sep="\t")
    factors = [stats[name].to_numpy() for name in ("library_size", "size_factor", "tmm_factor")]
    normalization = fit(method, cohort, *factors)
    values = [normalization.apply(i, cohort.counts(i), slice(None)) for i in range(len(sizes))]
    return Written(folder, cohort.names, cohort.regions.names(), counts, np.array(values).T)


SHAPES = {"many": (23, len(NAMES)), "one_region": (1, len(NAMES)), "one_sample": (23, 1)}


def write_all(folder: Path, shape: tuple[int, int]) -> Written:
    """Write a matrix in all formats, in blocks of a few rows."""
    counts = np.random.default_rng(5).negative_binomial(1, 0.1, shape)
    counts[0, 0] = 2**31 - 1
    counts[-1, -1] = 0
    prepared = prepare(folder, counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(formats, "BLOCK", 5 * 4 * shape[1])  # five rows of counts, two of normalized values
        patch.setattr(formats, "CSV_BATCH", 3 * shape[1])
        for kind in ("raw", "norm"):
            for suffix in formats.WRITERS:
                collect.main(options(kind, f"matrix_{kind}{suffix}"))
    return prepared


@pytest.fixture(scope="module", params=SHAPES)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_all(tmp_path_factory.mktemp(request.param), SHAPES[request.param])


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write_all(tmp_path_factory.mktemp("many"), SHAPES["many"])


Found = tuple[list[str], list[str], np.ndarray]  # regions, samples, values (regions × samples)
IN_R = """
write <- function(matrix, regions, samples) {
  stopifnot(nrow(matrix) == length(regions), ncol(matrix) == length(samples))
  writeLines(regions, "found_regions")
  writeLines(samples, "found_samples")
  writeBin(as.double(matrix), "found_values")
}
"""


def from_r(code: str, folder: Path, *packages: str) -> Found:
    succeed_in_r = in_r(IN_R + code, folder, *packages)
    regions, samples = ((folder / f"found_{what}").read_text().splitlines() for what in ("regions", "samples"))
    values = np.fromfile(folder / "found_values")
    assert "Warning" not in succeed_in_r
    return regions, samples, values.reshape((len(regions), len(samples)), order="F")


def csv_in_pandas(path: Path, readers: Path) -> Found:
    frame = pd.read_csv(path, index_col="region")
    return list(frame.index), list(frame.columns), frame.to_numpy()


def csv_in_r(path: Path, readers: Path) -> Found:
    code = f'm <- as.matrix(read.csv("{path.name}", row.names = "region", check.names = FALSE))'
    return from_r(f"{code}\nwrite(m, rownames(m), colnames(m))", path.parent)


def csv_in_data_table(path: Path, readers: Path) -> Found:
    code = f'd <- data.table::fread(cmd = "gzip -dc {path.name}", header = TRUE, na.strings = NULL)'
    return from_r(f"{code}\nwrite(as.matrix(d[, -1]), d$region, names(d)[-1])", path.parent, "data.table")


def parquet_in_pandas(path: Path, readers: Path) -> Found:
    frame = pd.read_parquet(path)
    assert frame.index.name == "region"
    return list(frame.index), list(frame.columns), frame.to_numpy()


def parquet_in_pyarrow(path: Path, readers: Path) -> Found:
    table = pa.parquet.read_table(path)
    regions, *columns = table.columns
    return regions.to_pylist(), table.column_names[1:], np.array([column.to_numpy() for column in columns]).T


def h5ad_in_anndata(path: Path, readers: Path) -> Found:
    code = (
        "import anndata, json, numpy, sys, warnings\n"
        "warnings.simplefilter('error')\n"
        "data = anndata.read_h5ad(sys.argv[1])\n"
        "numpy.save('found.npy', data.X.T)\n"
        "print(json.dumps([list(data.var_names), list(data.obs_names)]))\n"
    )
    regions, samples = json.loads(succeed(command(readers / "python", "-c", code, path, folder=path.parent)))
    return regions, samples, np.load(path.parent / "found.npy")


def h5ad_in_r(path: Path, readers: Path) -> Found:
    code = f'read <- function(name) rhdf5::h5read("{path.name}", name)'
    return from_r(f'{code}\nwrite(read("X"), read("var/region"), read("obs/sample_name"))', path.parent, "rhdf5")


def names_of_mtx(folder: Path) -> tuple[list[str], list[str]]:
    regions = pd.read_csv(folder / "regions.tsv.gz", sep="\t", usecols=["region"])["region"]
    samples = pd.read_csv(folder / "stats.tsv", sep="\t", dtype={"sample_name": str}, keep_default_na=False)
    return list(regions), list(samples["sample_name"])


def mtx_in_scipy(path: Path, readers: Path) -> Found:
    return *names_of_mtx(path.parent), scipy.io.mmread(path).toarray()


def mtx_in_r(path: Path, readers: Path) -> Found:
    code = f"""
    regions <- read.delim(gzfile("regions.tsv.gz"))$region
    samples <- read.delim("stats.tsv", colClasses = c(sample_name = "character"), na.strings = "")$sample_name
    write(as.matrix(Matrix::readMM(gzfile("{path.name}"))), regions, samples)
    """
    return from_r(code, path.parent, "Matrix")


READERS: dict[str, tuple[Callable[[Path, Path], Found], ...]] = {
    ".csv.gz": (csv_in_pandas, csv_in_r, csv_in_data_table),
    ".parquet": (parquet_in_pandas, parquet_in_pyarrow),
    ".h5ad": (h5ad_in_anndata, h5ad_in_r),
    ".mtx.gz": (mtx_in_scipy, mtx_in_r),
}
ELSEWHERE = (csv_in_r, csv_in_data_table, h5ad_in_anndata, h5ad_in_r, mtx_in_r)  # R, or another environment
CASES = [
    pytest.param(suffix, read, id=read.__name__, marks=[pytest.mark.slow] if read in ELSEWHERE else [])
    for suffix, of_suffix in READERS.items()
    for read in of_suffix
]


@pytest.mark.parametrize("kind", ["raw", "norm"])
@pytest.mark.parametrize(("suffix", "read"), CASES)
def test_each_format_holds_every_value_and_name(
    written: Written, request: pytest.FixtureRequest, suffix: str, read: Callable[[Path, Path], Found], kind: str
) -> None:
    readers = request.getfixturevalue("readers") if read is h5ad_in_anndata else Path()  # the others need no more
    regions, samples, values = read(written.folder / f"matrix_{kind}{suffix}", readers)
    assert regions == written.regions
    assert samples == written.samples
    np.testing.assert_array_equal(values, written.values(kind))


OBSERVED = """
import anndata, json, sys
data = anndata.read_h5ad(sys.argv[1])
frames = {"obs": data.obs, "var": data.var}
for frame in frames.values():
    assert not any(str(kind) == "category" for kind in frame.dtypes)
print(json.dumps({
    "columns": {name: {c: f[c].astype(object).where(f[c].notna(), None).tolist() for c in f} for name, f in frames.items()},
    "types": {name: {c: str(f[c].dtype) for c in f} for name, f in frames.items()},
    "index": [data.obs.index.name, data.var.index.name],
    "uns": dict(data.uns),
    "layers": {name: [str(layer.dtype), layer.T.tolist()] for name, layer in data.layers.items()},
    "type": str(data.X.dtype),
}))
"""


def observed(path: Path, readers: Path) -> dict:
    return json.loads(succeed(command(readers / "python", "-c", OBSERVED, path, folder=path.parent)))


@pytest.mark.slow
def test_anndata_has_the_attributes_and_statistics_of_samples(written: Written, readers: Path) -> None:
    found = observed(written.folder / "matrix_raw.h5ad", readers)
    n = len(written.samples)
    columns, types = found["columns"]["obs"], found["types"]["obs"]
    assert found["index"] == ["sample_name", "region"]
    assert list(columns)[: len(ATTRIBUTES)] == [
        *("bam", "group", "age", "batch", "dose_µM", "dose_µM_", "patient", "well", "barcode", "nothing"),
        *("alignments", "_", "__", "nul"),
    ]
    for name in ("bam", "group", "patient", "well", "barcode", "alignments"):
        assert columns[name] == [value.replace("\t", " ") for value in ATTRIBUTES[name][:n]], name
    assert columns["batch"] == [int(cell) for cell in ATTRIBUTES["batch"][:n]]
    assert columns["dose_µM"] == [float(cell) for cell in ATTRIBUTES["dose/µM"][:n]]
    assert columns["age"] == [float(cell) if cell else None for cell in ATTRIBUTES["age"][:n]]
    assert columns["dose_µM_"] == ["0.5 mM"] * n
    assert (columns["_"], columns["__"], columns["nul"]) == (["dot"] * n, ["no name"] * n, ["ab"] * n)
    assert columns["nothing"] == columns["tss_enrichment"] == [None] * n
    assert None not in columns["tmm_factor"]
    sums = written.counts.sum(axis=0, dtype=np.int64)
    assert columns["alignments_counted"] == (3 * sums).tolist()
    assert columns["regions_detected"] == (written.counts > 0).sum(axis=0).tolist()
    assert {types[name] for name in ("batch", "alignments_counted", "regions_detected")} == {"int64"}
    assert {types[name] for name in ("dose_µM", "nothing", "tmm_factor", "tss_enrichment")} == {"float64"}


@pytest.mark.slow
def test_anndata_has_the_statistics_of_regions(many: Written, readers: Path) -> None:
    found = observed(many.folder / "matrix_raw.h5ad", readers)
    columns = found["columns"]["var"]
    assert list(columns) == ["chrom", "start", "end", "mean", "variance", "dispersion", "detection_rate", "support"]
    names = [f"{c}:{s}-{e}" for c, s, e in zip(columns["chrom"], columns["start"], columns["end"], strict=True)]
    assert names == many.regions
    assert columns["detection_rate"] == (many.counts > 0).mean(axis=1).tolist()
    assert columns["support"] == [None] * len(names)


@pytest.mark.slow
def test_anndata_has_the_counts_beside_normalized_values(many: Written, readers: Path) -> None:
    raw, norm = (observed(many.folder / f"matrix_{kind}.h5ad", readers) for kind in ("raw", "norm"))
    assert (raw["uns"]["normalization"], norm["uns"]["normalization"]) == ("none", "log2cpm")
    assert (raw["type"], raw["layers"]) == ("int32", {})
    assert (norm["type"], norm["layers"]) == ("float64", {"raw": ["int32", many.counts.tolist()]})


def test_parquet_has_integers_and_real_numbers(many: Written) -> None:
    for kind, type_ in (("raw", np.int32), ("norm", np.float64)):
        assert set(pd.read_parquet(many.folder / f"matrix_{kind}.parquet").dtypes) == {np.dtype(type_)}


def described(path: Path) -> dict:
    """Return what a file tells of how it was made."""
    if path.suffix == ".parquet":
        text = pa.parquet.read_schema(path).metadata[b"divvy_coverage"].decode()
    elif path.suffix == ".h5ad":
        with h5py.File(path) as file:
            text = file["uns/divvy_coverage"].asstr()[()]
    else:
        lines = gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
        comments = [line for line in lines[1:] if line.startswith("%")]
        assert max(map(len, comments)) <= 1024
        assert comments == lines[1 : 1 + len(comments)]
        text = "".join(line.removeprefix("%") for line in comments)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    return json.loads(text)


@pytest.mark.parametrize("suffix", [".parquet", ".h5ad", ".mtx.gz"])
@pytest.mark.parametrize(("kind", "method"), [("raw", "none"), ("norm", "log2cpm")])
def test_files_tell_how_they_were_made(many: Written, suffix: str, kind: str, method: str) -> None:
    found = described(many.folder / f"matrix_{kind}{suffix}")
    about = found.pop("matrix")
    assert found.keys() == {"version", "software", "samples_sha256"}
    assert (about["normalization"], about["regions"]) == (method, len(many.regions))
    assert about["regions_sha256"] == read_regions(many.folder / "r.bed").sha256()
    assert about["counting"]["exclude_flags"] == 3844


@pytest.mark.parametrize("suffix", [".parquet", ".h5ad", ".mtx.gz"])
def test_metadata_of_any_length_and_content_are_kept(many: Written, suffix: str) -> None:
    samples, regions, coverage, *tables = (
        many.folder / name for name in ("s.tsv", "r.bed", "cov", "stats.tsv", "regions.tsv.gz")
    )
    cohort = read_cohort(samples, regions, coverage)
    matrix = replace(collect_coverage(cohort, samples, *tables, "none"), metadata=LONG)
    path = many.folder / f"long{suffix}"
    write_matrix(matrix, path)
    assert described(path) == LONG


@pytest.mark.parametrize("kind", ["raw", "norm"])
@pytest.mark.parametrize("suffix", formats.WRITERS)
def test_the_same_matrix_gives_the_same_bytes(many: Written, suffix: str, kind: str) -> None:
    first, second = (many.folder / f"{which}{suffix}" for which in ("first", "second"))
    for out in (first, second):
        succeed(script("collect_coverage.py", *options(kind, out.name), folder=many.folder))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("kind", ["raw", "norm"])
def test_a_csv_does_not_depend_on_blocks(many: Written, kind: str) -> None:
    succeed(script("collect_coverage.py", *options(kind, "whole.csv.gz"), folder=many.folder))
    blocks, whole = (
        gzip.decompress((many.folder / f"{name}.csv.gz").read_bytes()) for name in (f"matrix_{kind}", "whole")
    )
    assert blocks == whole


@pytest.mark.parametrize("method", METHODS)
def test_each_normalization_is_the_same_in_all_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    counts = np.random.default_rng(8).poisson(2, (40, 4))
    counts[:9] += 1  # for the size factors
    prepared = prepare(tmp_path, counts, method)
    monkeypatch.chdir(tmp_path)
    for suffix in formats.WRITERS:
        collect.main([*options("norm", f"m{suffix}"), "--normalization", method])
    found = [read(tmp_path / f"m{suffix}", tmp_path)[2] for suffix, (read, *_) in READERS.items() if suffix != ".h5ad"]
    with h5py.File(tmp_path / "m.h5ad") as file:
        found.append(file["X"][:].T)
    for values in found:
        np.testing.assert_array_equal(values, prepared.normalized)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1)
    | st.lists(st.integers(0, 2**31 - 1), min_size=1)
)
def test_numbers_are_spelled_exactly(values: list[float]) -> None:
    whole = isinstance(values[0], int)
    spelled = formats.spell(np.array(values, np.int32 if whole else np.float64))
    assert [(int if whole else float)(text) for text in spelled.to_pylist()] == values


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["1.50", "1e-05", "2E5"], ["1.50", "1e-05", "2E5"]),
        (["1.50", "1e-05", "2e+5"], [1.5, 1e-5, 2e5]),
        (["01", "2"], ["01", "2"]),
        (["+1", "2"], ["+1", "2"]),
        (["1\n2", "2"], ["1\n2", "2"]),
        (["nan", "2"], ["nan", "2"]),
        (["١", "2"], ["١", "2"]),
        (["123456789012345"], [123456789012345]),
        (["1234567890123456"], ["1234567890123456"]),
    ],
)
def test_numbers_are_told_from_names(cells: list[str], found: list) -> None:
    assert infer_type(cells).to_pylist() == found


def test_a_killed_collect_leaves_no_half_file_and_the_next_cleans_up(tmp_path: Path) -> None:
    prepare(tmp_path, np.random.default_rng(2).poisson(5, (20_000, 100)))
    out = "m.csv.gz"
    words = [sys.executable, str(CLONE / "scripts" / "collect_coverage.py"), *options("norm", out)]
    with subprocess.Popen(words, cwd=tmp_path) as process:
        while not list(tmp_path.glob(".*")):
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.001)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / out).exists()
    (tmp_path / f".another.{out}").touch()
    assert len(list(tmp_path.glob(f".*{out}"))) == 2
    succeed(script("collect_coverage.py", *options("norm", out), folder=tmp_path))
    assert (tmp_path / out).exists()
    assert [path.name for path in tmp_path.glob(".*")] == [f".another.{out}"]


def test_more_samples_than_files_can_be_open(tmp_path: Path) -> None:
    prepare(tmp_path, np.random.default_rng(2).poisson(5, (20, 100)))
    outs = {f"{kind}{suffix}": kind for kind in ("raw", "norm") for suffix in formats.WRITERS}
    code = (
        "import resource, sys\n"
        f"sys.path.insert(0, {str(CLONE / 'scripts')!r})\n"
        "import collect_coverage\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))\n"
        f"for words in {[options(kind, out) for out, kind in outs.items()]!r}:\n"
        "    collect_coverage.main(words)\n"
    )
    succeed(command(sys.executable, "-c", code, folder=tmp_path))
    assert all((tmp_path / out).exists() for out in outs)


def lines_of_the_readme(language: str) -> str:
    """Return the lines of the README that read results, with the names that the files of these tests have."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", (CLONE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (code,) = (block for block in blocks if "peak_set.matrix_raw.csv.gz" in block)
    files = {"samples.tsv": "s.tsv", "region_stats.tsv.gz": "regions.tsv.gz"}
    return re.sub(r"results/(?:matrix/peak_set\.)?([\w.]+)", lambda found: files.get(found[1], found[1]), code)


def test_the_readme_reads_odd_names_in_python(many: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(many.folder)
    found: dict[str, pd.DataFrame] = {}
    exec(lines_of_the_readme("python"), found)
    assert list(found["matrix"].columns) == list(found["samples"].index) == many.samples
    assert list(found["matrix"].index) == many.regions
    assert found["samples"].loc["007", "library_size"] == pd.read_csv("stats.tsv", sep="\t").library_size[2]
    assert found["samples"].dtypes["usable"] == np.int64


@pytest.mark.slow
def test_the_readme_reads_odd_names_and_0_based_regions_in_r(many: Written) -> None:
    code = lines_of_the_readme("r").partition("dds <-")[0]
    bed = [line.split("\t") for line in (many.folder / "r.bed").read_text().splitlines()]
    starts, widths = (
        ", ".join(map(str, values)) for values in zip(*((int(s) + 1, int(e) - int(s)) for _, s, e in bed), strict=True)
    )
    check = f"""
stopifnot(identical(colnames(counts), rownames(samples)), identical(rownames(samples)[3:4], c("007", "NA")))
stopifnot(all(GenomicRanges::start(regions) == c({starts})), all(GenomicRanges::width(regions) == c({widths})))
stopifnot(identical(samples["NA", "age"], 40L))
"""
    in_r(code + check, many.folder, "GenomicRanges")
