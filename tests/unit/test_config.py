"""The settings: every field and default of the manual, what is refused, and what is said to be without effect."""

import dataclasses
import inspect
import math
from importlib import import_module

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

REQUIRED = inspect.Parameter.empty
# module.function -> its documented parameters, in their order, with their defaults
DOCUMENTED_SIGNATURES = {
    "transform.square_dim": {"n_features": REQUIRED, "buffer": 0},
    "transform.image_side": {"n_features": REQUIRED},
    "transform.permutation": {"seed": REQUIRED, "n": REQUIRED},
    "transform.inverse_permutation": {"perm": REQUIRED},
    "transform.to_images": {"X": REQUIRED, "buffer": 0, "perm": None},
    "transform.pixels_to_features": {"attr_image": REQUIRED, "perm": REQUIRED, "n_features": REQUIRED},
    "accumulate.accept_pass": {"accuracy": REQUIRED, "min_accuracy": REQUIRED},
    "accumulate.ranks_from_importances": {"importances": REQUIRED},
    "accumulate.top_k_set": {"importances": REQUIRED, "k": REQUIRED},
    "accumulate.selection_frequency": {"top_sets": REQUIRED, "n_features": REQUIRED},
    "accumulate.mean_rank": {"rank_lists": REQUIRED},
    "accumulate.median_importance": {"importance_lists": REQUIRED},
    "accumulate.stability_selection_bound": {"pi_thr": REQUIRED, "q": REQUIRED, "n_features": REQUIRED},
    "earlystop.is_improvement": {"value": REQUIRED, "best": REQUIRED, "min_delta": REQUIRED, "mode": "min"},
    "earlystop.should_stop": {"num_bad": REQUIRED, "patience": REQUIRED, "epoch": REQUIRED, "min_epochs": REQUIRED},
    "earlystop.EarlyStopper": {"patience": 20, "min_delta": 1e-3, "min_epochs": 40, "mode": "min"},
    "earlystop.EarlyStopper.step": {"self": REQUIRED, "epoch": REQUIRED, "value": REQUIRED},
    "augment.make_train_transform": {"cfg": REQUIRED},
    "augment.describe": {"cfg": REQUIRED},
    "backbones.available": {},
    "backbones.build": {"spec": REQUIRED, "num_classes": REQUIRED},
    "attribution.feature_importances": {
        "model": REQUIRED,
        "X_images": REQUIRED,
        "targets": REQUIRED,
        "method": REQUIRED,
        "perm": REQUIRED,
        "n_features": REQUIRED,
        "baseline": None,
        "ig_steps": 32,
        "ig_internal_batch": 16,
    },
    "runner.run": {"X": REQUIRED, "y": REQUIRED, "config": REQUIRED, "feature_names": None},
    "runner.Findings.ranking": {"self": REQUIRED, "top": 20},
    "evaluate.evaluate": {
        "X": REQUIRED,
        "y": REQUIRED,
        "config": REQUIRED,
        "class_names": None,
        "test_size": 0.25,
        "seed": 0,
    },
    "linear_baseline.fit": {"X": REQUIRED, "y": REQUIRED, "feature_names": None, "C": 1.0, "max_iter": 5000},
    "linear_baseline.top_genes": {"ranking": REQUIRED, "k": REQUIRED},
    "unsupervised.embed_unsupervised": {
        "X": REQUIRED,
        "config": None,
        "beta": 1.0,
        "latent_dim": 32,
        "seed": 0,
        "mode": "vae",
    },
    "io.load_h5ad": {"path": REQUIRED, "label_key": REQUIRED, "normalize": True, "target_sum": 1e4},
    "io.load_10x_populations": {
        "specs": REQUIRED,
        "normalize": True,
        "target_sum": 1e4,
        "n_per_class": None,
        "seed": 0,
    },
    "io.highly_variable_subset": {"ds": REQUIRED, "n_top_genes": 2000},
    "io.intersect_genes": {"a": REQUIRED, "b": REQUIRED},
    "io.exclusive_genes": {"a": REQUIRED, "b": REQUIRED},
    "io.export_for_seurat": {"ds": REQUIRED, "outdir": REQUIRED},
}

DOCUMENTED_RESULTS = {
    "runner.Findings": (
        "n_features n_passes_run n_accepted accuracies stop_epochs median_importance mean_rank selection_frequency "
        "feature_names"
    ),
    "evaluate.EvalResult": "y_true y_pred y_proba classes accuracy macro_f1 per_pass_acc report",
    "io.Dataset": "X y var_names label_names",
}


@pytest.mark.parametrize("cls", DOCUMENTED_FIELDS, ids=lambda cls: cls.__name__)
def test_every_documented_field_has_its_documented_default(cls):
    made = cls()
    actual = {name: getattr(made, name) for name in DOCUMENTED_FIELDS[cls] if hasattr(made, name)}
    assert actual == DOCUMENTED_FIELDS[cls]
    assert {name: type(value) for name, value in actual.items()} == {
        name: type(value) for name, value in DOCUMENTED_FIELDS[cls].items()
    }


@pytest.mark.parametrize("path", DOCUMENTED_SIGNATURES)
def test_every_documented_function_takes_what_the_manual_says(path):
    """More may be taken, after the documented parameters and never required."""
    module, *names = path.split(".")
    function = import_module(f"deepmapper.{module}")
    for name in names:
        function = getattr(function, name)
    parameters = list(inspect.signature(function).parameters.values())
    documented = DOCUMENTED_SIGNATURES[path]
    assert {p.name: p.default for p in parameters[: len(documented)]} == documented
    assert [p.name for p in parameters[: len(documented)]] == list(documented)
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters[: len(documented)])
    assert [p.name for p in parameters[len(documented) :] if p.default is REQUIRED] == []


@pytest.mark.parametrize("path", DOCUMENTED_RESULTS)
def test_every_documented_field_of_a_result_is_there(path):
    module, name = path.split(".")
    fields = [field.name for field in dataclasses.fields(getattr(import_module(f"deepmapper.{module}"), name))]
    assert set(DOCUMENTED_RESULTS[path].split()) <= set(fields)


@pytest.mark.parametrize(
    "path", ["backbones.BackboneUnavailable", "attribution.AttributionUnavailable", "errors.InputError"]
)
def test_the_documented_exceptions_are_exceptions(path):
    module, name = path.split(".")
    assert issubclass(getattr(import_module(f"deepmapper.{module}"), name), Exception)


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


def settings_that_say_nothing(**changed):
    return DeepMapperConfig(**{"epochs": 200, **changed}).inert_settings()


def test_settings_that_act_are_not_mentioned():
    assert settings_that_say_nothing() == []
    assert settings_that_say_nothing(early_stop=False, epochs=20) == []
    assert settings_that_say_nothing(augment=AugmentConfig(True, 0.1)) == []
    assert settings_that_say_nothing(baseline="mean") == []
    assert settings_that_say_nothing(max_tries=30) == []


def test_the_documented_defaults_are_said_to_stop_nothing():
    (said,) = DeepMapperConfig().inert_settings()
    assert "early stopping never acts: epochs=20 < min_epochs=40" in said
    assert "Raise epochs above min_epochs + patience" in said


@pytest.mark.parametrize(("epochs", "speaks"), [(39, True), (40, True), (59, True), (60, False)])
def test_early_stopping_can_act_from_the_floor_and_the_patience_on(epochs, speaks):
    """With a floor of 40 and a patience of 20, epoch 40 is the first that counts and epoch 60 the first to stop at."""
    assert bool(settings_that_say_nothing(epochs=epochs)) is speaks


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
    (sentence,) = settings_that_say_nothing(**changed)
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
        "attribution='chefer' does not fit backbone.kind='cnn_small', which shows no attention: expected one of "
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
    ({"backbone": "mlp"}, "backbone='mlp': expected a BackboneSpec"),
    ({"augment": True}, "augment=True: expected a AugmentConfig"),
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


def test_all_faults_are_told_at_once():
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
