"""Networks of the timm library (PyTorch Image Models, https://huggingface.co/docs/timm), wrapped.

They were made for photographs. What cannot read every pixel of a pseudo-image is refused.
"""

from __future__ import annotations

import copy
import difflib
import re
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import BackboneUnavailable, InputError
from .network import Network


class Timm(Network):
    """A network of timm: all but its classifier as the body, its classifier as the head."""

    def __init__(self, body: nn.Module, head: nn.Module):
        super().__init__()
        self.body, self.head = body, head


def create(
    name: str, side: int, in_chans: int, num_classes: int, pretrained: bool, n_pixels: int, options: dict
) -> Timm:
    """Build a network of timm.

    Parameters
    ----------
    name
        As timm lists it.
    side, in_chans, num_classes
        Of the images, and number of scores. The side is passed on as `img_size` where the network takes one.
    pretrained
        Whether timm shall fetch published weights.
    n_pixels
        How many pixels, row by row from the first, hold features.
    options
        Further keyword arguments of the network, for example ``{"drop_rate": 0.2}``.

    Raises
    ------
    BackboneUnavailable
        If timm is missing, or has no such network or no such weights, or the network has no single linear classifier.
    InputError
        If the network does not know an option, cannot read images of this size, or leaves features unread.
    """
    timm = _library(name)
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise BackboneUnavailable(f"kind='timm:{name}': timm {timm.__version__} has no such network{hint}")
    if pretrained and not timm.is_model_pretrained(name):
        raise BackboneUnavailable(f"kind='timm:{name}': timm has no published weights for it. Set pretrained to False.")
    settings = {"pretrained": pretrained, "in_chans": in_chans, "num_classes": num_classes, **options}
    try:
        body = _created(timm, name, side, settings)
        model, scores = _split(name, body, in_chans, side)
    except (BackboneUnavailable, InputError):
        raise
    except Exception as error:  # every network of timm fails in its own way on an image too small for it
        if pretrained:
            raise BackboneUnavailable(
                f"kind='timm:{name}' could not be built with its published weights ({_first_line(error)}): set "
                f"pretrained to False, or see to it that timm can fetch them"
            ) from error
        raise InputError(
            f"kind='timm:{name}' cannot read images of side {side} ({type(error).__name__}: {_first_line(error)}): "
            f"set img_size to what it can read, for most 32 or more, or take another network"
        ) from error
    if scores.shape != (1, num_classes):
        raise BackboneUnavailable(
            f"kind='timm:{name}' gives scores of shape {tuple(scores.shape)} for one image: expected (1, {num_classes})"
        )
    _check_sight(name, model, in_chans, side, n_pixels)
    return model


def _library(name: str) -> ModuleType:
    try:
        import timm
    except Exception as error:  # a torchvision made for another torch fails with RuntimeError
        raise BackboneUnavailable(
            f"kind='timm:{name}' needs timm, and timm needs the torchvision that was made for torch "
            f"{torch.__version__} ({_first_line(error)}): install both, for example pip install timm torchvision, or "
            f"take a kind that needs torch alone"
        ) from error
    return timm


def _created(timm: ModuleType, name: str, side: int, settings: dict) -> nn.Module:
    """Create with `img_size` where the network takes it, else without."""
    try:
        try:
            return timm.create_model(name, img_size=side, **settings)
        except TypeError as error:
            if _unknown_argument(error) != "img_size":
                raise
        return timm.create_model(name, **settings)
    except TypeError as error:
        unknown = _unknown_argument(error)
        if unknown is None:
            raise
        raise InputError(f"extra {unknown}={settings[unknown]!r}: timm's {name} does not know it") from error


def _unknown_argument(error: TypeError) -> str | None:
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    return found[1] if found else None


def _split(name: str, body: Any, in_chans: int, side: int) -> tuple[Timm, Tensor]:
    """Take the classifier off the network and make sure that it still says the same; also give what it says."""
    probe = _pattern(1, in_chans, side)
    body.eval()  # evaluation: no dropout drawn, no batch statistics kept
    with torch.no_grad():
        scores = body(probe)
        head = body.get_classifier()
        body.reset_classifier(0)
        whole = isinstance(head, nn.Linear) and torch.allclose(head(body(probe)), scores, rtol=1e-3, atol=1e-5)
    if not whole:
        raise BackboneUnavailable(
            f"kind='timm:{name}': its scores are not one linear layer on one embedding, which everything behind it "
            f"builds upon. Take another network."
        )
    return Timm(body, head).train(), scores


def _check_sight(name: str, model: Timm, in_chans: int, side: int, n_pixels: int) -> None:
    """Refuse a network to whose embedding some feature's pixel makes no difference, whatever its weights."""
    body = copy.deepcopy(model.body).eval()
    for parameter in body.parameters():
        if not parameter.any():  # a branch that starts closed
            nn.init.constant_(parameter, 0.1)
    images = _pattern(4, in_chans, side).requires_grad_()
    embedding = body(images).flatten(1)
    (slope,) = torch.autograd.grad((embedding * torch.arange(1.0, embedding.shape[1] + 1).sin()).sum(), images)
    unread = (slope.abs().sum((0, 1)).flatten()[:n_pixels] == 0).sum()
    if unread:
        raise InputError(
            f"kind='timm:{name}' leaves {unread} of {n_pixels} features unread at a side of {side}: set img_size to "
            f"what it reads whole, for a network that divides images into patches a multiple of their side"
        )


def _pattern(count: int, in_chans: int, side: int) -> Tensor:
    """Images without a draw: a probe must not move the generator."""
    return torch.arange(float(count * in_chans * side * side)).mul(1.7).sin().reshape(count, in_chans, side, side)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
