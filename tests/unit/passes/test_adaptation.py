from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.errors import InputError
from deepmapper.features.samples import Samples, with_target
from deepmapper.passes import adaptation
from deepmapper.passes.controls import train_control
from deepmapper.passes.halves import train_half_pass
from deepmapper.passes.shadows import train_shadow_pass, with_shadows
from deepmapper.passes.train import train_pass

CONFIG = DeepMapperConfig(
    epochs=4,
    min_epochs=1,
    patience=2,
    batch_size=16,
    attribution="saliency",
    attribution_samples=3,
    backbone=BackboneSpec("scnym", extra={"hidden": 16, "num_layers": 1, "ramp_epochs": 2, "adapt": "both"}),
)


def values(n, seed):
    """Three classes, each high in three of twelve features."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.normal(0, 0.5, (n, 12)).astype(np.float32)
    for code in range(3):
        X[y == code, 3 * code : 3 * code + 3] += 2
    return X, y


@pytest.fixture
def study():
    X, y = values(90, 0)
    return with_target(Samples(X, y, ("a", "b", "c")), values(30, 1)[0])


def equal(a, b):
    return all(np.array_equal(a.weights[name], b.weights[name]) for name in a.weights)


def test_a_pass_learns_from_target_samples_without_labels_and_the_seed_fixes_it(study):
    config = replace(CONFIG, epochs=25)
    first, again = train_pass(study, config, 0), train_pass(study, config, 0)
    assert equal(first, again)
    assert np.array_equal(first.out_of_bag_probability, again.out_of_bag_probability)
    assert first.accuracy > 0.8
    assert first.importance.shape == (12,)
    assert first.importance[:9].mean() > first.importance[9:].mean()
    assert not equal(first, train_pass(study, config, 1))


def test_other_target_samples_give_other_weights_and_their_labels_do_not_matter(study):
    one = train_pass(study, CONFIG, 0)
    labelled = replace(study, y=np.where(study.y < 0, 2, study.y))
    assert equal(one, train_pass(labelled, CONFIG, 0))
    other = with_target(Samples(study.X.top, study.y[:90], study.classes), values(30, 2)[0])
    assert not equal(one, train_pass(other, CONFIG, 0))


@pytest.mark.parametrize("arm", ["mixmatch", "adversary", "both"])
def test_features_that_tell_reference_and_target_apart_are_not_ranked(study, arm):
    target = study.X.bottom.copy()
    target[:, 9:11] += 2
    samples = with_target(Samples(study.X.top, study.y[:90], study.classes), target)
    config = adaptation.with_arm(replace(CONFIG, epochs=25), arm)
    importance = np.mean([train_pass(samples, config, seed).importance for seed in range(3)], axis=0)
    assert importance[9:11].max() < importance[:9].min()


@pytest.mark.parametrize("n", [1, 5])
def test_a_few_target_samples_do_not_hang(study, n):
    few = with_target(Samples(study.X.top, study.y[:90], study.classes), study.X.bottom[:n])
    assert len(train_pass(few, CONFIG, 0).history) >= 1


def in_domains(study, domains):
    return replace(study, domains=np.asarray(domains))


def with_them(study):
    return train_pass(study, adaptation.with_domains(CONFIG, study), 0)


def test_the_two_default_domains_are_reference_and_target(study):
    given = in_domains(study, np.repeat([0, 1], [90, 30]))
    assert equal(train_pass(study, CONFIG, 0), with_them(given))
    assert not equal(train_pass(study, CONFIG, 0), with_them(in_domains(study, np.arange(120) % 2)))


@pytest.mark.parametrize(
    "domains",
    [
        np.r_[np.arange(90) // 3 % 3, np.full(30, 3)],  # one of target samples alone
        np.arange(120) % 20,  # many
        np.where(np.arange(120) % 4, np.arange(120) % 2, -1),  # some samples without one
        np.r_[np.zeros(119, dtype=int), 1],  # one of a single sample
        np.r_[np.full(90, -1), np.arange(30) % 2],  # known of target samples alone
    ],
)
def test_domains_of_any_kind_can_be_told_apart(study, domains):
    given = in_domains(study, domains)
    result = with_them(given)
    assert result.weights["domain.2.weight"].shape == (domains.max() + 1, 16)
    model = adaptation.restore_model(result, 12, "cpu")
    assert model.n_domains == domains.max() + 1
    assert train_shadow_pass(given, adaptation.with_domains(CONFIG, given), 0).shadows.class_gradient.shape == (3, 12)


def test_without_an_adversary_the_domains_make_no_difference(study):
    config = adaptation.with_arm(CONFIG, "mixmatch")
    given = in_domains(study, np.arange(120) % 5)
    assert equal(train_pass(study, config, 0), train_pass(given, adaptation.with_domains(config, given), 0))


@pytest.mark.parametrize(
    ("domains", "words"),
    [
        (np.full(120, 0), "samples are of one domain"),
        (np.full(120, -1), "samples lack a domain"),
    ],
)
def test_one_domain_is_nothing_to_tell_apart(study, domains, words, monkeypatch):
    alone = in_domains(study, domains)
    with pytest.raises(InputError, match=rf"{words} \(labels.domain\).*Set adapt to mixmatch or none"):
        adaptation.with_domains(CONFIG, alone)
    plain = adaptation.with_arm(CONFIG, "mixmatch")
    assert adaptation.with_domains(plain, alone) is plain
    seen = []

    def reverse(samples, config, arm, seed, device):
        seen.append(arm)
        return 0.5, np.full(3, 1 / 3)

    monkeypatch.setattr(adaptation, "reverse_accuracy", reverse)
    choice = adaptation.choose_arm(alone, CONFIG, range(2))
    assert set(seen) == {"none", "mixmatch"}
    assert "The adversary was left out: " in choice["why"] and words in choice["why"]


def test_shadows_of_target_samples_are_dealt_within_their_domain(study):
    given = in_domains(study, np.r_[np.zeros(90, dtype=int), np.arange(30) % 3])
    source = with_shadows(given, 5).source
    assert (given.domains[source[90:]] == given.domains[90:]).all()
    assert sorted(source[90:]) == list(range(90, 120)) and (source[90:] != np.arange(90, 120)).any()


def test_networks_that_learn_from_labels_alone_take_no_notice(study):
    alone = Samples(study.X.top, study.y[:90], study.classes)
    for backbone in (BackboneSpec("mlp"), BackboneSpec("scnym", extra={"hidden": 16, "adapt": "none"})):
        config = replace(CONFIG, backbone=backbone)
        assert equal(train_pass(study, config, 0), train_pass(alone, config, 0))


def test_sparse_values_give_the_same_rows_as_dense_ones():
    X, y = values(20, 0)
    rows = np.array([25, 3, 19, 20, 0])
    expected = np.concatenate([X, X[:8]])[rows]
    for top, bottom in ((X, X[:8]), (X, sp.csr_matrix(X[:8]))):
        assert np.array_equal(with_target(Samples(top, y, ("a", "b", "c")), bottom).X[rows], expected)
    stacked = with_target(Samples(sp.csr_matrix(X), y, ("a", "b", "c")), X[:8])
    assert np.array_equal(stacked.X[rows].toarray(), expected)
    assert stacked.X.shape == (28, 12)
    with pytest.raises(InputError, match="the target has 11 features, the samples 12"):
        with_target(Samples(X, y, ("a", "b", "c")), X[:, :11])


def test_all_kinds_of_passes_take_target_samples(study):
    assert train_control(study, CONFIG, 0).permuted
    assert train_shadow_pass(study, CONFIG, 0).shadows.class_gradient.shape == (3, 12)
    assert train_half_pass(study, CONFIG, 0).refused == ""


def test_an_arm_has_to_be_clearly_better_than_none():
    assert adaptation.best_arm({"none": [0.8, 0.8], "both": [0.7, 0.8]})[0] == "none"
    arm, why = adaptation.best_arm({"none": [0.8, 0.8, 0.8], "mixmatch": [0.9, 0.7, 0.85], "both": [0.7] * 3})
    assert arm == "none"
    assert "not clear" in why
    better = {"none": [0.8, 0.8], "mixmatch": [0.82, 0.83], "both": [0.85, 0.87]}
    arm, why = adaptation.best_arm(better)
    assert arm == "both"
    assert why.startswith("Adapted by both: reverse accuracy 0.860 with both, 0.800 without adaptation")


def test_adaptation_is_left_out_where_the_compositions_differ():
    better = {"none": [0.8, 0.8], "mixmatch": [0.9, 0.9], "both": [0.85, 0.87]}
    assert adaptation.best_arm(better, 0.1)[0] == "mixmatch"
    arm, why = adaptation.best_arm(better, 0.3)
    assert arm == "none"
    assert "differ by 0.30" in why


def test_reverse_transfer_sees_how_good_the_names_are(study, monkeypatch):
    def reverse(target, config):
        alone = Samples(study.X.top, study.y[:90], study.classes)
        return adaptation.reverse_accuracy(with_target(alone, target), config, "none", 0)

    longer = replace(CONFIG, epochs=25)
    good, shares = reverse(study.X.bottom, longer)
    noise = np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32)
    assert good > 0.5
    assert shares == pytest.approx([1 / 3] * 3, abs=0.25)
    assert reverse(noise, longer)[0] < good
    assert reverse(noise[:2], CONFIG)[0] == 0


def test_the_choice_is_made_from_the_means_of_all_seeds(study, monkeypatch):
    def reverse(samples, config, arm, seed, device):
        return 0.5 + (arm == "both") / 4, np.array([0.3, 0.4, 0.3])

    monkeypatch.setattr(adaptation, "reverse_accuracy", reverse)
    choice = adaptation.choose_arm(study, CONFIG, range(5))
    assert choice["adapt"] == "both"
    assert choice["difference"] == pytest.approx(0.2 / 3)
    assert choice["accuracy"]["none"] == [0.5] * 5


def test_auto_is_replaced_by_the_choice():
    auto = adaptation.with_arm(CONFIG, "auto")
    assert adaptation.resolve_arm(auto, {"adapt": "mixmatch"}).backbone.extra["adapt"] == "mixmatch"
    assert adaptation.resolve_arm(CONFIG, None) is CONFIG
    with pytest.raises(InputError, match="nothing was chosen"):
        adaptation.resolve_arm(auto, None)


def test_only_lowest_labels_are_given_and_judged(study, monkeypatch):
    """Samples with a label above others are neither right nor wrong, and their share is that of their kinds."""
    y = study.y.copy()
    y[:90] = np.where((study.y[:90] < 2) & (np.arange(90) % 4 == 0), 3, study.y[:90])
    kinds = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]], dtype=bool)
    mixed = replace(study, y=y, classes=("a", "b", "c", "a or b"), kinds=kinds)
    accuracy, shares = adaptation.reverse_accuracy(mixed, replace(CONFIG, epochs=25), "none", 0)
    assert accuracy > 1 / 3 and shares[3] == 0 and shares.sum() == pytest.approx(1)
    monkeypatch.setattr(adaptation, "reverse_accuracy", lambda *_: (0.5, np.array([1 / 3, 1 / 3, 1 / 3, 0])))
    assert adaptation.choose_arm(mixed, CONFIG, range(2))["difference"] == pytest.approx(0, abs=0.06)
