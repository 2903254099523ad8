"""The settings: documented fields and defaults, invalid values, and settings without effect."""

import math

import pytest

from deepmapper.config import ATTRIBUTION_METHODS, AttributionOptions, AugmentConfig, BackboneSpec, DeepMapperConfig
from deepmapper.errors import InputError
from deepmapper.training_options import TrainingOptions

DOCUMENTED_FIELDS = {
    DeepMapperConfig: {
        "n_passes": 30,
        "min_accuracy": 0.0,
        "max_tries": 0,
        "top_k": 20,
        "buffer": 0,
        "index_features": False,
        "epochs": 20,
        "batch_size": 64,
        "lr": 1e-3,
        "test_size": 0.25,
        "early_stop": True,
        "patience": 20,
        "min_epochs": 40,
        "min_delta": 1e-3,
        "val_size": 0.15,
        "attribution": "integrated_gradients",
        "attribution_samples": 64,
        "ig_steps": 32,
        "ig_internal_batch": 16,
        "backbone": BackboneSpec(),
        "augment": AugmentConfig(),
        "seed": 0,
    },
    BackboneSpec: {"kind": "cnn_small", "img_size": 0, "in_chans": 1, "pretrained": False, "extra": {}},
    AugmentConfig: {"enabled": False, "gaussian_noise_std": 0.0},
}


@pytest.mark.parametrize("cls", DOCUMENTED_FIELDS, ids=lambda cls: cls.__name__)
def test_every_documented_field_has_its_documented_default(cls):
    made = cls()
    actual = {name: getattr(made, name) for name in DOCUMENTED_FIELDS[cls] if hasattr(made, name)}
    assert actual == DOCUMENTED_FIELDS[cls]
    assert {name: type(value) for name, value in actual.items()} == {
        name: type(value) for name, value in DOCUMENTED_FIELDS[cls].items()
    }


def test_the_defaults_pass_their_own_check():
    DeepMapperConfig().check()
    assert set(ATTRIBUTION_METHODS) >= {"integrated_gradients", "saliency", "occlusion"}


def test_two_configurations_share_nothing():
    one, other = DeepMapperConfig(), DeepMapperConfig()
    one.backbone.extra["hidden"] = 3
    one.augment.enabled = True
    assert other.backbone.extra == {}
    assert not other.augment.enabled


@pytest.mark.parametrize(("max_tries", "most"), [(0, 30), (7, 7), (50, 50)])
def test_max_tries_of_zero_means_as_many_as_passes(max_tries, most):
    assert DeepMapperConfig(max_tries=max_tries).effective_max_tries() == most


def notes_on(**changed):
    return DeepMapperConfig(**{"epochs": 200, **changed}).inert_settings()


def test_settings_that_act_are_not_mentioned():
    assert notes_on() == []
    assert notes_on(early_stop=False, epochs=20) == []
    assert notes_on(augment=AugmentConfig(True, 0.1)) == []
    assert notes_on(baseline="mean") == []
    assert notes_on(max_tries=30) == []


def test_of_early_stopping_only_what_was_chosen_is_mentioned():
    """The documented defaults (20 epochs, of which the first that counts is the 40th) are nobody's choice."""
    assert DeepMapperConfig(n_passes=3, lr=0.01).inert_settings() == []
    (said,) = DeepMapperConfig(epochs=30).inert_settings()
    assert "early stopping never acts: epochs=30 < min_epochs=40" in said
    assert "Raise epochs to min_epochs + patience or more" in said


@pytest.mark.parametrize(("epochs", "speaks"), [(39, True), (40, True), (59, True), (60, False)])
def test_early_stopping_can_act_from_the_floor_and_the_patience_on(epochs, speaks):
    """With a floor of 40 and a patience of 20, epoch 40 is the first that counts and epoch 60 the first to stop at."""
    assert bool(notes_on(epochs=epochs)) is speaks


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"augment": AugmentConfig(True, 0.0)}, "augment.enabled=True does nothing"),
        ({"augment": AugmentConfig(False, 0.1)}, "augment.gaussian_noise_std=0.1 does nothing"),
        ({"max_tries": 3}, "n_passes=30 cannot be reached: max_tries=3"),
        ({"baseline": "mean", "attribution": "saliency"}, "baseline='mean' does nothing: saliency"),
        ({"baseline": "mean", "attribution": "input_x_gradient"}, "baseline='mean' does nothing: input_x_gradient"),
    ],
)
def test_a_setting_that_cannot_act_is_named(changed, said):
    (sentence,) = notes_on(**changed)
    assert said in sentence


BAD_SETTINGS = [
    *(({name: 0}, f"{name}=0: expected 1 or more") for name in ("n_passes", "top_k", "epochs", "batch_size")),
    *(({name: 0}, f"{name}=0: expected 1 or more") for name in ("patience", "min_epochs", "attribution_samples")),
    *(({name: 0}, f"{name}=0: expected 1 or more") for name in ("ig_steps", "ig_internal_batch")),
    *(({name: -1}, f"{name}=-1: expected 0 or more") for name in ("max_tries", "buffer", "seed")),
    ({"min_delta": -0.1}, "min_delta=-0.1: expected 0 or more"),
    ({"weight_decay": -0.1}, "weight_decay=-0.1: expected 0 or more"),
    ({"lr": 0.0}, "lr=0.0: expected more than 0"),
    ({"lr": math.nan}, "lr=nan: expected more than 0"),
    ({"min_accuracy": 1.1}, "min_accuracy=1.1: expected between 0 and 1"),
    ({"test_size": 0.0}, "test_size=0.0: expected a share between 0 and 1"),
    ({"test_size": 1.0}, "test_size=1.0: expected a share between 0 and 1"),
    ({"val_size": 1.5}, "val_size=1.5: expected a share between 0 and 1"),
    ({"attribution": "shap"}, "attribution='shap': expected one of integrated_gradients, saliency"),
    (
        {"attribution": "chefer"},
        "attribution='chefer' does not fit backbone.kind='cnn_small', which has no attention: expected one of "
        "integrated_gradients, saliency, input_x_gradient, occlusion, or backbone.kind=vit_cct",
    ),
    ({"baseline": "median"}, "baseline='median': expected one of zero, mean"),
    ({"backbone": BackboneSpec(in_chans=0)}, "backbone.in_chans=0: expected 1 or more"),
    ({"backbone": BackboneSpec(img_size=-1)}, "backbone.img_size=-1: expected 0 or more"),
    ({"augment": AugmentConfig(True, -1.0)}, "augment.gaussian_noise_std=-1.0: expected 0 or more"),
    ({"epochs": 2.5}, "epochs=2.5: expected a whole number"),
    ({"n_passes": "30"}, "n_passes='30': expected a whole number"),
    ({"seed": True}, "seed=True: expected a whole number"),
    ({"lr": "fast"}, "lr='fast': expected a number"),
    ({"early_stop": 1}, "early_stop=1: expected bool"),
    ({"attribution": None}, "attribution=None: expected str"),
    ({"backbone": "mlp"}, "backbone='mlp': expected BackboneSpec"),
    ({"augment": True}, "augment=True: expected AugmentConfig"),
    ({"backbone": BackboneSpec(extra=[1])}, "backbone.extra=[1]: expected dict"),
    ({"backbone": BackboneSpec(pretrained=1)}, "backbone.pretrained=1: expected bool"),
]


@pytest.mark.parametrize(
    ("changed", "message"), BAD_SETTINGS, ids=[message.split(":")[0] for _, message in BAD_SETTINGS]
)
def test_a_setting_that_cannot_work_is_refused_by_name(changed, message):
    with pytest.raises(InputError) as refused:
        DeepMapperConfig(**changed).check()
    assert str(refused.value).startswith("DeepMapperConfig cannot be used:")
    assert message in str(refused.value)


def test_all_faults_are_reported_at_once():
    with pytest.raises(InputError) as refused:
        DeepMapperConfig(epochs=0, lr=-1.0, top_k=0).check()
    assert str(refused.value).count("\n") == 3


def test_a_whole_number_is_taken_for_a_number():
    DeepMapperConfig(lr=1, min_accuracy=1, min_delta=0).check()


def test_every_part_gets_its_options_from_the_configuration():
    config = DeepMapperConfig(
        epochs=7, batch_size=8, lr=0.5, weight_decay=0.1, clip_norm=2.0, schedule="cosine", precision="bfloat16",
        weight_average=0.5, patience=3, min_delta=0.2, min_epochs=4, attribution="occlusion", attribution_samples=5,
        ig_steps=6, ig_internal_batch=9, baseline="mean",
    )  # fmt: skip
    options = config.training_options()
    for name in set(vars(options)) - {"monitor"}:
        assert getattr(options, name) == getattr(config, name) != getattr(DeepMapperConfig(), name)
    assert options.monitor == "loss"
    assert config.attribution_options() == AttributionOptions("occlusion", 5, "mean", 6, 9)
    assert DeepMapperConfig().training_options() == TrainingOptions()
    assert DeepMapperConfig().attribution_options() == AttributionOptions()
