"""Normalizations and factors: against their definitions, written out, and against edgeR, DESeq2 and limma."""

import math
from pathlib import Path
from statistics import fmean, median

import numpy as np
import pytest
from numpy.typing import NDArray

from divvy_coverage.errors import UserError
from divvy_coverage.intervals.regions import Regions
from divvy_coverage.matrix.cohort import Cohort
from divvy_coverage.matrix.factors import compute_size_factors, compute_tmm_factors
from divvy_coverage.matrix.normalization import METHODS, describe, fit, is_logarithmic
from helpers import in_r

Floats = NDArray[np.float64]
EVERYTHING = slice(None)
REAL = {
    "peaks": "atac-scate8-hg19.consensus/reads_primary.tsv",
    "fragments in peaks": "atac-scate8-hg19.consensus/fragments_span_properpair.tsv",
    "sparse": "atac-scate8-hg19.REMC_chr1/reads_primary.tsv",
    "gene bodies": "chip-metagene-mm.list1.bed/reads_primary.tsv",
    "insertions": "chip-metagene-mm.list2.bed/cut5p_primary.tsv",
}


def write_cohort(folder: Path, counts: NDArray[np.integer], lengths: NDArray[np.integer] | None = None) -> Cohort:
    """Write counts (regions, samples) as counting does; samples are s0, s1, …"""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"s{sample}" for sample in range(counts.shape[1])]
    for name, column in zip(names, counts.T, strict=True):
        (folder / name).mkdir(exist_ok=True)
        np.save(folder / name / "r.npy", column.astype(np.int32))
    starts = np.arange(len(counts)) * 10_000
    lengths = np.arange(len(counts)) % 977 + 24 if lengths is None else lengths
    return Cohort(names, Regions.from_names(["chr1"] * len(counts), starts, starts + lengths), "r", folder)


def matrix(cohort: Cohort) -> NDArray[np.int64]:
    return np.column_stack([cohort.counts(sample) for sample in range(len(cohort))]).astype(np.int64)


def usable(cohort: Cohort) -> NDArray[np.int64]:
    """Library sizes as if some of what is usable were in no region."""
    sums = matrix(cohort).sum(axis=0)
    return sums + sums // 3 + 1000 + np.arange(len(sums)) * 37


def normalized(method: str, cohort: Cohort, library_sizes: NDArray) -> Floats:
    factors = compute_size_factors(cohort), compute_tmm_factors(cohort, library_sizes)
    normalization = fit(method, cohort, library_sizes, *factors)
    return np.column_stack([normalization.apply(s, cohort.counts(s), EVERYTHING) for s in range(len(cohort))])


def simulated(regions: int = 5000, samples: int = 30, depth: float = 40.0, seed: int = 0) -> NDArray[np.int64]:
    """Overdispersed counts; the first regions have none."""
    random = np.random.default_rng(seed)
    means = depth * random.lognormal(0, 1, (regions, 1)) * random.lognormal(0, 0.7, samples)
    counts = random.negative_binomial(1.5, 1.5 / (1.5 + means))
    counts[: regions // 20] = 0
    return counts


def simulations() -> dict[str, NDArray[np.int64]]:
    large, empty = simulated(), simulated(seed=1)
    large[1000:1003, :7] = 2_000_000_000
    empty[:, 11] = 0
    tied = {f"ties {seed}": simulated(60, 2 + seed % 5, depth=6, seed=seed) for seed in range(25)}
    return {
        "large counts": large,
        "empty sample": empty,
        "sparse": simulated(3000, 12, depth=0.08),
        "nearest upper quartiles": np.array([[1, 2, 1, 5, 5], [2, 3, 1, 11, 3], [0, 3, 1, 3, 1]]),
        **tied,
    }


@pytest.fixture(params=["real", "simulated"])
def cohorts(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Cohort]:
    """Cohorts to compare with R."""
    if request.param == "simulated":
        return {name: write_cohort(tmp_path / name, counts) for name, counts in simulations().items()}
    tables = request.getfixturevalue("data") / "_expected"
    written = {}
    for name, path in REAL.items():
        table = np.loadtxt(tables / path, np.int64, skiprows=1, converters={0: len}, encoding="utf-8")
        written[name] = write_cohort(tmp_path / name, table[:, 3:], table[:, 2] - table[:, 1])
    return written


def by_r(code: str, cohorts: dict[str, Cohort], sizes: dict[str, NDArray], package: str, folder: Path) -> list[Floats]:
    """Return what R code makes of `counts` (a matrix), `sizes` and `lengths` of each cohort, to the last bit."""
    for number, (name, cohort) in enumerate(cohorts.items()):
        counts, lengths = matrix(cohort), cohort.regions.ends - cohort.regions.starts
        values = [counts.shape, lengths, sizes[name], counts.T.ravel()]
        np.concatenate(values).astype(np.float64).tofile(folder / f"{number}.in")
    loop = f"""for (number in 0:{len(cohorts) - 1}) {{
        values <- readBin(paste0(number, ".in"), "double", 1e7)
        rows <- values[1]
        columns <- values[2]
        lengths <- values[2 + seq_len(rows)]
        sizes <- values[2 + rows + seq_len(columns)]
        counts <- matrix(as.integer(values[-seq_len(2 + rows + columns)]), rows)
        result <- suppressWarnings({{ {code} }})
        writeBin(as.double(result), paste0(number, ".out"))
    }}"""
    in_r(loop, folder, package)
    return [np.fromfile(folder / f"{number}.out") for number in range(len(cohorts))]


def assert_equal(found: Floats, expected: Floats, name: str) -> None:
    np.testing.assert_allclose(found.T.ravel(), expected, rtol=1e-9, atol=0, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("cpm", "edgeR::cpm(counts, lib.size = sizes)"),
        ("log2cpm", "log2(1 + edgeR::cpm(counts, lib.size = sizes))"),
        ("rpkm", "edgeR::rpkm(counts, gene.length = lengths, lib.size = sizes)"),
        (
            "tmm",
            """tags <- edgeR::DGEList(counts, lib.size = sizes)
            edgeR::cpm(edgeR::calcNormFactors(tags))""",
        ),
        ("quantile", "limma::normalizeQuantiles(counts)"),
    ],
)
def test_values_are_those_of_r(cohorts: dict[str, Cohort], tmp_path: Path, method: str, code: str) -> None:
    sizes = {name: usable(cohort) for name, cohort in cohorts.items()}
    package = "limma" if method == "quantile" else "edgeR"
    for name, expected in zip(cohorts, by_r(code, cohorts, sizes, package, tmp_path), strict=True):
        assert_equal(normalized(method, cohorts[name], sizes[name]), expected, name)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["usable", "in regions", "equal"])
def test_tmm_factors_are_those_of_edger(cohorts: dict[str, Cohort], tmp_path: Path, of: str) -> None:
    sums = {name: matrix(cohort).sum(axis=0) for name, cohort in cohorts.items()}
    sizes = {
        "usable": {name: usable(cohort) for name, cohort in cohorts.items()},
        "in regions": sums,
        "equal": {name: np.full(len(sum_), sum_.max() + 1) for name, sum_ in sums.items()},
    }[of]
    # edgeR stops at a library size of 0
    code = """factors <- rep(1, columns)
    factors[sizes > 0] <- edgeR::calcNormFactors(counts[, sizes > 0], lib.size = sizes[sizes > 0])
    factors"""
    for name, expected in zip(cohorts, by_r(code, cohorts, sizes, "edgeR", tmp_path), strict=True):
        factors = compute_tmm_factors(cohorts[name], sizes[name])
        assert_equal(factors, expected, name)
        assert math.isclose(factors.prod(), 1)


@pytest.mark.slow
def test_size_factors_are_those_of_deseq2(cohorts: dict[str, Cohort], tmp_path: Path) -> None:
    sizes = {name: usable(cohort) for name, cohort in cohorts.items()}
    code = """tryCatch(DESeq2::estimateSizeFactorsForMatrix(counts), error = function(stopped) {
        stopifnot(grepl("every gene contains at least one zero", conditionMessage(stopped)))
        rep(NA, columns)
    })"""
    results = by_r(code, cohorts, sizes, "DESeq2", tmp_path)
    assert {bool(np.isnan(result[0])) for result in results} == {True, False}
    for name, expected in zip(cohorts, results, strict=True):
        factors = compute_size_factors(cohorts[name])
        assert_equal(factors, expected, name)
        if not np.isnan(expected[0]):
            ratios = matrix(cohorts[name]) / expected
            assert_equal(normalized("median_of_ratios", cohorts[name], sizes[name]), ratios.T.ravel(), name)


def expected_size_factors(counts: NDArray) -> list[float]:
    everywhere = [[math.log(count) for count in row] for row in counts.tolist() if all(row)]
    return [math.exp(median(logs[sample] - fmean(logs) for logs in everywhere)) for sample in range(counts.shape[1])]


def expected_quantiles(counts: NDArray) -> NDArray:
    means = np.sort(counts, axis=0).mean(axis=1)
    values = np.empty(counts.shape)
    for row, column in np.ndindex(*counts.shape):
        below = np.count_nonzero(counts[:, column] < counts[row, column])
        place = below + (np.count_nonzero(counts[:, column] == counts[row, column]) - 1) / 2
        values[row, column] = (means[math.floor(place)] + means[math.ceil(place)]) / 2
    return values


def rank(values: list[float], value: float) -> float:
    return sum(other < value for other in values) + (values.count(value) + 1) / 2


def expected_tmm_factors(counts: NDArray, sizes: NDArray) -> list[float]:
    counts = counts[counts.any(axis=1)]
    fractions = [float(np.quantile(column, 0.75)) / size for column, size in zip(counts.T, sizes, strict=True)]
    reference = min(range(len(fractions)), key=lambda sample: abs(fractions[sample] - fmean(fractions)))
    logs = []
    for sample in range(len(sizes)):
        ratios, means, weights = [], [], []
        for count, other in counts[:, [sample, reference]].tolist():
            if count and other:
                fraction, other_fraction = count / sizes[sample], other / sizes[reference]
                ratios.append(math.log2(fraction / other_fraction))
                means.append(math.log2(fraction) / 2 + math.log2(other_fraction) / 2)
                weights.append(1 / (1 / count - 1 / sizes[sample] + 1 / other - 1 / sizes[reference]))
        trimmed = [math.floor(len(ratios) * trim) for trim in (0.3, 0.05)]
        keep = [
            index
            for index in range(len(ratios))
            if trimmed[0] < rank(ratios, ratios[index]) <= len(ratios) - trimmed[0]
            and trimmed[1] < rank(means, means[index]) <= len(ratios) - trimmed[1]
        ]
        logs.append(sum(ratios[i] * weights[i] for i in keep) / sum(weights[i] for i in keep))
    return [2 ** (log - fmean(logs)) for log in logs]


@pytest.mark.parametrize("method", METHODS)
def test_values_are_as_defined(tmp_path: Path, method: str) -> None:
    cohort = write_cohort(tmp_path, simulated(200, 6))
    counts, sizes, lengths = matrix(cohort), usable(cohort), cohort.regions.ends - cohort.regions.starts
    million = 1e6 * counts / sizes
    definitions = {
        "cpm": lambda: million,
        "log2cpm": lambda: np.log2(1 + million),
        "rpkm": lambda: million / (lengths[:, None] / 1000),
        "median_of_ratios": lambda: counts / expected_size_factors(counts),
        "tmm": lambda: 1e6 * counts / (sizes * expected_tmm_factors(counts, sizes)),
        "quantile": lambda: expected_quantiles(counts),
    }
    np.testing.assert_allclose(normalized(method, cohort, sizes), definitions[method](), rtol=1e-9)


def test_values_by_hand(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, np.array([[1, 8], [3, 0], [4, 2]]), lengths=np.array([500, 2000, 1000]))
    sizes = np.array([1_000_000, 4_000_000])
    assert normalized("cpm", cohort, sizes).tolist() == [[1, 2], [3, 0], [4, 0.5]]
    assert normalized("log2cpm", cohort, sizes)[:2].tolist() == [[1, np.log2(3)], [2, 0]]
    assert normalized("rpkm", cohort, sizes).tolist() == [[2, 4], [1.5, 0], [4, 0.5]]
    assert normalized("quantile", cohort, sizes).tolist() == [[0.5, 6], [2.5, 0.5], [6, 2.5]]
    assert compute_size_factors(cohort) == pytest.approx([math.sqrt(1 / 2), math.sqrt(2)])


@pytest.mark.parametrize("method", METHODS)
def test_rows_give_what_they_give_among_all(tmp_path: Path, method: str) -> None:
    counts = simulated(1000, 3)
    counts[7, 0] = 2_000_000_000
    cohort = write_cohort(tmp_path, counts)
    sizes = usable(cohort)
    everything = normalized(method, cohort, sizes)
    normalization = fit(method, cohort, sizes, compute_size_factors(cohort), compute_tmm_factors(cohort, sizes))
    blocks = [slice(0, 1), slice(990, 2000), slice(5, 5), np.array([999, 7, 8, 7]), np.array([], np.intp)]
    for sample in range(3):
        for rows in blocks:
            values = normalization.apply(sample, cohort.counts(sample)[rows], rows)
            assert values.dtype == np.float64
            np.testing.assert_array_equal(values, everything[rows, sample])


@pytest.mark.parametrize("method", [method for method in METHODS if method != "rpkm"])
def test_equal_counts_have_equal_values(tmp_path: Path, method: str) -> None:
    cohort = write_cohort(tmp_path, simulated(400, 3))
    values = normalized(method, cohort, usable(cohort))
    for sample in range(3):
        distinct = np.unique(np.column_stack([cohort.counts(sample), values[:, sample]]), axis=0)
        assert len(distinct) == len(np.unique(cohort.counts(sample)))
        assert (np.diff(distinct[:, 1]) >= 0).all()


@pytest.mark.parametrize("method", [method for method in METHODS if method != "median_of_ratios"])
def test_a_sample_without_a_library_has_zeros_and_leaves_the_others_alone(tmp_path: Path, method: str) -> None:
    counts = simulated(300, 5)
    with_empty = np.insert(counts, 2, 0, axis=1)
    cohort = write_cohort(tmp_path / "with", with_empty)
    values = normalized(method, cohort, with_empty.sum(axis=0))
    assert not values[:, 2].any()
    without = normalized(method, write_cohort(tmp_path / "without", counts), counts.sum(axis=0))
    np.testing.assert_array_equal(np.delete(values, 2, axis=1), without)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 2), (50, 1)])
def test_small_cohorts_have_values(tmp_path: Path, method: str, shape: tuple[int, int]) -> None:
    cohort = write_cohort(tmp_path, np.arange(1, shape[0] * shape[1] + 1).reshape(shape))
    values = normalized(method, cohort, usable(cohort))
    assert np.isfinite(values).all()
    assert (values > 0).all()


def test_one_sample_stays_as_it_is(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, simulated(100, 1))
    assert compute_size_factors(cohort).tolist() == [1]
    assert compute_tmm_factors(cohort, usable(cohort)).tolist() == [1]
    for method in ("median_of_ratios", "quantile"):
        np.testing.assert_array_equal(normalized(method, cohort, usable(cohort)), matrix(cohort))


def test_one_region_becomes_the_mean(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, np.array([[2, 3, 7]]))
    assert normalized("quantile", cohort, usable(cohort)).tolist() == [[4, 4, 4]]


@pytest.mark.parametrize("largest", [3, 60, 2**31 - 1])
def test_factors_do_not_depend_on_how_pairs_of_counts_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    counts = np.minimum(simulated(300, 4), largest)
    counts[7, 2] = largest
    cohort = write_cohort(tmp_path, counts)
    found = compute_tmm_factors(cohort, usable(cohort)).tolist()
    monkeypatch.setattr("divvy_coverage.matrix.factors.DENSE", -1)
    assert compute_tmm_factors(cohort, usable(cohort)).tolist() == found
    assert len(set(found)) == 4


@pytest.mark.parametrize("library_size", [0, 100])
@pytest.mark.parametrize("method", [method for method in METHODS if method != "median_of_ratios"])
def test_without_any_counts_all_are_zeros(tmp_path: Path, method: str, library_size: int) -> None:
    cohort = write_cohort(tmp_path, np.zeros((30, 3), np.int32))
    sizes = np.full(3, library_size)
    assert compute_tmm_factors(cohort, sizes).tolist() == [1, 1, 1]
    assert normalized(method, cohort, sizes).tolist() == [[0] * 3] * 30


def test_samples_of_the_same_composition_have_the_factor_1(tmp_path: Path) -> None:
    counts = simulated(200, 1) * [1, 2, 50]
    cohort = write_cohort(tmp_path, counts)
    assert compute_tmm_factors(cohort, counts.sum(axis=0)).tolist() == [1, 1, 1]
    assert compute_size_factors(cohort) * 100 ** (1 / 3) == pytest.approx([1, 2, 50])


def test_library_sizes_that_hardly_differ_have_the_factor_1(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, simulated(200, 1) * [1, 1])
    assert compute_tmm_factors(cohort, np.array([10_000_000, 10_000_001])).tolist() == [1, 1]


def test_ratios_that_are_all_extreme_leave_the_factor_1(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, np.array([[9, 1], [9, 1], [1, 3], [1, 3]]))  # with ranks 1.5 and 3.5, 2 to 3 kept
    assert compute_tmm_factors(cohort, usable(cohort)).tolist() == [1, 1]


def test_regions_that_hold_all_of_two_samples_leave_the_factor_1(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, np.array([[5, 5], [5, 5], [1, 2]]))  # overlapping regions; no variance in two
    assert compute_tmm_factors(cohort, np.array([5, 5])).tolist() == [1, 1]


def test_undefined_size_factors_are_refused(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, np.array([[0, 3, 0], [2, 0, 0], [4, 4, 0]]))
    assert np.isnan(compute_size_factors(cohort)).all()
    with pytest.raises(UserError) as error:
        normalized("median_of_ratios", cohort, usable(cohort))
    assert str(error.value) == (
        "normalization median_of_ratios: expected regions with counts in all samples, found none; "
        "samples without any counts: 1\n  s2\n"
        "exclude them, or choose another normalization: cpm, log2cpm, rpkm, tmm, quantile"
    )


def test_undefined_size_factors_without_an_empty_sample_are_refused(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, np.array([[0, 3], [2, 0]]))
    with pytest.raises(UserError) as error:
        normalized("median_of_ratios", cohort, usable(cohort))
    assert str(error.value) == (
        "normalization median_of_ratios: expected regions with counts in all samples, found none; "
        "choose another normalization: cpm, log2cpm, rpkm, tmm, quantile"
    )


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, np.ones((2, 2)))
    with pytest.raises(UserError, match="expected one of cpm, log2cpm, .*, found 'log'"):
        normalized("log", cohort, usable(cohort))


def test_methods_are_described() -> None:
    assert [method for method in METHODS if is_logarithmic(method)] == ["log2cpm"]
    assert all(describe(method) and "\n" not in describe(method) for method in METHODS)
