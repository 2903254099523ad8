"""DeepMapper: find the features that distinguish biological states, without filtering any of them out.

The public names are loaded on first use, so importing the package is cheap:

>>> from deepmapper import DeepMapperConfig, run
>>> findings = run(X, y, DeepMapperConfig(n_passes=10), feature_names=genes)  # doctest: +SKIP
>>> findings.ranking(20)                                                      # doctest: +SKIP
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "AugmentConfig": "config",
    "BackboneSpec": "config",
    "DeepMapperConfig": "config",
    "Findings": "findings.ranking",
    "perturb": "transfer.perturb",
    "predict": "transfer.predict",
    "run": "runner",
    "EvalResult": "findings.evaluation",
    "InputError": "errors",
    "DeepMapperWarning": "errors",
}
_MODULES = (
    "accumulate",
    "attribution",
    "augment",
    "backbones",
    "check",
    "chords",
    "cli",
    "config",
    "core",
    "earlystop",
    "errors",
    "evaluate",
    "evidence",
    "features",
    "findings",
    "hybrid_assembly",
    "io",
    "linear_baseline",
    "models",
    "passes",
    "plots",
    "reads",
    "report",
    "runner",
    "scnym",
    "simulate",
    "training",
    "transfer",
    "transform",
    "unsupervised",
    "workflow",
)

__all__ = ["__version__", *_HOME, *_MODULES]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
