import copy

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
