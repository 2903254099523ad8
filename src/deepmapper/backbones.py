"""The networks behind the pseudo-image, by name. Importing this module does not import torch."""

from __future__ import annotations

from .config import BackboneSpec
from .errors import BackboneUnavailable, InputError
from .transform import square_dim

_RESNET_S = ("width", "dropout", "pool")
# kind -> (what makes it, in which module, options that BackboneSpec.extra may hold)
_KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "linear": ("Linear", "_networks", ()),
    "mlp": ("Mlp", "_networks", ("hidden", "dropout", "num_layers")),
    "cnn_small": ("CnnSmall", "_networks", ("width", "hidden", "dropout")),
    "cnn": ("Cnn", "_networks", ("width", "hidden", "dropout")),
    "resnet18": ("resnet18", "_resnet", ("width", "dropout")),
    "resnet18_s": ("resnet18_s", "_resnet", _RESNET_S),
    "resnet34_s": ("resnet34_s", "_resnet", _RESNET_S),
    "resnet50_s": ("resnet50_s", "_resnet", _RESNET_S),
    "vit_cct": ("Cct", "_transformer", ("embedding_dim", "num_layers", "num_heads", "mlp_ratio", "dropout")),
    "conv_vae": ("ConvVae", "_autoencoder", ("latent_dim", "width", "reconstruction", "beta")),
}
_TIMM = "timm:"
# what timm's networks are told by the other fields of the BackboneSpec, or what makes no classifier of them
_NOT_FOR_TIMM = ("num_classes", "in_chans", "img_size", "pretrained", "features_only", "checkpoint_path")


def available() -> list[str]:
    """Names that `build` knows; besides these, ``timm:<name>`` stands for every network of timm."""
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
    """Refuse what `build` cannot build, without torch; of timm's networks only `build` can say which there are.

    Raises
    ------
    BackboneUnavailable
        If there is no such kind, or it has no pretrained weights.
    InputError
        If an option is unknown.
    """
    if spec.kind.startswith(_TIMM) and spec.kind != _TIMM:
        taken = sorted(set(spec.extra) & set(_NOT_FOR_TIMM))
        if taken:
            raise InputError(
                f"extra={spec.extra!r}: {', '.join(taken)} cannot be given here; img_size, in_chans and pretrained are "
                f"fields beside extra, the rest follows from the data"
            )
        return
    if spec.kind not in _KINDS:
        raise BackboneUnavailable(
            f"kind={spec.kind!r} is not a known network: expected one of {', '.join(available())}, or timm:<name> for "
            f"a network of timm"
        )
    if spec.pretrained:
        raise BackboneUnavailable(
            f"kind={spec.kind!r} has no pretrained weights (those of photographs do not carry over to pseudo-images): "
            f"set pretrained to False"
        )
    options = _KINDS[spec.kind][2]
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
        Maps (batch, in_chans, side, side) to (batch, num_classes); `embed` gives what its last layer reads, `loss`
        what training lowers.

    Raises
    ------
    BackboneUnavailable
        If there is no such kind, or it has no pretrained weights, or torch or timm is missing.
    InputError
        If an option is unknown or out of range, or the image size is too small or unknown.
    """
    check(spec)
    if n_features is None and not spec.img_size:
        raise InputError("the size of the image is unknown: expected n_features, or img_size in the BackboneSpec")
    side = spec.img_size if n_features is None else resolve_side(spec, n_features)
    try:  # named one by one: the hash of the source follows imports
        from . import _autoencoder, _networks, _resnet, _timm, _transformer
    except ImportError as error:
        raise BackboneUnavailable(f"networks need torch ({error}): pip install torch") from error
    if spec.kind.startswith(_TIMM):
        name, n_pixels = spec.kind.removeprefix(_TIMM), side * side if n_features is None else n_features
        return _timm.create(name, side, spec.in_chans, num_classes, spec.pretrained, n_pixels, spec.extra)
    modules = {"_autoencoder": _autoencoder, "_networks": _networks, "_resnet": _resnet, "_transformer": _transformer}
    name, module, _ = _KINDS[spec.kind]
    return getattr(modules[module], name)(side=side, in_chans=spec.in_chans, num_classes=num_classes, **spec.extra)
