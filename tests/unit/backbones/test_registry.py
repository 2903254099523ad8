"""The networks: what they take, what they give, what they refuse, and that they know where a pixel is."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import brentq

from deepmapper.backbones.cnn_small import effective_number
from deepmapper.backbones.registry import available, build, resolve_side
from deepmapper.config import BackboneSpec
from deepmapper.errors import BackboneUnavailable, InputError

KINDS = ["linear", "mlp", "cnn_small", "cnn"]


def made(kind, n_features=30, classes=3, seed=0, **spec):
    torch.manual_seed(seed)
    return build(BackboneSpec(kind, **spec), classes, n_features).eval()


def test_the_documented_kinds_are_there():
    assert set(KINDS) <= set(available())
    assert available() == sorted(available())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_features", [1, 3, 30, 765, 9000])
def test_images_of_any_size_give_one_score_a_class(kind, n_features):
    side = resolve_side(BackboneSpec(kind), n_features)
    with torch.no_grad():
        scores = made(kind, n_features, classes=4)(torch.rand(2, 1, side, side))
    assert scores.shape == (2, 4)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("kind", KINDS)
def test_channels_and_a_given_size_are_taken(kind):
    with torch.no_grad():
        assert made(kind, img_size=9, in_chans=3)(torch.rand(2, 3, 9, 9)).shape == (2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_manuals_call_with_two_arguments_works_where_the_size_is_given(kind):
    assert build(BackboneSpec(kind, img_size=6), 3)(torch.rand(2, 1, 6, 6)).shape == (2, 3)
    with pytest.raises(InputError, match="the size of the image is unknown: expected n_features, or img_size"):
        build(BackboneSpec(kind), 3)


@pytest.mark.parametrize("kind", ["mlp", "cnn_small", "cnn"])
def test_the_last_layer_reads_the_embedding(kind):
    model, images = made(kind), torch.rand(5, 1, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(model.head(model.embed(images)), model(images))


def test_the_embedding_of_the_linear_model_is_its_scores():
    model, images = made("linear"), torch.rand(5, 1, 6, 6)
    assert torch.equal(model.embed(images), model(images))


@pytest.mark.parametrize("kind", KINDS)
def test_every_pixel_counts_and_its_place_matters(kind):
    """One lit pixel at each of 81 places: no two images score alike, as they would if positions were averaged."""
    model = made(kind, 81)
    if kind == "linear":
        torch.nn.init.normal_(model.head.weight)
    images = torch.eye(81).reshape(81, 1, 9, 9)
    with torch.no_grad():
        scores, dark = model(images), model(torch.zeros(1, 1, 9, 9))
    assert ((scores - dark).abs().max(1).values > 1e-7).all()
    assert len(np.unique(scores.numpy().round(7), axis=0)) == 81


@pytest.mark.parametrize("kind", ["cnn_small", "cnn"])
def test_no_network_averages_over_positions(kind):
    """Far from every border and in step with the strides, only the place of the lit pixel differs."""
    model, places = made(kind, 64 * 64), [(row, column) for row in (24, 32, 40) for column in (24, 32, 40)]
    images = torch.zeros(len(places), 1, 64, 64)
    for image, (row, column) in zip(images, places, strict=True):
        image[0, row, column] = 50
    with torch.no_grad():
        scores = model(images)
    apart = torch.pdist(scores)
    assert apart.min() > 1e-4


@pytest.mark.parametrize("kind", ["mlp", "cnn_small", "cnn"])
def test_weights_follow_the_seed(kind):
    one, same, other = (dict(made(kind, seed=seed).state_dict()) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_the_linear_model_starts_at_zero():
    assert not made("linear").head.weight.any()


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        *(("mlp", extra) for extra in ({"hidden": 11}, {"num_layers": 3})),
        *((kind, extra) for kind in ("cnn_small", "cnn") for extra in ({"hidden": 11}, {"width": 5})),
    ],
)
def test_options_reach_the_network(kind, extra):
    sizes = [sum(p.numel() for p in made(kind, extra=given).parameters()) for given in ({}, extra)]
    assert sizes[0] != sizes[1]


@pytest.mark.parametrize("kind", ["mlp", "cnn_small", "cnn"])
def test_dropout_reaches_the_network_and_is_off_when_judging(kind):
    model, images = made(kind, extra={"dropout": 0.43}), torch.rand(5, 1, 6, 6)
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.43}
    with torch.no_grad():
        assert torch.equal(model(images), model(images))
        model.train()
        assert not torch.equal(model(images), model(images))


@pytest.mark.parametrize("kind", KINDS)
def test_building_leaves_no_batch_statistics_behind(kind):
    state = made(kind).state_dict()
    assert all(int(value) == 0 for name, value in state.items() if name.endswith("num_batches_tracked"))


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (BackboneSpec("resnet999"), BackboneUnavailable, "kind='resnet999' is not a known network: expected one of"),
        (BackboneSpec("mlp", pretrained=True), BackboneUnavailable, "'mlp' has no pretrained weights .*set pretrained"),
        (BackboneSpec("mlp", extra={"hiden": 3}), InputError, "mlp does not know hiden; expected hidden, dropout"),
        (BackboneSpec("linear", extra={"hidden": 3}), InputError, "linear does not know hidden; expected nothing"),
        (BackboneSpec("mlp", extra={"hidden": 0}), InputError, "extra hidden=0: expected a whole number of 1 or more"),
        (BackboneSpec("mlp", extra={"hidden": True}), InputError, "extra hidden=True: expected a whole number"),
        (BackboneSpec("cnn", extra={"width": 2.5}), InputError, r"extra width=2\.5: expected a whole number"),
        (BackboneSpec("mlp", extra={"num_layers": "2"}), InputError, "extra num_layers='2': expected a whole number"),
        (BackboneSpec("cnn_small", extra={"dropout": 1.0}), InputError, r"dropout=1\.0: expected a share from 0 to"),
        (BackboneSpec("mlp", extra={"dropout": "no"}), InputError, "dropout='no': expected a share from 0 to less"),
        (BackboneSpec("mlp", img_size=5), InputError, "img_size=5: 30 features .* need a side of at least 6"),
    ],
)
def test_what_cannot_be_built_is_refused(spec, error, message):
    with pytest.raises(error, match=message):
        build(spec, 3, 30)


def test_the_side_holds_features_and_extra_pixels():
    assert resolve_side(BackboneSpec(), 30) == 6
    assert resolve_side(BackboneSpec(), 30, buffer=7) == 7
    assert resolve_side(BackboneSpec(img_size=20), 30, buffer=7) == 20
    with pytest.raises(InputError, match="img_size=6: 30 features and 7 extra pixels need a side of at least 7"):
        resolve_side(BackboneSpec(img_size=6), 30, buffer=7)


def gates_of(spread, ratio, evidence):
    """Set gates and give them beside those by hand at an exponent t: e r^t / s^(1 - t), scaled."""
    model = made("cnn_small", spread.numel())
    model.prime(spread, ratio, evidence)
    s, r, e = (values.double().numpy() for values in (spread, ratio, evidence))

    def by_hand(t):
        gates = np.divide(e.clip(0.05) * r.clip(0.03) ** t, s ** (1 - t), out=np.zeros_like(s), where=s > 0)
        return gates * 10 / np.linalg.norm(gates * s)

    return model.gates.double().numpy(), by_hand


def test_few_pixels_are_standardised_and_weighed_by_their_evidence():
    """A pixel that tells classes apart, one as wide that does not, a narrow one, and one that never varies."""
    spread, evidence = torch.tensor([[4.0, 4.0], [1.0, 0.0]]), torch.tensor([[0.9, 0.0], [0.5, 0.0]])
    gates, by_hand = gates_of(spread, torch.tensor([[0.8, 0.0], [0.3, 0.0]]), evidence)
    np.testing.assert_allclose(gates, by_hand(0), rtol=1e-5)
    assert gates[0, 0] == pytest.approx(18 * gates[0, 1])
    assert (gates > 0).tolist() == [[True, True], [True, False]]


def test_many_pixels_with_evidence_are_weighed_down_to_five_hundred_equal_ones():
    torch.manual_seed(0)
    spread, ratio = 0.1 + torch.rand(50, 50), torch.rand(50, 50) ** 3
    gates, by_hand = gates_of(spread, ratio, torch.ones(50, 50))
    assert effective_number(torch.from_numpy(gates * spread.numpy()) ** 2) == pytest.approx(500, rel=0.01)
    t = brentq(lambda t: effective_number(torch.from_numpy(by_hand(t) * spread.numpy()) ** 2) - 500, 0, 1)
    np.testing.assert_allclose(gates, by_hand(t), rtol=1e-3)


def test_pixels_keep_their_values_where_even_these_weigh_more_than_five_hundred():
    gates, by_hand = gates_of(1 + torch.rand(40, 40), torch.ones(40, 40), torch.ones(40, 40))
    np.testing.assert_allclose(gates, by_hand(1), rtol=1e-4)


def test_an_effective_number_of_equal_ones_is_their_number():
    assert effective_number(torch.full((7,), 3.0)) == pytest.approx(7)
    assert effective_number(torch.tensor([1.0, 1.0, 0.0, 0.0])) == pytest.approx(2)


def test_the_scale_of_the_values_does_not_matter_to_cnn_small():
    model, spread = made("cnn_small", 900), 0.1 + torch.rand(30, 30)
    ratio, evidence = torch.rand(30, 30), torch.rand(30, 30)
    images, scores = torch.rand(4, 1, 30, 30), []
    for scale in (1, 1000):
        model.prime(scale * spread, ratio, evidence)
        with torch.no_grad():
            scores.append(model(scale * images))
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-3, atol=1e-4)


def test_pixels_that_do_not_vary_leave_cnn_small_without_a_say():
    model = made("cnn_small", 9)
    model.prime(torch.zeros(3, 3), torch.ones(3, 3), torch.ones(3, 3))
    assert not model.gates.any()


@pytest.mark.parametrize("sparse", [True, False])
def test_weights_left_aside_in_training_change_nothing_and_come_back(sparse):
    """Three of nine pixels vary: scores, gradients and, after a step, the weights are those of the whole layer."""
    torch.manual_seed(0)
    spread = torch.zeros(3, 3)
    spread.flatten()[torch.tensor([1, 4, 8])] = torch.tensor([1.0, 2.0, 0.5])
    whole = made("cnn_small", 9).eval()
    whole.prime(spread, spread.clamp_max(1), spread.clamp_max(1))
    trimmed = copy.deepcopy(whole)
    dense = torch.rand(5, 1, 3, 3)
    images = sp.csr_matrix(dense.flatten(1).numpy()) if sparse else dense
    before = trimmed.whole.weight.detach().clone()
    with trimmed.training_weights():
        assert trimmed.whole.weight.shape == (3, 64)
        torch.testing.assert_close(trimmed(images), whole(images))
        for model in (whole, trimmed):
            model.loss(images, torch.tensor([0, 1, 2, 0, 1])).backward()
            with torch.no_grad():
                model.whole.weight -= model.whole.weight.grad
    assert not torch.equal(trimmed.whole.weight, before)
    torch.testing.assert_close(trimmed.whole.weight, whole.whole.weight)
    torch.testing.assert_close(trimmed(images), whole(images))


def test_weights_come_back_when_training_ends_in_an_error():
    model = made("cnn_small", 9)
    model.prime(torch.eye(3), torch.eye(3), torch.eye(3))
    with pytest.raises(RuntimeError), model.training_weights():
        raise RuntimeError
    assert model.whole.weight.shape == (9, 64)


def test_nothing_is_left_aside_where_nearly_every_pixel_varies():
    model = made("cnn_small", 9)
    model.prime(torch.ones(3, 3), torch.ones(3, 3), torch.ones(3, 3))
    with model.training_weights():
        assert model.whole.weight.shape == (9, 64)
