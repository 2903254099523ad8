"""Perturbed samples are predicted by the network of a pass, as if they had been measured like that."""

import numpy as np
import pytest
import scipy.sparse as sp

from deepmapper.passes import perturbation
from deepmapper.passes.perturbation import most_probable, perturb_samples, replacements
from deepmapper.passes.restore import arrangement, softmax
from deepmapper.passes.train import train_pass


@pytest.fixture(scope="module")
def trained(planted, quick):
    """A pass of a linear model."""
    return train_pass(planted.samples, quick("linear"), 0)


def test_values_that_replace_others(planted):
    X = np.array([[0, -1, 2], [0, 3, 4], [5, 1, 6], [1, 1, 0]], dtype=np.float32)
    columns = np.array([0, 1, 2])
    for form in (X, sp.csr_matrix(X)):
        np.testing.assert_array_equal(replacements(form, columns, "deletion"), [0, -1, 0])
        np.testing.assert_allclose(replacements(form, columns, "mask"), X.mean(0))
        raised = np.minimum(X.mean(0) + 2 * X.std(0), X.max(0))
        np.testing.assert_allclose(replacements(form, columns, "activation"), raised, rtol=1e-6)
    rare = np.zeros((100, 2), dtype=np.float32)
    rare[0], rare[:, 1] = 8, np.arange(100)
    found = replacements(sp.csr_matrix(rare), np.arange(2), "activation")
    np.testing.assert_allclose(found, [0.08 + 2 * rare[:, 0].std(), 99], rtol=1e-6)  # few have it; at most the largest
    with pytest.raises(ValueError, match="expected one of deletion, activation, mask"):
        replacements(X, columns, "knockout")


@pytest.mark.parametrize("at_once", [1, 100, 2**23])
def test_effects_on_a_linear_model_are_those_of_its_weights(planted, trained, monkeypatch, at_once):
    monkeypatch.setattr(perturbation, "_AT_ONCE", at_once)
    values, items = np.array(planted.X[:20]), [(3,), (5,), (11, 14), (3, 9)]
    new = replacements(planted.X, np.arange(30), "activation")
    made = perturb_samples(trained, values, items, new)
    pixels = arrangement(trained.config, trained.seed, 30)  # the feature on each pixel
    weight = np.zeros((3, 30))
    weight[:, pixels] = trained.weights["head.weight"][:, :30]

    def probability(X):
        return softmax(X.astype(np.float64) @ weight.T + trained.weights["head.bias"])

    for i, item in enumerate(items):
        changed = values.copy()
        changed[:, item] = new[list(item)]
        before, after = probability(values), probability(changed)
        np.testing.assert_allclose(made.probability[i], (after - before).mean(0), atol=1e-6)
        np.testing.assert_allclose(made.flipped[i], (after.argmax(1) != before.argmax(1)).mean(), atol=1e-9)
        np.testing.assert_allclose(made.dose[i], np.sqrt(np.square(changed - values).sum(1).mean()), rtol=1e-6)
    np.testing.assert_allclose(made.probability.sum(1), 0, atol=1e-6)
    assert (made.shift > 0).all()


def test_only_samples_of_a_class_count_for_it_if_their_classes_are_given(planted, trained):
    values, new = np.array(planted.X[:40]), replacements(planted.X, np.arange(30), "mask")
    assigned = most_probable(trained, values)
    np.testing.assert_array_equal(assigned, softmax_of(trained, values).argmax(1))
    own = perturb_samples(trained, values, [(3,), (5, 7)], new, own_class=assigned)
    for c in np.unique(assigned):
        alone = perturb_samples(trained, values[assigned == c], [(3,), (5, 7)], new)
        np.testing.assert_allclose(own.probability[:, c], alone.probability[:, c], atol=1e-6)


def softmax_of(trained, values):
    """Probabilities by a linear pass."""
    weight = np.zeros((3, 30))
    weight[:, arrangement(trained.config, trained.seed, 30)] = trained.weights["head.weight"][:, :30]
    return softmax(values.astype(np.float64) @ weight.T + trained.weights["head.bias"])


def test_an_item_that_changes_nothing_has_no_effect(planted, trained):
    values = np.array(planted.X[:5])
    values[:, 3] = 0
    made = perturb_samples(trained, values, [(3,)], np.zeros(30, dtype=np.float32), embedded=False)
    assert not made.probability.any() and made.flipped[0] == made.dose[0] == 0 and np.isnan(made.shift[0])


def test_columns_that_depend_on_others_follow(planted, trained):
    values, new = np.array(planted.X[:20]), np.zeros(30, dtype=np.float32)

    def update(block):
        block[:, 9] = block[:, 3]

    values[:, 9] = values[:, 3]
    linked = perturb_samples(trained, values, [(3,)], new, update=update)
    both = perturb_samples(trained, values, [(3, 9)], new)
    np.testing.assert_allclose(linked.probability, both.probability, atol=1e-7)
