"""Networks of timm: what is passed on and what is refused, with a double of timm; and timm itself if installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from deepmapper.backbones.registry import build, check
from deepmapper.config import BackboneSpec, DeepMapperConfig
from deepmapper.errors import BackboneUnavailable, InputError
from deepmapper.features.samples import Samples
from deepmapper.passes.restore import restore_model
from deepmapper.passes.train import train_pass


class Plain(nn.Module):
    """What timm's networks have in common: a classifier that can be taken off."""

    def __init__(self, num_classes=1000, in_chans=3, drop_rate=0.0, patch=1):
        super().__init__()
        self.arguments = {"num_classes": num_classes, "in_chans": in_chans, "drop_rate": drop_rate}
        self.stem = nn.Conv2d(in_chans, 8, patch, patch)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Dropout(drop_rate))
        self.fc = nn.Linear(8 * 16, num_classes)

    def forward(self, images):
        return self.fc(self.pool(self.stem(images).tanh()))

    def get_classifier(self):
        return self.fc

    def reset_classifier(self, num_classes):
        self.fc = nn.Linear(8 * 16, num_classes) if num_classes else nn.Identity()


class Sized(Plain):
    """A network that takes the size of the images."""

    def __init__(self, img_size=224, **others):
        super().__init__(**others)
        self.arguments["img_size"] = img_size


class Patched(Sized):
    """A network on patches of 4 × 4 that ignores pixels outside complete patches."""

    def __init__(self, **others):
        super().__init__(patch=4, **others)


class Closed(Plain):
    """A network whose only branch that sees the image starts at zero."""

    def __init__(self, **others):
        super().__init__(**others)
        self.gate = nn.Parameter(torch.zeros(8, 1, 1))

    def forward(self, images):
        return self.fc(self.pool(self.gate * self.stem(images)))


class Demanding(Plain):
    """A network that cannot read small images."""

    def forward(self, images):
        if images.shape[-1] < 32:
            raise RuntimeError("Calculated padded input size per channel: (1 x 1).\nKernel size: (2 x 2)")
        return super().forward(images)


class TwoHeaded(Plain):
    """A network that averages two classifiers."""

    def get_classifier(self):
        return self.fc, self.fc


class Amended(Plain):
    """A network with a further layer after its classifier."""

    def forward(self, images):
        return super().forward(images) * 2 if isinstance(self.fc, nn.Linear) else super().forward(images)


MODELS = {
    "plain": Plain,
    "sized": Sized,
    "patched": Patched,
    "closed": Closed,
    "demanding": Demanding,
    "two_headed": TwoHeaded,
    "amended": Amended,
}


@pytest.fixture
def calls(monkeypatch):
    """Replace timm by a double; returns the arguments it was called with."""
    asked = []

    def create_model(name, pretrained=False, **options):
        asked.append({"name": name, "pretrained": pretrained, **options})
        if pretrained:
            raise OSError("no connection\nto the hub")
        return MODELS[name](**options)

    stand_in = SimpleNamespace(
        __version__="0",
        create_model=create_model,
        is_model=MODELS.__contains__,
        is_model_pretrained=lambda name: name == "plain",
        list_models=lambda: list(MODELS),
    )
    monkeypatch.setitem(sys.modules, "timm", stand_in)
    return asked


def spec(name, side=8, **others):
    return BackboneSpec(f"timm:{name}", side, **others)


def test_the_size_is_passed_on_where_it_is_taken(calls):
    model = build(spec("sized", in_chans=2), 5)
    assert model.body.arguments == {"num_classes": 5, "in_chans": 2, "drop_rate": 0.0, "img_size": 8}
    assert calls == [{"name": "sized", "pretrained": False, "img_size": 8, "in_chans": 2, "num_classes": 5}]
    calls.clear()
    assert build(spec("plain", in_chans=2), 5).body.arguments == {"num_classes": 5, "in_chans": 2, "drop_rate": 0.0}
    assert ["img_size" in call for call in calls] == [True, False]


def test_further_options_are_passed_on(calls):
    model = build(spec("plain", extra={"drop_rate": 0.25, "patch": 2}), 3)
    assert model.body.arguments["drop_rate"] == 0.25
    assert model.body.stem.kernel_size == (2, 2)


def test_the_last_layer_reads_the_embedding(calls):
    torch.manual_seed(0)
    model, images = build(spec("plain"), 3).eval(), torch.rand(4, 1, 8, 8)
    torch.manual_seed(0)
    plain = Plain(3, 1).eval()
    with torch.no_grad():
        assert model.embed(images).shape == (4, 128)
        torch.testing.assert_close(model.head(model.embed(images)), model(images))
        assert torch.equal(model(images), plain(images))
    assert len(model.state_dict()) == len(plain.state_dict())  # nothing is kept twice


def test_building_draws_the_weights_and_nothing_else(calls):
    torch.manual_seed(0)
    Plain(3, 1)
    expected = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = build(spec("plain", extra={"drop_rate": 0.5}), 3)
    assert torch.equal(torch.random.get_rng_state(), expected)
    assert all(part.training for part in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_a_pass_trains_attributes_and_is_restored(calls, planted):
    config = DeepMapperConfig(
        epochs=20,
        lr=0.01,
        batch_size=16,
        early_stop=False,
        backbone=BackboneSpec("timm:plain", extra={"drop_rate": 0.1}),
    )
    one, two = (train_pass(planted.samples, config, 0) for _ in range(2))
    assert one.importance.tobytes() == two.importance.tobytes()
    assert np.isfinite(one.importance).all()
    assert one.history[-1, 0] < one.history[0, 0]
    restored = restore_model(one, 30).state_dict()
    assert all(np.array_equal(value, one.weights[name]) for name, value in restored.items())


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (spec("plane"), BackboneUnavailable, "kind='timm:plane': timm 0 has no such network; .* plain"),
        (spec("zzz"), BackboneUnavailable, "kind='timm:zzz': timm 0 has no such network$"),
        (spec("plain", extra={"depth": 3}), InputError, "extra depth=3: timm's plain has no such option"),
        (spec("sized", extra={"depth": 3}), InputError, "extra depth=3: timm's sized has no such option"),
        (
            spec("demanding"),
            InputError,
            r"'timm:demanding' cannot read images of side 8 \(RuntimeError: Calculated padded input size per channel: "
            r"\(1 x 1\)\.\): set img_size to a size it can read",
        ),
        (
            spec("patched", 10),
            InputError,
            "'timm:patched' does not read 36 of 100 features at a side of 10: set img_size",
        ),
        (spec("two_headed"), BackboneUnavailable, "its scores are not one linear layer on one embedding"),
        (spec("amended"), BackboneUnavailable, "its scores are not one linear layer on one embedding"),
        (
            spec("plain", pretrained=True),
            BackboneUnavailable,
            r"could not be built with its published weights \(no connection\): set pretrained to False",
        ),
        (spec("sized", pretrained=True), BackboneUnavailable, "timm has no published weights for it. Set pretrained"),
    ],
)
def test_what_cannot_be_built_is_refused(calls, asked, error, message):
    with pytest.raises(error, match=message):
        build(asked, 3)


def test_a_side_that_fits_is_taken(calls):
    for name, side in (("demanding", 32), ("patched", 8), ("closed", 8)):
        assert build(spec(name, side), 3)(torch.rand(2, 1, side, side)).shape == (2, 3)


def test_only_pixels_with_features_need_be_read(calls):
    """The patches do not read the last two rows and columns of 10 × 10 pixels."""
    assert build(spec("patched", 10), 3, 8)
    with pytest.raises(InputError, match="does not read 1 of 9 features at a side of 10"):
        build(spec("patched", 10), 3, 9)


@pytest.mark.parametrize("name", ["num_classes", "in_chans", "img_size", "pretrained", "features_only"])
def test_what_has_a_field_of_its_own_is_no_further_option(name):
    with pytest.raises(InputError, match=f"{name} cannot be given here; img_size, in_chans and pretrained are fields"):
        check(spec("plain", extra={name: 1}))


def test_the_check_before_a_run_needs_no_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    check(spec("anything", extra={"drop_rate": 0.1}))
    with pytest.raises(BackboneUnavailable, match="kind='timm:' is not a known network: expected one of .*timm:<name>"):
        check(BackboneSpec("timm:"))


NEEDS = r"kind='timm:plain' needs timm, and timm needs the torchvision built for torch .* \({}\): install both"


def test_without_timm_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(BackboneUnavailable, match=NEEDS.format("import of timm halted.*")):
        build(spec("plain"), 3)


def test_a_torchvision_made_for_another_torch_is_named(monkeypatch, tmp_path):
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(BackboneUnavailable, match=NEEDS.format("operator torchvision::nms does not exist")):
        build(spec("plain"), 3)


@pytest.fixture(scope="module")
def timm():
    try:
        import timm
    except Exception as error:
        pytest.skip(f"timm cannot be imported here: {error}")
    return timm


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("resnet10t", {"drop_rate": 0.1}),
        ("convnext_atto", {"drop_path_rate": 0.1}),
        ("mobilevit_xxs", {}),
        ("vit_tiny_patch16_224", {"depth": 2, "proj_drop_rate": 0.1}),
    ],
)
def test_networks_of_timm_itself_train_and_attribute(timm, planted, name, extra):
    config = DeepMapperConfig(
        epochs=2, batch_size=16, early_stop=False, ig_steps=2, attribution_samples=4,
        backbone=spec(name, 32, extra=extra),
    )  # fmt: skip
    one, two = (train_pass(Samples(planted.X[:60], planted.y[:60], planted.classes), config, 0) for _ in range(2))
    assert np.isfinite(one.importance).all()
    assert one.importance.any()
    assert one.importance.tobytes() == two.importance.tobytes()


def test_timm_itself_is_refused_where_it_would_leave_features_unread(timm):
    with pytest.raises(InputError, match="leaves 509 of 765 features unread at a side of 28"):
        build(spec("vit_tiny_patch16_224", 28, extra={"depth": 1}), 3, 765)
    with pytest.raises(
        InputError, match="'timm:convnext_atto' cannot read images of side 28 .*for most networks 32 or more"
    ):
        build(spec("convnext_atto", 28), 3, 765)
    with pytest.raises(InputError, match="extra depht=2: timm's vit_tiny_patch16_224 has no such option"):
        build(spec("vit_tiny_patch16_224", 32, extra={"depht": 2}), 3)
    with pytest.raises(BackboneUnavailable, match="no such network; near it are"):
        build(spec("mobilevitt_xxs", 32), 3)
    with pytest.raises(BackboneUnavailable, match="not one linear layer on one embedding"):
        build(spec("deit_tiny_distilled_patch16_224", 32, extra={"depth": 1}), 3)
