"""The networks behind the pseudo-image, by name. Importing this module does not import torch."""

from __future__ import annotations

from .config import BackboneSpec
from .errors import InputError
from .transform import square_dim

# kind -> (class in _networks, options that BackboneSpec.extra may hold)
_KINDS = {
    "linear": ("Linear", ()),
    "mlp": ("Mlp", ("hidden", "dropout", "num_layers")),
    "cnn_small": ("CnnSmall", ("width", "hidden", "dropout")),
    "cnn": ("Cnn", ("width", "hidden", "dropout")),
}


class BackboneUnavailable(RuntimeError):
    """A network cannot be had as asked; the message says what is missing and how to get it."""


def available() -> list[str]:
    """Names that `build` knows."""
    return sorted(_KINDS)


def resolve_side(spec: BackboneSpec, n_features: int, buffer: int = 0) -> int:
    """Side of the image in pixels: `spec.img_size`, or the smallest that holds everything.

    Raises
    ------
    InputError
        If the given size is too small.
    """
    smallest = square_dim(n_features, buffer)
    if spec.img_size and spec.img_size < smallest:
        raise InputError(
            f"img_size={spec.img_size}: {n_features} features and {buffer} extra pixels need a side of at least "
            f"{smallest}. Set img_size to 0 to have it derived."
        )
    return spec.img_size or smallest


def check(spec: BackboneSpec) -> None:
    """Refuse what `build` cannot build, without torch.

    Raises
    ------
    BackboneUnavailable
        If there is no such kind, or it has no pretrained weights.
    InputError
        If an option is unknown.
    """
    if spec.kind not in _KINDS:
        raise BackboneUnavailable(
            f"kind={spec.kind!r} is not a known network: expected one of {', '.join(available())}"
        )
    if spec.pretrained:
        raise BackboneUnavailable(
            f"kind={spec.kind!r} has no pretrained weights (those of photographs do not carry over to pseudo-images): "
            f"set pretrained to False"
        )
    options = _KINDS[spec.kind][1]
    unknown = sorted(set(spec.extra) - set(options))
    if unknown:
        raise InputError(
            f"extra={spec.extra!r}: {spec.kind} does not know {', '.join(unknown)}; "
            f"expected {', '.join(options) if options else 'nothing'}"
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
        Features (and extra pixels) that the image holds; gives the side when `spec.img_size` is 0, else may be None.

    Returns
    -------
    torch.nn.Module
        Maps (batch, in_chans, side, side) to (batch, num_classes); `embed` gives what its last layer reads.

    Raises
    ------
    BackboneUnavailable
        If there is no such kind, or it has no pretrained weights, or torch is missing.
    InputError
        If an option is unknown or out of range, or the image size is too small or unknown.
    """
    check(spec)
    if n_features is None and not spec.img_size:
        raise InputError("the size of the image is unknown: expected n_features, or img_size in the BackboneSpec")
    try:
        from . import _networks
    except ImportError as error:
        raise BackboneUnavailable(f"networks need torch ({error}): pip install torch") from error
    side = spec.img_size if n_features is None else resolve_side(spec, n_features)
    return getattr(_networks, _KINDS[spec.kind][0])(
        side=side, in_chans=spec.in_chans, num_classes=num_classes, **spec.extra
    )
