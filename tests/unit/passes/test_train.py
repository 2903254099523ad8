"""One pass: its random numbers, its split, its accuracy and its attributions."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import deepmapper
from deepmapper.accumulate import accept_pass
from deepmapper.backbones.base import Network
from deepmapper.config import AugmentConfig
from deepmapper.errors import InputError
from deepmapper.features.kinds import to_lowest
from deepmapper.features.samples import Samples
from deepmapper.passes import train as passes_train
from deepmapper.passes.result import mean_probability
from deepmapper.passes.train import draw_split, train_pass

KINDS = ["linear", "mlp", "cnn_small", "cnn"]


# What each of two processes of their own does: the same passes, from dense and from sparse data.
TWICE = """
import sys
import numpy as np, scipy.sparse as sp
from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.passes import train_pass
from deepmapper.features.samples import Samples

data, folder = np.load(sys.argv[1]), sys.argv[2]
X, y = data["X"], data["y"]
for kind in ("linear", "mlp", "cnn_small", "cnn"):
    config = DeepMapperConfig(
        epochs=4, min_epochs=2, patience=1, batch_size=16, lr=0.01, backbone=BackboneSpec(kind), attribution_samples=12
    )
    for name, matrix in (("dense", X), ("sparse", sp.csr_matrix(X))):
        train_pass(Samples(matrix, y, ("a", "b", "c")), config, seed=5).save(f"{folder}/{kind}-{name}.npz")
"""


def test_two_processes_write_the_same_bytes_from_dense_and_from_sparse_data(planted, tmp_path):
    np.savez(tmp_path / "data.npz", X=planted.X, y=planted.y)
    source = str(Path(deepmapper.__file__).parents[1])
    running = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        environment = {**os.environ, "PYTHONPATH": source, "PYTHONHASHSEED": str(len(running) + 1)}
        command = [sys.executable, "-c", TWICE, str(tmp_path / "data.npz"), str(tmp_path / name)]
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    for process in running:
        _, stderr = process.communicate()
        assert process.returncode == 0, stderr
    for kind in KINDS:
        contents = {
            (tmp_path / name / f"{kind}-{data}.npz").read_bytes()
            for name in ("first", "second")
            for data in ("dense", "sparse")
        }
        assert len(contents) == 1, kind


@pytest.mark.parametrize("kind", KINDS)
def test_passes_depend_on_the_seed_alone(planted, quick, kind, differing):
    config = quick(kind, epochs=2)

    def once(seed):
        return train_pass(planted.samples, config, seed)

    torch.manual_seed(99)  # whatever the caller drew before
    np.random.seed(99)
    one = once(1)
    torch.rand(10)
    assert differing(one, once(1)) == []
    assert {"importance", "weights", "train_rows", "out_of_bag_rows"} <= set(differing(one, once(2)))


def test_first_weights_follow_the_seed(planted, quick):
    """With a learning rate of almost zero, the weights stay at their initial values."""
    config = quick("mlp", epochs=1, lr=1e-12)
    first = [train_pass(planted.samples, config, seed).weights["head.weight"] for seed in (1, 2)]
    assert np.abs(first[0] - first[1]).max() > 0.01


@pytest.mark.parametrize("attribution", ["integrated_gradients", "saliency", "occlusion"])
def test_the_callers_random_numbers_are_left_alone(planted, quick, attribution):
    torch.manual_seed(3)
    np.random.seed(3)
    before, legacy = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    config = quick("mlp", epochs=1, attribution=attribution, augment=AugmentConfig(True, 0.1))
    train_pass(planted.samples, config, 1)
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], legacy)


def test_settings_of_the_run_do_not_touch_a_pass(planted, quick, differing):
    """More passes, another top_k or min_accuracy must not change finished passes."""
    one, other = (
        train_pass(planted.samples, quick("linear", epochs=2, **changed), 4)
        for changed in ({}, {"n_passes": 60, "top_k": 3, "min_accuracy": 0.9, "max_tries": 99, "seed": 8})
    )
    assert differing(one, other) == []


def test_a_part_of_the_rows_is_as_good_as_a_matrix_of_them(planted, quick, differing):
    rows = np.flatnonzero(np.arange(120) % 4)
    within = train_pass(Samples(planted.X, planted.y, planted.classes, rows=rows), quick("mlp", epochs=2), 1)
    separate = train_pass(Samples(planted.X[rows], planted.y[rows], planted.classes), quick("mlp", epochs=2), 1)
    assert differing(within, separate) == []


def test_rows_left_out_do_not_count(planted, quick, differing):
    """Rows that a pass may not see change nothing, even if they hold NaN."""
    rows, X = np.arange(90), planted.X.copy()
    X[90:] = np.nan
    clean, poisoned = (
        train_pass(Samples(data, planted.y, planted.classes, rows=rows), quick("mlp", epochs=2), 1)
        for data in (planted.X, X)
    )
    assert differing(clean, poisoned) == []


def test_training_validation_and_out_of_bag_are_three(trained, planted):
    parts = (trained.train_rows, trained.validation_rows, trained.out_of_bag_rows)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(120))
    assert [len(part) for part in parts] == [75, 15, 30]  # a quarter of 40 each, then 0.15 of 30 rounded up from 4.5
    assert all(set(planted.y[part]) == {0, 1, 2} for part in parts)


def test_without_early_stopping_nothing_is_held_back(planted, quick):
    train, validation, out_of_bag = draw_split(planted.y, quick("linear", early_stop=False), 1, None, planted.classes)
    assert [len(train), len(validation), len(out_of_bag)] == [90, 0, 30]


def test_the_out_of_bag_share_is_the_same_with_and_without_validation(planted, quick):
    stopping, not_stopping = (
        draw_split(planted.y, quick("linear", early_stop=flag), 1, None, planted.classes) for flag in (True, False)
    )
    np.testing.assert_array_equal(stopping[2], not_stopping[2])


def test_groups_stay_on_one_side_in_every_part(planted, quick):
    groups = np.arange(120) // 5
    config = quick("linear", early_stop=True, epochs=2)
    result = train_pass(Samples(planted.X, planted.y, planted.classes, groups=groups), config, 1)
    parts = [set(groups[rows]) for rows in (result.train_rows, result.validation_rows, result.out_of_bag_rows)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert set.union(*parts) == set(range(24))


def test_the_accuracy_is_that_of_the_predictions_it_keeps(trained, planted):
    truth = planted.y[trained.out_of_bag_rows]
    predicted = trained.out_of_bag_probability.argmax(1)
    np.testing.assert_allclose(trained.out_of_bag_probability.sum(1), 1, atol=1e-12)
    assert trained.accuracy == (predicted == truth).mean()
    assert trained.balanced_accuracy == pytest.approx(np.mean([(predicted[truth == c] == c).mean() for c in range(3)]))


def test_the_references_of_the_accuracy_by_hand():
    """Predictions a, a, b, b against a, a, a, b, which is right in 3 of 4."""
    probability = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    metrics = passes_train._evaluate(probability, np.array([0, 0, 0, 1]), np.array([0, 1, 1]), seed=0)
    assert metrics["accuracy"] == 0.75
    assert metrics["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert metrics["majority_accuracy"] == 0.25  # b is the largest class of the training labels
    # of the four places of the b, two give 3 of 4 right and two give 1 of 4
    assert metrics["permuted_accuracy"] == pytest.approx(0.5, abs=0.03)
    assert metrics["permutation_p"] == pytest.approx(0.5, abs=0.05)


def test_perfect_predictions_have_the_smallest_p_value_of_999_shuffles():
    truth = np.repeat([0, 1], 20)
    metrics = passes_train._evaluate(np.eye(2)[truth], truth, truth, seed=0)
    assert metrics["permutation_p"] == 0.001


def test_real_signal_is_found_and_a_control_finds_none(planted, quick):
    """Ten controls on permuted labels: a third by chance, give or take the noise of 300 test samples."""
    config = quick("linear", epochs=15)
    real = [train_pass(planted.samples, config, seed) for seed in range(3)]
    controls = [train_pass(planted.samples, config, seed, permute_labels=True) for seed in range(10)]
    assert min(result.accuracy for result in real) > 0.9
    assert max(result.permutation_p for result in real) <= 0.002
    assert np.mean([result.accuracy for result in controls]) == pytest.approx(1 / 3, abs=0.12)
    assert np.median([result.permutation_p for result in controls]) > 0.05
    assert all(result.permuted for result in controls)
    assert not any(result.permuted for result in real)


def test_importance_is_the_mean_over_classes_as_they_occur(trained, planted):
    share = np.bincount(planted.y[trained.out_of_bag_rows]) / 30
    np.testing.assert_allclose(trained.importance, share @ trained.class_importance, rtol=1e-5)
    assert trained.class_importance.shape == trained.class_gradient.shape == (3, 30)
    assert (trained.importance >= 0).all()
    assert set(np.argsort(-trained.importance)[:5]) <= planted.signal


def test_a_class_without_attributed_samples_has_no_importance_rather_than_zero(planted, quick):
    result = train_pass(planted.samples, quick("linear", epochs=3, attribution_samples=2), 1)
    missing = np.isnan(result.class_importance).all(axis=1)
    assert missing.sum() == 1
    assert np.isfinite(result.class_importance[~missing]).all()
    assert np.isfinite(result.importance).all()


def test_attributed_samples_are_spread_over_the_classes():
    y = np.repeat([0, 1, 2], [90, 8, 2])
    chosen = passes_train.choose_over_classes(np.arange(100), y, 12, np.random.default_rng(0))
    assert np.bincount(y[chosen]).tolist() == [5, 5, 2]
    np.testing.assert_array_equal(
        passes_train.choose_over_classes(np.arange(5), y, 12, np.random.default_rng(0)), np.arange(5)
    )


def test_the_arrangement_does_not_matter_to_the_linear_model(planted, quick):
    """Its pixels are exchangeable: with the same split and batches, the same importances up to rounding."""
    shuffled, in_order = (
        train_pass(planted.samples, quick("linear", index_features=flag), 2) for flag in (False, True)
    )
    np.testing.assert_allclose(shuffled.importance, in_order.importance, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(shuffled.class_gradient, in_order.class_gradient, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "cnn_small"])
def test_a_larger_image_with_more_padding_gives_no_importance_to_padding(planted, quick, kind):
    config = quick(kind, img_size=9, buffer=20, epochs=10)
    result = train_pass(planted.samples, config, 1)
    assert result.importance.shape == (30,)
    assert set(np.argsort(-result.importance)[:3]) <= planted.signal


@pytest.mark.parametrize("baseline", ["zero", "mean"])
@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_contributions_are_measured_from_the_baseline(planted, quick, method, baseline):
    """For the linear model, |coefficient × (x - reference)|; the mean image is that of the training samples."""
    config = quick("linear", index_features=True, attribution=method, baseline=baseline, attribution_samples=999)
    result = train_pass(planted.samples, config, 1)
    coefficient = result.weights["head.weight"][:, :30]
    reference = planted.X[result.train_rows].mean(0) if baseline == "mean" else 0
    for code in range(3):
        rows = result.out_of_bag_rows[planted.y[result.out_of_bag_rows] == code]
        expected = np.abs(coefficient[code] * (planted.X[rows] - reference)).mean(0)
        np.testing.assert_allclose(result.class_importance[code], expected, rtol=1e-3, atol=3e-5)


def test_progress_is_reported(planted, quick):
    lines = []
    train_pass(planted.samples, quick("linear", epochs=2), 6, progress=lines.append)
    assert lines[0].startswith("epoch 1/2")
    assert lines[-1].startswith("pass 6: out-of-bag accuracy ")


@pytest.mark.parametrize(("early_stop", "needed"), [(True, 3), (False, 2)])
def test_a_class_too_small_to_divide_is_refused_by_name(planted, quick, early_stop, needed):
    y = planted.y.copy()
    y[: needed - 1] = 3
    config = quick("linear", early_stop=early_stop)
    with pytest.raises(
        InputError, match=rf"too few samples in class 'rare' \({needed - 1}\): expected at least {needed}"
    ):
        train_pass(Samples(planted.X, y, (*planted.classes, "rare")), config, 1)


def test_a_pass_does_not_import_torchs_compiler(tmp_path):
    """The import takes two seconds, and nothing of it is used."""
    code = """
import sys
import numpy as np
from deepmapper.config import DeepMapperConfig
from deepmapper.passes import train_pass
from deepmapper.features.samples import Samples

X = np.random.default_rng(0).poisson(0.2, (60, 100)).astype(np.float32)
config = DeepMapperConfig(epochs=2, early_stop=False, clip_norm=1.0, weight_average=0.5)
train_pass(Samples(X, np.arange(60) % 3, ("a", "b", "c")), config, 0)
print(sorted({"torch._dynamo", "torch._inductor", "sympy", "captum"} & set(sys.modules)))
"""
    source = str(Path(deepmapper.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("learns_kinds", [True, False])
def test_a_pass_is_judged_on_samples_with_a_lowest_label(planted, quick, monkeypatch, learns_kinds):
    """Also if its network learns upper labels as classes of their own; the reference is the largest lowest class."""
    monkeypatch.setattr(Network, "learns_kinds", learns_kinds)
    y = planted.y.copy()
    y[(y < 2) & (np.arange(len(y)) % 12 < 9)] = 3  # most of them: the largest class of all
    kinds = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]], dtype=bool)
    samples = Samples(planted.X, y, (*planted.classes, "first or second"), kinds=kinds)
    result = train_pass(samples, quick("linear"), 1)
    own = y[result.out_of_bag_rows]
    judged = own < 3
    predicted = to_lowest(result.out_of_bag_probability, kinds).argmax(1)
    assert result.accuracy == (predicted[judged] == own[judged]).mean() > 0.7
    assert result.majority_accuracy == (own[judged] == 2).mean()
    # a label above others has the probability of its kinds
    low, sums = to_lowest(result.out_of_bag_probability, kinds), np.where(judged, 0.0, 1.0)
    each = np.where(judged, low[np.arange(len(own)), own], sums * (low[:, 0] + low[:, 1]))
    assert mean_probability(result, y, kinds) == pytest.approx(each.mean())


def test_a_pass_without_a_sample_to_judge_has_no_accuracy_and_says_so(planted, quick):
    """In folds that passes share, the donors of one may have upper labels alone."""
    groups = np.arange(len(planted.y)) // 3 % 6
    y = np.where(groups < 4, 3, planted.y)
    kinds = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]], dtype=bool)
    samples = Samples(planted.X, y, (*planted.classes, "any"), groups=groups, kinds=kinds)
    config = quick("linear", test_size=0.2)

    def out_of_bag(seed):
        return draw_split(y, config, seed, groups, samples.classes, folds=True)[2]

    seed = next(seed for seed in range(50) if (y[out_of_bag(seed)] == 3).all())
    said = []
    result = train_pass(samples, config, seed, folds=True, progress=said.append)
    names = ("accuracy", "balanced_accuracy", "majority_accuracy", "permuted_accuracy", "permutation_p")
    assert all(np.isnan(getattr(result, name)) for name in names)
    assert "has a label without others below it" in said[-1] and "not accepted" in said[-1]
    assert not accept_pass(result.accuracy, 0.0)
    assert np.isfinite(result.importance).all()
