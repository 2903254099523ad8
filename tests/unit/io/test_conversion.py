"""New samples that were normalised differently become those of the reference, or are refused or cautioned about."""

import warnings
from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from deepmapper.errors import InputError
from deepmapper.io.align import align, scale_of
from deepmapper.io.expression import import_matrix, open_expression
from deepmapper.io.units import Units

NAMES = [f"g{i}" for i in range(300)]


def counts(n, seed):
    rng = np.random.default_rng(seed)
    rates = rng.lognormal(-1, 1.5, 300) * rng.lognormal(0, 0.7, (n, 300)) * rng.lognormal(0, 0.5, (n, 1))
    return rng.poisson(rates).astype(np.float64)


def matrix(X, names=NAMES, **layers):
    layers = {name: np.asarray(values, dtype=np.float32) for name, values in layers.items()}
    return anndata.AnnData(np.asarray(X, dtype=np.float32), var=pd.DataFrame(index=names), layers=layers)


REFERENCE, NEW = counts(60, 0), counts(40, 1)


def logs(values=NEW, total=1e4, log=np.log1p):
    return log(values / values.sum(1, keepdims=True) * total)


def log2(values):
    return np.log2(1 + values)


VAR = matrix(REFERENCE).var
LOG_SCALE = scale_of(matrix(logs(REFERENCE)), "none", np.arange(60))
WHAT = {
    "logarithms to the base 2 of counts per million": logs(total=1e6, log=log2),
    "natural logarithms of counts per 1,000": logs(total=1e3),
    "logarithms to the base 10 of counts per 10,000": logs(log=lambda x: np.log10(1 + x)),
    "natural logarithms of counts scaled to a total of 187": logs(total=187),
    "counts per million without a logarithm": logs(total=1e6, log=lambda x: x),
}


def aligned(adata, scale=LOG_SCALE, var=VAR, message=None):
    """Values on the features of the reference; with the only warning, which has to match."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = align(adata, var, scale, "new.h5ad")
    assert [str(warning.message) for warning in caught] == ([f"new.h5ad: {found.note}"] if found.note else [])
    assert (message is None) == (not found.note) and (message or "") in found.note
    return found.values.to_memory().toarray()


def test_the_scale_of_a_reference_is_known_if_it_shows():
    assert LOG_SCALE.units == Units("e", 1e4) and LOG_SCALE.negative is False
    assert scale_of(matrix(REFERENCE), "none", np.arange(60)).units is None
    assert scale_of(matrix(REFERENCE), "log1p_cp10k", np.arange(60)).units == Units("e", 1e4)
    median = np.median(REFERENCE[:50].sum(1))
    assert scale_of(matrix(REFERENCE), "log1p_median", np.arange(50)).units == Units("e", median)
    centred = scale_of(matrix(logs(REFERENCE) - logs(REFERENCE).mean(0)), "none", np.arange(60))
    assert centred.negative and centred.units is None


@pytest.mark.parametrize("words", WHAT)
def test_other_logarithms_and_totals_are_converted(words):
    message = (
        f"the values were {words}; they were converted to natural logarithms of counts per 10,000, as those of the"
    )
    np.testing.assert_allclose(aligned(matrix(WHAT[words]), message=message), logs(), rtol=1e-5, atol=1e-6)
    stored = matrix(WHAT[words])
    stored.X = sp.csr_matrix(stored.X)
    np.testing.assert_allclose(aligned(stored, message=words), logs(), rtol=1e-5, atol=1e-6)


def test_the_total_is_that_of_all_features_of_the_file():
    """Those that the reference lacks count for it, and those that the file lacks do not."""
    more = np.hstack([NEW, counts(40, 5)])
    wide = matrix(logs(more, 1e6, log2), [*NAMES, *(f"other{i}" for i in range(300))])[:, 7:].copy()
    wide.X = logs(more[:, 7:], 1e6, log2).astype(np.float32)
    found = aligned(wide, message="to the base 2")
    np.testing.assert_allclose(found[:, 7:], logs(more[:, 7:])[:, :293], rtol=1e-5, atol=1e-6)
    assert not found[:, :7].any()


def test_what_is_like_the_reference_stays_to_the_byte():
    same = matrix(logs().round(3))
    assert aligned(same).tobytes() == same.X.tobytes()
    assert aligned(same[:1].copy()).tobytes() == same.X[:1].tobytes()


def test_a_model_that_does_not_know_its_units_is_used_as_before():
    old = replace(LOG_SCALE, units=None, negative=None)
    other = matrix(WHAT["natural logarithms of counts per 1,000"])
    assert aligned(other, old).tobytes() == other.X.tobytes()
    centred = matrix(logs() - logs().mean(0))
    np.testing.assert_array_equal(aligned(centred, old), centred.X)
    counts_scale = replace(scale_of(matrix(REFERENCE), "log1p_median", np.arange(60)), units=None, negative=None)
    with pytest.raises(InputError, match="give the counts of these samples, too"):
        aligned(other, counts_scale)


def test_where_one_of_the_two_is_not_known_that_is_said():
    part = matrix(logs()[:, :150], NAMES[:150])
    told = "whether the values are natural logarithms of counts per 10,000, as those of the reference, cannot be told"
    np.testing.assert_array_equal(aligned(part, message=told)[:, :150], part.X)
    unknown = scale_of(matrix(np.log1p(REFERENCE)), "none", np.arange(60))
    told = (
        "the values are logarithms to the base 2 of counts per million; whether those of the reference are, too, cannot"
    )
    aligned(matrix(WHAT["logarithms to the base 2 of counts per million"]), unknown, message=told)
    aligned(part, scale_of(part, "none", np.arange(40)), part.var)  # neither is: nothing to say
    aligned(matrix(NEW), scale_of(matrix(REFERENCE), "none", np.arange(60)))  # counts have no units


def test_logarithms_are_counts_for_a_reference_of_counts():
    for method in ("log1p_median", "log1p_cp10k", "log1p_cpm"):
        scale = scale_of(matrix(REFERENCE), method, np.arange(60))
        expected = aligned(matrix(NEW), scale)
        message = f"they were converted to {scale.units.words}"
        for values in (logs(), logs(total=1e6, log=log2), logs(total=1)):
            np.testing.assert_allclose(aligned(matrix(values), scale, message=message), expected, rtol=2e-5, atol=1e-6)
        lacking = aligned(matrix(logs(), [f"x{i}" for i in range(50)] + NAMES[50:]), scale, message=message)
        counted = aligned(matrix(NEW, [f"x{i}" for i in range(50)] + NAMES[50:]), scale)
        np.testing.assert_allclose(lacking, counted, rtol=2e-5, atol=1e-6)
    with pytest.raises(InputError, match="give the counts of these samples, too"):
        aligned(matrix(np.log1p(NEW)), scale)
    with pytest.raises(InputError, match=r"look like counts; .* \(the reference has natural logarithms of counts per"):
        aligned(matrix(NEW))


COUNT_SCALE = scale_of(matrix(REFERENCE), "log1p_median", np.arange(60))
SCALED = (logs() - logs().mean(0)) / (logs().std(0) + 1e-3)


def refused(adata, scale=LOG_SCALE):
    with pytest.raises(InputError) as error:
        align(adata, VAR, scale, "new.h5ad")
    return str(error.value)


def test_scaled_values_are_refused_with_where_others_are(tmp_path):
    message = refused(matrix(SCALED))
    assert message.startswith("new.h5ad: values are below 0, as after scaling every feature to a mean of 0")
    assert "those of the reference are natural logarithms of counts per 10,000" in message
    assert "usually in `adata.raw` or in a layer; this file has none" in message
    full = matrix(SCALED, counts=NEW, smooth=SCALED)
    full.raw = matrix(logs())
    full.write_h5ad(tmp_path / "a.h5ad")
    import_matrix(tmp_path / "b.h5ad", tmp_path / "a.h5ad")
    for adata in (full, open_expression(tmp_path / "b.h5ad")):
        message = refused(adata)
        assert "Other values of this file are in 'raw' (fractions, none below 0). Read raw" in message
        assert "`matrix: {layer: raw}`" in message and "`adata.raw.to_adata()`" in message
        assert "predict --layer counts" in refused(adata, COUNT_SCALE)
    only_counts = full.copy()
    del only_counts.raw, full.layers["counts"]
    assert "This file has counts in 'counts': normalise them in this way" in refused(only_counts)
    message = refused(full, COUNT_SCALE)
    assert "negative value" in message and "predict --layer raw" in message


def test_corrected_values_and_a_scaled_reference_are_cautions():
    corrected = logs() + np.random.default_rng(0).normal(0, 0.01, NEW.shape)
    aligned(matrix(corrected), message="some values are below 0, as after a correction for batches")
    centred = scale_of(matrix(logs(REFERENCE) - logs(REFERENCE).mean(0)), "none", np.arange(60))
    aligned(matrix(logs()), centred, message="no value is below 0, and values of the reference are")
    aligned(matrix(SCALED), centred)


def test_values_that_are_not_finite_are_refused_as_before():
    values = logs()
    values[3, 3] = np.nan
    assert "found 1 NaN or infinite value" in refused(matrix(values))
    assert "there are no samples" in refused(matrix(values[:0]))
