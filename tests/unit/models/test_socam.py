"""Labels of any depth: probabilities are summed up the ontology, and inner labels are right with any descendant."""

import numpy as np
import pytest
import torch

from deepmapper.errors import InputError
from deepmapper.models import SOCAM, LogisticRegression
from deepmapper.models.tensors import to_tensor

NAMES = np.array([f"g{i}" for i in range(30)])
# cell > lymphocyte > {T cell, B cell}; cell > monocyte
TERMS = ["cell", "lymphocyte", "T cell", "B cell", "monocyte"]
CLOSURE = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def cells():
    """Cells of the three leaves; a third of the labels are coarser."""
    rng = np.random.default_rng(0)
    leaves = rng.integers(2, 5, 400)
    X = rng.normal(0, 1, (400, 30))
    X[:, :3] += 3 * np.eye(3)[leaves - 2]
    labels = np.array(TERMS)[leaves]
    coarse = rng.random(400) < 1 / 3
    parents = np.array(["", "", "lymphocyte", "lymphocyte", "cell"])[leaves]
    return X.astype(np.float32), leaves, np.where(coarse, parents, labels)


def fitted(X, labels, **options):
    model = SOCAM(len(X), NAMES, CLOSURE, TERMS, **options)
    batch = {"x_ng": to_tensor(X), "var_names_g": NAMES, "cl_names_n": labels}
    model.solve(lambda: [batch], 3000)
    return model


def test_coarse_labels_do_not_hide_the_leaves(cells):
    X, leaves, labels = cells
    model = fitted(X[:300], labels[:300], W_prior_scale=0.3)
    found = model.predict(to_tensor(X[300:]), NAMES)
    assert found["category_labels_c"].tolist() == TERMS
    probabilities = found["y_probs_nc"].numpy()
    np.testing.assert_allclose(probabilities[:, 0], 1, rtol=1e-6)  # the root
    assert (probabilities[:, 1] >= probabilities[:, 2:4].max(1) - 1e-6).all()
    assert (probabilities[:, 2:].argmax(1) + 2 == leaves[300:]).mean() > 0.9
    assert (model.W_gc == 0).float().mean() > 0.5


def test_a_confident_leaf_is_no_error_for_a_cell_labelled_above_it(cells):
    """The sum over all nested terms is no normaliser: the loss of the root is 0 whatever the scores are."""
    model = SOCAM(2, NAMES, CLOSURE, TERMS, W_prior_scale=1e12)
    with torch.no_grad():
        model.W_gc.zero_()
        model.b_c.copy_(torch.tensor([0.0, 0.0, 20.0, 0.0, 0.0]))
    x = torch.zeros(2, 30)
    for label, expected in (("cell", 0.0), ("lymphocyte", 0.0), ("T cell", 0.0), ("monocyte", 20.0)):
        loss = model(x, NAMES, np.array([label] * 2))["loss"].detach()
        assert abs(float(loss) / 2 - expected) < 1e-4, label


def test_without_propagation_or_depth_it_is_logistic_regression(cells):
    X, leaves, _ = cells
    labels = np.array(TERMS)[leaves]
    flat = LogisticRegression(400, NAMES, np.array(TERMS), W_prior_scale=0.3)
    y_n = torch.from_numpy(leaves)
    batch = {"x_ng": to_tensor(X), "var_names_g": NAMES, "y_n": y_n, "y_categories": np.array(TERMS)}
    flat.solve(lambda: [batch], 3000)
    model = fitted(X, labels, W_prior_scale=0.3, probability_propagation_flag=False)
    torch.testing.assert_close(model.W_gc, flat.W_gc, atol=1e-3, rtol=1e-2)
    loss = model(to_tensor(X), NAMES, labels)["loss"]
    torch.testing.assert_close(loss, flat(to_tensor(X), NAMES, y_n, np.array(TERMS))["loss"], rtol=1e-4, atol=0)


def test_the_solver_descends_the_loss_of_forward(cells):
    X, _, labels = cells
    model = fitted(X, labels, W_prior_scale=0.3)
    batch = to_tensor(X), NAMES, labels
    found = float(model(*batch)["loss"].detach())
    with torch.no_grad():
        for step in (0.01, -0.01):
            model.W_gc += step * (model.W_gc != 0)
            assert float(model(*batch)["loss"]) > found
            model.W_gc -= step * (model.W_gc != 0)
    start = SOCAM(400, NAMES, CLOSURE, TERMS, W_prior_scale=0.3, seed=3, W_init_scale=0.1)
    start(*batch)["loss"].backward()
    assert torch.isfinite(start.W_gc.grad).all()


def test_a_subset_is_sorted_and_brings_its_ancestors():
    model = SOCAM(1, NAMES, CLOSURE, TERMS, cl_name_subset=["T cell", "B cell"])
    assert model.active_cl_names == ["B cell", "T cell", "cell", "lymphocyte"]
    alone = SOCAM(
        1, NAMES, CLOSURE, TERMS, cl_name_subset=["T cell", "B cell"], include_ancestors_of_cl_name_subset=False
    )
    assert alone.active_cl_names == ["B cell", "T cell"] and alone.W_gc.shape == (30, 2)
    with pytest.raises(InputError, match="'monocyte' not among the 2 terms that the model uses"):
        alone(torch.zeros(1, 30), NAMES, np.array(["monocyte"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"descendant_tensor": torch.eye(4)}, r"shape \(4, 4\), expected a row and a column for each of 5"),
        ({"descendant_tensor": CLOSURE - torch.eye(5)}, "with 1 where both are the same term"),
        ({"cl_name_subset": ["neuron"]}, "'neuron' not among the 5 cl_names"),
        ({"W_prior_scale": -1}, "W_prior_scale=-1: expected a positive number"),
    ],
)
def test_terms_that_do_not_fit_together_are_refused(options, message):
    given = {"n_obs": 1, "var_names_g": NAMES, "descendant_tensor": CLOSURE, "cl_names": TERMS}
    with pytest.raises(InputError, match=message):
        SOCAM(**(given | options))
