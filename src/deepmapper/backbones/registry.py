"""Networks by name. Importing this module does not import torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..config import BackboneSpec
from ..errors import BackboneUnavailable, InputError
from ..transform import square_dim

if TYPE_CHECKING:
    from .base import Network

_TIMM = "timm:"

# Option of every kind: the number of components that the network reads instead of the features.
COMPONENTS = "input_components"

# Option of every kind: the encoder whose embedding the network reads instead of the features: its kind, the number of
# components, and how it is trained (`passes.encoders`).
ENCODER = "input_encoder"

# arguments of timm that other fields of the BackboneSpec give, or that would make the network no classifier
_NOT_FOR_TIMM = ("num_classes", "in_chans", "img_size", "pretrained", "features_only", "checkpoint_path")


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    Attributes
    ----------
    load
        Imports the network's module, which imports torch, and returns the constructor: a function of `side`,
        `in_chans`, `num_classes` and the options.
    options
        Names that `BackboneSpec.extra` may hold.
    """

    load: Callable[[], Callable[..., Network]]
    options: tuple[str, ...]


KINDS: dict[str, Kind] = {}


def register(kind: str, *options: str) -> Callable[[Callable], Callable]:
    """Register the decorated function as `Kind.load` of a kind, with the options that the network takes.

    The decorated function imports the network's module, so that names and options are known without torch while
    `workflow.provenance`, which follows imports, still sees which module a kind comes from.
    """

    def register_kind(load: Callable[[], Callable[..., Network]]) -> Callable[[], Callable[..., Network]]:
        KINDS[kind] = Kind(load, options)
        return load

    return register_kind


@register("linear")
def _linear():
    from .linear import Linear

    return Linear


@register("mlp", "hidden", "dropout", "num_layers")
def _mlp():
    from .linear import Mlp

    return Mlp


@register("cnn_small", "width", "hidden", "dropout")
def _cnn_small():
    from .default_cnn_small import CnnSmall

    return CnnSmall


@register("cnn", "width", "hidden", "dropout")
def _cnn():
    from .cnn import Cnn

    return Cnn


@register("resnet18", "width", "dropout")
def _resnet18():
    from .resnet import resnet18

    return resnet18


@register("resnet18_s", "width", "dropout", "pool")
def _resnet18_s():
    from .resnet import resnet18_s

    return resnet18_s


@register("resnet34_s", "width", "dropout", "pool")
def _resnet34_s():
    from .resnet import resnet34_s

    return resnet34_s


@register("resnet50_s", "width", "dropout", "pool")
def _resnet50_s():
    from .resnet import resnet50_s

    return resnet50_s


@register("vit_cct", "embedding_dim", "num_layers", "num_heads", "mlp_ratio", "dropout")
def _vit_cct():
    from .transformer import Cct

    return Cct


@register("conv_vae", "latent_dim", "width", "reconstruction", "beta")
def _conv_vae():
    from .autoencoder import ConvVae

    return ConvVae


@register(
    "scnym",
    "hidden",
    "num_layers",
    "dropout",
    "config",
    "adapt",
    "unsup_weight",
    "adversary_weight",
    "ramp_epochs",
    "mixup",
    "input_dropout",
    "n_domains",
)
def _scnym():
    from .scnym import Scnym

    return Scnym


def available() -> list[str]:
    """Return the kinds that `build` knows; in addition, ``timm:<name>`` stands for any network of timm."""
    return sorted(KINDS)


def resolve_side(spec: BackboneSpec, n_features: int, buffer: int = 0) -> int:
    """Return the side of the image in pixels: `spec.img_size`, or the smallest that holds all features.

    Raises
    ------
    InputError
        If `spec.img_size` is too small.
    """
    smallest = square_dim(n_features, buffer)
    if spec.img_size and spec.img_size < smallest:
        raise InputError(
            f"img_size={spec.img_size}: {n_features} features and {buffer} extra pixels need a side of at least "
            f"{smallest}. Set img_size to 0 to have it derived."
        )
    return spec.img_size or smallest


def check(spec: BackboneSpec) -> None:
    """Refuse what `build` cannot build, without importing torch; only `build` can check whether timm has a network.

    Raises
    ------
    BackboneUnavailable
        If there is no such kind, or it has no pretrained weights.
    InputError
        If an option is unknown.
    """
    if spec.kind.startswith(_TIMM) and spec.kind != _TIMM:
        reserved = sorted(set(spec.extra) & set(_NOT_FOR_TIMM))
        if reserved:
            raise InputError(
                f"extra={spec.extra!r}: {', '.join(reserved)} cannot be given here; img_size, in_chans and pretrained "
                f"are fields of their own, the others follow from the data"
            )
        return
    if spec.kind not in KINDS:
        raise BackboneUnavailable(
            f"kind={spec.kind!r} is not a known network: expected one of {', '.join(available())}, or timm:<name> for "
            f"a network of timm"
        )
    if spec.pretrained:
        raise BackboneUnavailable(
            f"kind={spec.kind!r} has no pretrained weights (those of photographs would not transfer to pseudo-images): "
            f"set pretrained to False"
        )
    options = KINDS[spec.kind].options
    unknown = sorted(set(spec.extra) - {*options, COMPONENTS, ENCODER})
    if unknown:
        raise InputError(
            f"extra={spec.extra!r}: {spec.kind} has no option {', '.join(unknown)}; "
            f"expected {', '.join(options) if options else 'none'}"
        )


def build(spec: BackboneSpec, num_classes: int, n_features: int | None = None):
    """Build the network that `spec` names, with fresh weights from torch's seeded generator.

    Parameters
    ----------
    spec
        Kind, image size, channels and options.
    num_classes
        Number of outputs (scores before softmax).
    n_features
        Features (and extra pixels) that the image holds; may be None if `spec.img_size` gives the side.

    Returns
    -------
    torch.nn.Module
        Maps (batch, in_chans, side, side) to (batch, num_classes); `embed` gives the input of its last layer, `loss`
        the training loss.

    Raises
    ------
    BackboneUnavailable
        If there is no such kind, or it has no pretrained weights, or torch or timm is missing.
    InputError
        If an option is unknown or out of range, or the image size is too small or unknown.
    """
    check(spec)
    if COMPONENTS in spec.extra or ENCODER in spec.extra:
        return _on_scores(spec, num_classes, n_features)
    if n_features is None and not spec.img_size:
        raise InputError("the size of the image is unknown: expected n_features, or img_size in the BackboneSpec")
    side = spec.img_size if n_features is None else resolve_side(spec, n_features)
    try:
        construct = _timm_create() if spec.kind.startswith(_TIMM) else KINDS[spec.kind].load()
    except ImportError as error:
        raise BackboneUnavailable(f"networks need torch ({error}): pip install torch") from error
    if spec.kind.startswith(_TIMM):
        name, n_pixels = spec.kind.removeprefix(_TIMM), side * side if n_features is None else n_features
        return construct(name, side, spec.in_chans, num_classes, spec.pretrained, n_pixels, spec.extra)
    return construct(side=side, in_chans=spec.in_chans, num_classes=num_classes, **spec.extra)


def _on_scores(spec: BackboneSpec, num_classes: int, n_features: int | None):
    """Build a network on components of the features, or on an embedding of them."""
    from .components import OnComponents
    from .encoder import OnEncoder

    options = dict(spec.extra)
    encoder = dict(options.pop(ENCODER, {}))
    n = encoder.pop("n_components") if encoder else options.pop(COMPONENTS)
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        name = f"{ENCODER}.n_components" if encoder else COMPONENTS
        raise InputError(f"extra {name}={n!r}: expected a whole number of 1 or more")
    side = spec.img_size if n_features is None else resolve_side(spec, n_features)
    if not side:
        raise InputError("the size of the image is unknown: expected n_features, or img_size in the BackboneSpec")
    inner_spec = replace(spec, img_size=0, extra=options)
    inner, inner_side = build(inner_spec, num_classes, n), resolve_side(inner_spec, n)
    if not encoder:
        return OnComponents(inner, side * side, n, inner_side, spec.in_chans)
    n_read = min(encoder.pop("n_features") or side * side, side * side if n_features is None else n_features)
    return OnEncoder(inner, n, inner_side, spec.in_chans, n_read, encoder)


def _timm_create() -> Callable[..., Network]:
    from .timm import create

    return create
