"""The documented interface: every name, argument and default, typed from its documentation."""

import inspect
from importlib import import_module

import pytest
from torch import nn
from torch.autograd import Function
from torch.utils.data import Dataset

REQUIRED = inspect.Parameter.empty

# (module, name) -> its arguments with their defaults. Further arguments may only follow.
CALLABLES = {
    ("api", "scnym_api"): {
        "adata": REQUIRED,
        "task": "train",
        "groupby": None,
        "out_path": "./scnym_outputs",
        "trained_model": None,
        "config": "new_identity_discovery",
        "key_added": "scNym",
        "copy": False,
    },
    ("api", "scnym_train"): {"adata": REQUIRED, "config": REQUIRED},
    ("api", "scnym_predict"): {"adata": REQUIRED, "config": REQUIRED},
    ("api", "get_pretrained_weights"): {"trained_model": REQUIRED, "out_path": REQUIRED},
    ("api", "atlas2target"): {"adata": REQUIRED, "species": REQUIRED, "key_added": "annotations"},
    ("model", "ResBlock"): {"n_inputs": REQUIRED, "n_hidden": REQUIRED},
    ("model", "CellTypeCLF"): {
        "n_genes": REQUIRED,
        "n_cell_types": REQUIRED,
        "n_hidden": 256,
        "n_layers": 2,
        "init_dropout": 0.0,
        "residual": False,
        "batch_norm": True,
        "track_running_stats": True,
    },
    ("model", "DANN"): {"model": REQUIRED, "n_domains": 2, "weight": 1.0, "n_layers": 1},
    ("model", "CellTypeCLFConditional"): {"n_genes": REQUIRED, "n_tissues": REQUIRED, "kwargs": REQUIRED},
    ("trainer", "Trainer"): {
        "model": REQUIRED,
        "criterion": REQUIRED,
        "optimizer": REQUIRED,
        "dataloaders": REQUIRED,
        "out_path": REQUIRED,
        "batch_transformers": {},
        "n_epochs": 50,
        "min_epochs": 0,
        "exp_name": "",
        "reg_criterion": None,
        "use_gpu": False,
        "verbose": False,
        "save_freq": 10,
        "scheduler": None,
        "tb_writer": None,
    },
    ("trainer", "SemiSupervisedTrainer"): {
        "unsup_criterion": REQUIRED,
        "unsup_dataloader": REQUIRED,
        "unsup_weight": REQUIRED,
        "dan_criterion": None,
        "dan_weight": None,
        "kwargs": REQUIRED,
    },
    ("trainer", "get_class_weight"): {"y": REQUIRED},
    ("trainer", "cross_entropy"): {
        "pred_": REQUIRED,
        "label": REQUIRED,
        "class_weight": None,
        "sample_weight": None,
        "reduction": "mean",
    },
    ("trainer", "InterpolationConsistencyLoss"): {
        "unsup_criterion": REQUIRED,
        "sup_criterion": REQUIRED,
        "decay_coef": 0.9997,
        "mean_teacher": True,
        "augment": None,
        "teacher_eval": True,
        "teacher_bn_running_stats": None,
        "kwargs": REQUIRED,
    },
    ("trainer", "sharpen_labels"): {"q": REQUIRED, "T": 0.5},
    ("trainer", "MixMatchLoss"): {
        "n_augmentations": 2,
        "T": 0.5,
        "augment_pseudolabels": True,
        "pseudolabel_min_confidence": 0.0,
        "kwargs": REQUIRED,
    },
    ("trainer", "DANLoss"): {
        "dan_criterion": REQUIRED,
        "model": REQUIRED,
        "use_conf_pseudolabels": False,
        "scale_loss_pseudoconf": False,
    },
    ("trainer", "ICLWeight"): {
        "ramp_epochs": REQUIRED,
        "burn_in_epochs": 0,
        "max_unsup_weight": 10.0,
        "sigmoid": False,
    },
    ("interpret", "Salience"): {
        "model": REQUIRED,
        "class_names": REQUIRED,
        "gene_names": None,
        "layer_to_hook": None,
        "verbose": False,
    },
    ("dataprep", "SingleCellDS"): {"X": REQUIRED, "y": REQUIRED, "transform": None, "num_classes": -1},
    ("dataprep", "balance_classes"): {"y": REQUIRED, "class_min": 256},
    ("dataprep", "LibrarySizeNormalize"): {"counts_per_cell_after": 1000000, "log1p": True},
    ("dataprep", "ExpMinusOne"): {},
    ("dataprep", "MultinomialSample"): {"depth": (10000, 100000), "depth_ratio": None},
    ("dataprep", "GeneMasking"): {"p_drop": 0.1, "p_apply": 0.5, "sample_p_drop": False},
    ("dataprep", "InputDropout"): {"p_drop": 0.1},
    ("dataprep", "PoissonSample"): {},
    ("dataprep", "mixup"): {"a": REQUIRED, "b": REQUIRED, "gamma": REQUIRED},
    ("dataprep", "SampleMixUp"): {"alpha": 0.2, "keep_dominant_obs": False},
    ("dataprep", "identity"): {"x": REQUIRED},
}

# (module, class, method) -> its arguments with their defaults.
METHODS = {
    ("model", "ResBlock", "forward"): {"x": REQUIRED},
    ("model", "CellTypeCLF", "forward"): {"x": REQUIRED},
    ("model", "CellTypeCLFConditional", "forward"): {"x": REQUIRED},
    ("model", "GradReverse", "forward"): {"ctx": REQUIRED, "x": REQUIRED, "weight": REQUIRED},
    ("model", "GradReverse", "backward"): {"ctx": REQUIRED, "grad_output": REQUIRED},
    ("model", "DANN", "set_rev_grad_weight"): {"weight": REQUIRED},
    ("model", "DANN", "forward"): {"x": REQUIRED},
    ("trainer", "Trainer", "train_epoch"): {},
    ("trainer", "Trainer", "val_epoch"): {},
    ("trainer", "Trainer", "train"): {},
    ("trainer", "SemiSupervisedTrainer", "train_epoch"): {},
    ("interpret", "Salience", "get_saliency"): {"x": REQUIRED, "target_class": REQUIRED, "guide_backprop": False},
    ("interpret", "Salience", "rank_genes_by_saliency"): {"kwargs": REQUIRED},
}

BASES = {
    ("model", "ResBlock"): nn.Module,
    ("model", "CellTypeCLF"): nn.Module,
    ("model", "GradReverse"): Function,
    ("model", "DANN"): nn.Module,
    ("dataprep", "SingleCellDS"): Dataset,
}


def named(module, name):
    return getattr(import_module(f"deepmapper.scnym.{module}"), name)


def arguments(function):
    return {name: p.default for name, p in inspect.signature(function).parameters.items() if name != "self"}


@pytest.mark.parametrize(("place", "expected"), CALLABLES.items())
def test_arguments_and_defaults_are_the_documented_ones(place, expected):
    found = arguments(named(*place))
    assert list(found)[: len(expected)] == list(expected)
    assert {name: found[name] for name in expected} == expected
    assert all(found[name] is not REQUIRED for name in found if name not in expected)


@pytest.mark.parametrize(("place", "expected"), METHODS.items())
def test_methods_have_the_documented_arguments(place, expected):
    found = arguments(getattr(named(*place[:2]), place[2]))
    assert list(found)[: len(expected)] == list(expected)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("place", "base"), BASES.items())
def test_bases_are_the_documented_ones(place, base):
    assert issubclass(named(*place), base)


def test_trainers_and_classifiers_inherit_as_documented():
    trainer, model = import_module("deepmapper.scnym.trainer"), import_module("deepmapper.scnym.model")
    assert issubclass(trainer.SemiSupervisedTrainer, trainer.Trainer)
    assert issubclass(trainer.MixMatchLoss, trainer.InterpolationConsistencyLoss)
    assert issubclass(model.CellTypeCLFConditional, model.CellTypeCLF)


def test_the_room_has_the_documented_modules():
    import deepmapper.scnym as scnym

    for name in ("api", "model", "trainer", "interpret", "dataprep"):
        assert getattr(scnym, name).__name__ == f"deepmapper.scnym.{name}"
    assert scnym.scnym_api is scnym.api.scnym_api
