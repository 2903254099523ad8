"""Base and total of logarithms are recognised by the sums of the samples, and by nothing else."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.io.units import LINEAR, SumsOfSamples, Units

LOGS = {"e": np.log1p, "2": lambda x: np.log2(1 + x), "10": lambda x: np.log10(1 + x), LINEAR: lambda x: x}


def counts(n=60, p=400, seed=0):
    """Counts of cells of different depth, few genes with most of them."""
    rng = np.random.default_rng(seed)
    rates = rng.lognormal(-1, 2, p) * rng.lognormal(0, 0.7, (n, p)) * rng.lognormal(0, 0.5, (n, 1))
    return rng.poisson(rates).astype(np.float64)


COUNTS = counts()


def scaled(total, values=COUNTS):
    return values / values.sum(1, keepdims=True) * total


def found(X, step=25):
    sums = SumsOfSamples()
    for start in range(0, len(X), step):
        sums.update(sp.csr_matrix(np.asarray(X, dtype=np.float32)[start : start + step]))
    return sums


@pytest.mark.parametrize("total", [1e3, 1e4, 1e6, float(np.median(COUNTS.sum(1)))])
@pytest.mark.parametrize("base", LOGS)
def test_base_and_total_are_found_whatever_they_are(base, total):
    units = found(LOGS[base](scaled(total))).units()
    assert units is not None and units.base == base and units.total == pytest.approx(total, rel=1e-6)
    if total in (1e3, 1e4, 1e6):
        assert units.total == total  # a usual total is exact
    np.testing.assert_allclose(units.apply(units.undo(np.arange(5.0))), np.arange(5.0))
    assert found(sp.csr_matrix(LOGS[base](scaled(total))).toarray(), step=60).are(units)


@pytest.mark.parametrize("base", ["e", "2"])
def test_values_that_were_rounded_are_recognised(base):
    logs = LOGS[base](scaled(1e4))
    for rounded in (logs.astype(np.float16), logs.round(3), logs.round(2)):
        assert found(rounded).units() == Units(base, 1e4)
    assert found(LOGS[base](scaled(2345.0)).round(3)).units().total == pytest.approx(2345, rel=1e-3)


def test_few_samples_need_a_usual_total():
    logs = LOGS["2"](scaled(1e6))
    assert found(logs[:2]).units() == Units("2", 1e6) and found(logs[:1]).units() is None
    assert found(LOGS["e"](scaled(2345.0))[:9]).units() is None
    assert found(logs[:1]).are(Units("2", 1e6)) and not found(logs[:1]).are(Units("2", 1e4))


NO_UNITS = {
    "counts": COUNTS,
    "counts of the same depth": np.random.default_rng(0).multinomial(900, np.full(50, 0.02), 40),
    "logarithms of counts": np.log1p(COUNTS),
    "a part of the genes": np.log1p(scaled(1e4))[:, ::2],
    "a twentieth of the genes left out": np.log1p(scaled(1e4))[:, np.arange(400) % 20 > 0],
    "two totals": np.log1p(np.vstack([scaled(1e4)[:30], scaled(1e6)[30:]])),
    "z-scores": (np.log1p(COUNTS) - np.log1p(COUNTS).mean(0)) / (np.log1p(COUNTS).std(0) + 1),
    "all samples with the same values in another order": np.random.default_rng(0).permuted(
        np.tile(np.log1p(COUNTS[0]), (30, 1)), axis=1
    ),
    "copies": np.tile(np.log1p(scaled(1e4))[:1], (30, 1)),
    "transformed expression of all genes": np.random.default_rng(0).normal(8, 0.3, (40, 5000)),
    "nothing": np.zeros((20, 5)),
    "no samples": np.zeros((0, 5)),
}


@pytest.mark.parametrize("case", NO_UNITS)
def test_other_values_have_no_units(case):
    sums = found(NO_UNITS[case])
    assert sums.units() is None and (case == "copies" or not sums.are(Units("e", 1e4)))


def test_no_false_alarm_in_many_matrices_of_logarithms():
    for seed in range(60):
        values = np.log1p(counts(20, 300, seed))
        assert found(values).units() is None and found(values / np.log(2)).units() is None


def test_a_few_samples_may_differ():
    logs = np.log1p(scaled(1e4))
    logs[7] *= 1.2
    logs[9] = 0  # a sample without values does not count
    assert found(logs).units() == Units("e", 1e4)


@pytest.mark.filterwarnings("error")
def test_infinite_and_missing_values_have_no_units():
    for value in (np.inf, np.nan):
        for values in (scaled(1e4), np.log1p(scaled(1e4))):
            values[3, 3], values[4, 4] = value, np.nan
            assert found(values).units() is None
    assert found(np.full((20, 3), np.nan)).units() is None


def test_centred_values_are_told_from_a_few_below_zero():
    logs = np.log1p(scaled(1e4))
    assert found((logs - logs.mean(0)) / (logs.std(0) + 1e-3)).is_centred
    assert not found(logs - 0.01).is_centred and not found(logs).is_centred and found(logs - 0.01).negative


@pytest.mark.parametrize(
    ("units", "words"),
    [
        (Units("e", 1e4), "natural logarithms of counts per 10,000"),
        (Units("2", 1e6), "logarithms to the base 2 of counts per million"),
        (Units("10", 2197.0), "logarithms to the base 10 of counts scaled to a total of 2,197"),
        (Units("none", 1e4), "counts per 10,000 without a logarithm"),
    ],
)
def test_units_in_words(units, words):
    assert units.words == words


def test_totals_that_hardly_differ_are_the_same():
    assert Units("e", 1e4).is_like(Units("e", 10_010)) and not Units("e", 1e4).is_like(Units("e", 10_100))
    assert not Units("e", 1e4).is_like(Units("2", 1e4))
