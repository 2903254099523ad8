"""One pass of any kind (plain, on permuted labels, with shadow features, on half of the samples), and its record.

May use: core, features, backbones, training, attribution.
"""

from ..core.lazy import load_name

_HOME = {
    "arrangement": "restore",
    "draw_split": "train",
    "image_maker": "restore",
    "restore_model": "restore",
    "shuffle_labels": "deepmapper.features.label_permutations",
    "softmax": "restore",
    "train_pass": "train",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    return load_name(__name__, _HOME, name)


def __dir__():
    return __all__
