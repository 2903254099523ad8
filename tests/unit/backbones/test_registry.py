"""Kinds of networks by name: what is built, what is refused, what is documented."""

import inspect
import math
import re
from pathlib import Path

import pytest
import torch

from deepmapper.backbones import registry
from deepmapper.backbones.registry import available, build, resolve_side
from deepmapper.config import ATTENTION_KINDS, BackboneSpec
from deepmapper.errors import BackboneUnavailable, InputError
from deepmapper.workflow import provenance

DOCS = Path(__file__).parents[3] / "docs/backbones.md"
KINDS = ["linear", "mlp", "cnn_small", "cnn"]


def test_the_documented_kinds_are_there():
    assert set(KINDS) <= set(available())
    assert available() == sorted(available())


@pytest.mark.parametrize("kind", KINDS)
def test_the_manuals_call_with_two_arguments_works_where_the_size_is_given(kind):
    assert build(BackboneSpec(kind, img_size=6), 3)(torch.rand(2, 1, 6, 6)).shape == (2, 3)
    with pytest.raises(InputError, match="the size of the image is unknown: expected n_features, or img_size"):
        build(BackboneSpec(kind), 3)


WHOLE_NUMBER = "expected a whole number of 1 or more"


@pytest.mark.parametrize(
    ("kind", "extra", "message"),
    [
        ("resnet18", {"width": 0}, f"extra width=0: {WHOLE_NUMBER}"),
        ("resnet18", {"pool": 2}, "resnet18 has no option pool; expected width, dropout"),
        ("resnet18_s", {"pool": 0}, f"extra pool=0: {WHOLE_NUMBER}"),
        ("resnet34_s", {"dropout": 1}, "extra dropout=1: expected a share from 0 to less than 1"),
        ("resnet50_s", {"hidden": 3}, "resnet50_s has no option hidden; expected width, dropout, pool"),
        ("vit_cct", {"embedding_dim": 0}, f"extra embedding_dim=0: {WHOLE_NUMBER}"),
        ("vit_cct", {"num_layers": True}, f"extra num_layers=True: {WHOLE_NUMBER}"),
        ("vit_cct", {"num_heads": 2.0}, f"extra num_heads=2.0: {WHOLE_NUMBER}"),
        ("vit_cct", {"embedding_dim": 10, "num_heads": 4}, "multiple of num_heads"),
        ("vit_cct", {"mlp_ratio": 0}, "extra mlp_ratio=0: expected a number above 0"),
        ("vit_cct", {"dropout": -0.1}, "extra dropout=-0.1: expected a share"),
        ("vit_cct", {"depth": 3}, "vit_cct has no option depth; expected embedding_dim, num_layers, num_heads"),
        ("conv_vae", {"latent_dim": "8"}, f"extra latent_dim='8': {WHOLE_NUMBER}"),
        ("conv_vae", {"beta": -1.0}, "extra beta=-1.0: expected a number of 0 or more"),
        ("conv_vae", {"reconstruction": math.nan}, "extra reconstruction=nan: expected a number of 0 or more"),
        ("conv_vae", {"reconstruction": True}, "extra reconstruction=True: expected a number of 0 or more"),
    ],
)
def test_options_that_cannot_be_used_are_refused(kind, extra, message):
    with pytest.raises(InputError, match=re.escape(message)):
        build(BackboneSpec(kind, extra=extra), 3, 30)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (BackboneSpec("resnet999"), BackboneUnavailable, "kind='resnet999' is not a known network: expected one of"),
        (BackboneSpec("mlp", pretrained=True), BackboneUnavailable, "'mlp' has no pretrained weights .*set pretrained"),
        (BackboneSpec("mlp", extra={"hiden": 3}), InputError, "mlp has no option hiden; expected hidden, dropout"),
        (BackboneSpec("linear", extra={"hidden": 3}), InputError, "linear has no option hidden; expected none"),
        (BackboneSpec("mlp", extra={"hidden": 0}), InputError, "extra hidden=0: expected a whole number of 1 or more"),
        (BackboneSpec("mlp", extra={"hidden": True}), InputError, "extra hidden=True: expected a whole number"),
        (BackboneSpec("cnn", extra={"width": 2.5}), InputError, r"extra width=2\.5: expected a whole number"),
        (BackboneSpec("mlp", extra={"num_layers": "2"}), InputError, "extra num_layers='2': expected a whole number"),
        (BackboneSpec("cnn_small", extra={"dropout": 1.0}), InputError, r"dropout=1\.0: expected a share from 0 to"),
        (BackboneSpec("mlp", extra={"dropout": "no"}), InputError, "dropout='no': expected a share from 0 to less"),
        (BackboneSpec("mlp", img_size=5), InputError, "img_size=5: 30 features .* need a side of at least 6"),
    ],
)
def test_specs_that_cannot_be_built_are_refused(spec, error, message):
    with pytest.raises(error, match=message):
        build(spec, 3, 30)


def test_the_side_holds_features_and_extra_pixels():
    assert resolve_side(BackboneSpec(), 30) == 6
    assert resolve_side(BackboneSpec(), 30, buffer=7) == 7
    assert resolve_side(BackboneSpec(img_size=20), 30, buffer=7) == 20
    with pytest.raises(InputError, match="img_size=6: 30 features and 7 extra pixels need a side of at least 7"):
        resolve_side(BackboneSpec(img_size=6), 30, buffer=7)


def options_of(kind):
    """Names and defaults that the builder of a kind takes besides the three that all take."""
    parameters = inspect.signature(registry.KINDS[kind].load()).parameters
    return {n: p.default for n, p in list(parameters.items())[3:]}


@pytest.mark.parametrize("kind", registry.available())
def test_the_registry_names_the_options_that_there_are(kind):
    assert registry.KINDS[kind].options == tuple(options_of(kind))


def test_the_kinds_that_show_their_attention_are_those_that_the_configuration_takes_for_it():
    showing = [kind for kind in registry.available() if hasattr(build(BackboneSpec(kind), 2, 9), "attend")]
    assert showing == sorted(ATTENTION_KINDS)


def test_the_page_about_networks_has_every_kind_with_its_options_and_defaults():
    page = DOCS.read_text(encoding="utf-8").partition("## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines()]
    table = {row[0].strip("`"): row for row in rows if len(row) == 4 and row[0].startswith("`")}
    assert set(table) == {*registry.available(), "timm:NAME"}
    for kind in registry.available():
        written = dict(re.findall(r"`(\w+)` ([\w.]+)", table[kind][2]))
        given = {name: value if value[0].isalpha() else float(value) for name, value in written.items()}
        assert given == options_of(kind), kind
        assert ("chefer" in table[kind][3]) is (kind in ATTENTION_KINDS)


def test_a_pass_depends_on_the_code_of_every_network():
    """A pass is trained again when the code of its network changes, though the registry imports networks on demand."""
    covered = set(provenance.modules_of("train_pass").values())
    for kind in registry.available():
        assert Path(inspect.getfile(registry.KINDS[kind].load())) in covered, kind
