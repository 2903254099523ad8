"""A model is made of the accepted passes; rates are over domains where that is possible."""

from dataclasses import replace

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.features.prepare import prepare_features
from deepmapper.io.align import scale_of
from deepmapper.passes.train import train_pass
from deepmapper.transfer.model import fit_model
from deepmapper.transfer.predict import predict


def test_every_labelled_cell_is_out_of_bag_once_in_a_round(study):
    rows = np.concatenate([result.out_of_bag_rows for result in study.passes])
    assert sorted(rows) == list(range(150))


def test_rejected_passes_are_left_out_and_none_is_refused(study):
    bad = [replace(study.passes[0], accuracy=0.1), *study.passes[1:]]
    assert len(fit_model(study.features, bad, study.scale, min_accuracy=0.5).members) == 4
    with pytest.raises(InputError, match="none of 5 passes has an out-of-bag accuracy of 1.1"):
        fit_model(study.features, study.passes, study.scale, min_accuracy=1.1)


def test_over_domains_whole_ones_are_judged_by_passes_that_never_saw_them(study, quick, newcomers):
    domains = np.arange(150) % 6
    features = replace(study.features, groups=domains)
    config = quick("linear", test_size=0.2, attribution="saliency")
    passes = [train_pass(features.development_samples, config, seed, folds=True) for seed in range(3)]
    model = fit_model(features, passes, study.scale, domain_is_group=True)
    assert model.over == "domain"
    table = predict(model, newcomers)
    assert (table["p"] > 0).all() and (table["p"][-30:] < 0.2).mean() > 0.8
    assert "a further sample" in table.attrs["summary"]["rate"]
    assert fit_model(features, passes, study.scale, calibrate_over="cells", domain_is_group=True).over == "cells"
    with pytest.raises(InputError, match="labels.group is not the same column"):
        fit_model(features, passes, study.scale, calibrate_over="domain")


@pytest.mark.parametrize("n_target", [1, 5, 255])
def test_classes_of_three_cells_and_few_or_many_target_cells(quick, make_counts, n_target):
    """No class is refused or excluded, nothing waits for a full batch, and small classes are named."""
    labels = [*["B"] * 60, *["NK"] * 60, *["T"] * 3]
    reference = make_counts(labels, 3)
    features = prepare_features(reference, label_column="type", split_scheme="repeated")
    config = quick("linear", test_size=0.2, attribution="saliency", epochs=10)
    passes = [train_pass(features.development_samples, config, seed, folds=True) for seed in range(5)]
    model = fit_model(features, passes, scale_of(reference, "log1p_median", np.arange(123)))
    table = predict(model, make_counts(["B", "NK"] * 128, 4)[:n_target])
    assert len(table) == n_target and table["label"].notna().all()
    assert "T has too few cells" in table.attrs["summary"]["coverage"]
    assert table["nearest"].iloc[0] == "B"
