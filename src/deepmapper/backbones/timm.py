"""Networks of the timm library (PyTorch Image Models, https://huggingface.co/docs/timm), wrapped.

They were made for photographs; one that does not read every pixel of a pseudo-image is refused.
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
from .base import Network


class Timm(Network):
    """A network of timm: its classifier is the head, everything else the body."""

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
        As in `timm.list_models`.
    side, in_chans, num_classes
        Of the images, and number of scores. The side is passed on as `img_size` if the network takes one.
    pretrained
        Whether to start from published weights, which timm downloads.
    n_pixels
        How many pixels, counted row by row from the first, hold features.
    options
        Further keyword arguments of the network, for example ``{"drop_rate": 0.2}``.

    Raises
    ------
    BackboneUnavailable
        If timm is missing, or has no such network or no such weights, or the network has no single linear classifier.
    InputError
        If the network has no such option, cannot read images of this size, or does not read every feature.
    """
    timm = _library(name)
    if not timm.is_model(name):
        similar = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"; similar names are {', '.join(similar)}" if similar else ""
        raise BackboneUnavailable(f"kind='timm:{name}': timm {timm.__version__} has no such network{hint}")
    if pretrained and not timm.is_model_pretrained(name):
        raise BackboneUnavailable(f"kind='timm:{name}': timm has no published weights for it. Set pretrained to False.")
    settings = {"pretrained": pretrained, "in_chans": in_chans, "num_classes": num_classes, **options}
    try:
        body = _create_model(timm, name, side, settings)
        model, scores = _split(name, body, in_chans, side)
    except (BackboneUnavailable, InputError):
        raise
    except Exception as error:  # networks of timm raise various errors if an image is too small
        if pretrained:
            raise BackboneUnavailable(
                f"kind='timm:{name}' could not be built with its published weights ({_first_line(error)}): set "
                f"pretrained to False, or make sure that timm can download them"
            ) from error
        raise InputError(
            f"kind='timm:{name}' cannot read images of side {side} ({type(error).__name__}: {_first_line(error)}): "
            f"set img_size to a size it can read (for most networks 32 or more), or choose another network"
        ) from error
    if scores.shape != (1, num_classes):
        raise BackboneUnavailable(
            f"kind='timm:{name}' gives scores of shape {tuple(scores.shape)} for one image: expected (1, {num_classes})"
        )
    _check_pixels_read(name, model, in_chans, side, n_pixels)
    return model


def _library(name: str) -> ModuleType:
    try:
        import timm
    except Exception as error:  # a torchvision built for another torch raises RuntimeError
        raise BackboneUnavailable(
            f"kind='timm:{name}' needs timm, and timm needs the torchvision built for torch "
            f"{torch.__version__} ({_first_line(error)}): install both, for example pip install timm torchvision, or "
            f"choose a kind that needs only torch"
        ) from error
    return timm


def _create_model(timm: ModuleType, name: str, side: int, settings: dict) -> nn.Module:
    """Create the network, with `img_size` if it takes one."""
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
        raise InputError(f"extra {unknown}={settings[unknown]!r}: timm's {name} has no such option") from error


def _unknown_argument(error: TypeError) -> str | None:
    match = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    return match[1] if match else None


def _split(name: str, body: Any, in_chans: int, side: int) -> tuple[Timm, Tensor]:
    """Separate body and classifier, check that together they still give the same scores, and return the scores too."""
    probe = _pattern(1, in_chans, side)
    body.eval()  # evaluation mode: draws no dropout, updates no batch statistics
    with torch.no_grad():
        scores = body(probe)
        head = body.get_classifier()
        body.reset_classifier(0)
        separable = isinstance(head, nn.Linear) and torch.allclose(head(body(probe)), scores, rtol=1e-3, atol=1e-5)
    if not separable:
        raise BackboneUnavailable(
            f"kind='timm:{name}': its scores are not one linear layer on one embedding, which attributions and "
            f"embeddings need. Choose another network."
        )
    return Timm(body, head).train(), scores


def _check_pixels_read(name: str, model: Timm, in_chans: int, side: int, n_pixels: int) -> None:
    """Refuse a network whose embedding does not depend on every feature's pixel, whatever its weights."""
    body = copy.deepcopy(model.body).eval()
    for parameter in body.parameters():
        if not parameter.any():  # a branch that starts at zero would hide what it reads
            nn.init.constant_(parameter, 0.1)
    images = _pattern(4, in_chans, side).requires_grad_()
    embedding = body(images).flatten(1)
    (gradient,) = torch.autograd.grad((embedding * torch.arange(1.0, embedding.shape[1] + 1).sin()).sum(), images)
    unread = (gradient.abs().sum((0, 1)).flatten()[:n_pixels] == 0).sum()
    if unread:
        raise InputError(
            f"kind='timm:{name}' does not read {unread} of {n_pixels} features at a side of {side}: set img_size to a "
            f"size that it reads in full (for a network that cuts images into patches, a multiple of the patch side)"
        )


def _pattern(count: int, in_chans: int, side: int) -> Tensor:
    """Make images without random numbers: a probe must not advance the generator."""
    return torch.arange(float(count * in_chans * side * side)).mul(1.7).sin().reshape(count, in_chans, side, side)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
