import copy
import inspect

import numpy as np
import pytest

from deepmapper.errors import InputError
from deepmapper.scnym.configs import list_configs, named_config, resolve_config


def test_the_two_configurations_differ_in_the_bar_for_confidence():
    discovery, closed = named_config("new_identity_discovery"), named_config("no_new_identity")
    assert discovery["ssl_kwargs"].pop("pseudolabel_min_confidence") == 0.9
    assert closed["ssl_kwargs"].pop("pseudolabel_min_confidence") == 0.0
    assert discovery["ssl_kwargs"].pop("dan_use_conf_pseudolabels") is True
    assert closed["ssl_kwargs"].pop("dan_use_conf_pseudolabels") is False
    assert {**discovery, "description": ""} == {**closed, "description": ""}
    assert set(list_configs()) == {"new_identity_discovery", "no_new_identity", "no_dan", "no_ssl"}


def test_no_ssl_is_not_no_dan():
    assert resolve_config("no_ssl")["unsup_max_weight"] == 0
    assert resolve_config("no_dan")["unsup_max_weight"] == 1


def test_a_dict_is_merged_deeply_and_changes_no_default():
    given = {"n_epochs": 5, "ssl_kwargs": {"T": 0.1}}
    before = copy.deepcopy(given)
    found = resolve_config(given)
    assert given == before
    assert (found["n_epochs"], found["ssl_kwargs"]["T"]) == (5, 0.1)
    assert found["ssl_kwargs"]["ramp_epochs"] == 100  # the others stay
    assert found["min_epochs"] == 20
    found["ssl_kwargs"]["T"] = 9
    assert resolve_config("new_identity_discovery")["ssl_kwargs"]["T"] == 0.5
    assert resolve_config({"config": "no_new_identity"})["ssl_kwargs"]["pseudolabel_min_confidence"] == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("no_new_idenity", "Did you mean 'no_new_identity'"),
        ({"n_epoch": 3}, "Did you mean 'n_epochs'"),
        ({"ssl_kwargs": {"temp": 3}}, "ssl_kwargs"),
        ({"ssl_kwargs": 3}, "expected a dict"),
    ],
)
def test_unknown_names_are_refused(config, message):
    with pytest.raises(InputError, match=message):
        resolve_config(config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "config is of type NoneType: expected one of new_identity_discovery"),
        (3, "config is of type int"),
        ({"n_epochs": 0}, "n_epochs=0, expected a whole number of at least 1"),
        ({"n_epochs": "2"}, "n_epochs='2', expected a whole number"),
        ({"batch_size": 1}, "batch_size=1, expected a whole number of at least 2"),
        ({"seed": -1}, "seed=-1, expected a whole number of at least 0"),
        ({"seed": True}, "seed=True, expected a whole number"),
        ({"lr": 0}, "lr=0, expected a number above 0"),
        ({"lr": float("nan")}, "lr=nan, expected a number above 0"),
        ({"weight_decay": -1}, "weight_decay=-1, expected a number of at least 0"),
        ({"balanced_classes": "yes"}, "balanced_classes='yes', expected True or False"),
        ({"optimizer": 3}, "optimizer=3, expected a word"),
        ({"ssl_kwargs": {"augment": "zz"}}, "config ssl_kwargs: augment='zz', expected one of none, log1p_drop"),
        ({"ssl_kwargs": {"T": 0}}, "T=0, expected a number above 0"),
        ({"ssl_kwargs": {"pseudolabel_min_confidence": 2}}, "pseudolabel_min_confidence=2, expected a number from 0"),
        ({"model_kwargs": {"n_hiddn": 4}}, "config model_kwargs: unknown key 'n_hiddn'.* Did you mean 'n_hidden'"),
        ({"model_kwargs": {"n_genes": 4}}, "config model_kwargs: unknown key 'n_genes'"),
        ({"model_kwargs": {"n_hidden": 0}}, "n_hidden=0, expected a whole number of at least 1"),
        ({"model_kwargs": {"init_dropout": 1}}, "init_dropout=1, expected a number from 0 to 1, but not 1"),
    ],
)
def test_values_of_no_use_are_refused(config, message):
    with pytest.raises(InputError, match=message):
        resolve_config(config)


def test_what_may_be_is_what_the_networks_and_augmentations_have():
    from deepmapper.scnym import configs, dataprep, model

    for name in list_configs():
        assert resolve_config({"config": name, "patience": None, "seed": np.int64(3)})["seed"] == 3
    assert configs._WORDS["augment"] == tuple(dataprep.AUGMENTATIONS)
    arguments = list(inspect.signature(model.CellTypeCLF).parameters)[2:]
    assert sorted(configs._OF_NETWORK) == sorted(arguments)
