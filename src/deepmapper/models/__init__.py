"""Models and statistics that read cells as a stream, with the documented interface. Importing this does not load torch.

May use: features, io, core.
"""

from ..core.lazy import load_name

_HOME = {
    "CellariumGPT": "gpt",
    "CellariumModel": "base",
    "ContrastiveMLP": "contrastive",
    "Geneformer": "geneformer",
    "HVGSeuratV3": "variable_genes",
    "IncrementalPCA": "pca",
    "LogisticRegression": "logistic_regression",
    "OnePassMeanVarStd": "mean_variance",
    "PredictMixin": "base",
    "ProbabilisticPCA": "probabilistic_pca",
    "SOCAM": "socam",
    "SingleCellVariationalInference": "variational",
    "TDigest": "quantiles",
    "TestMixin": "base",
    "ValidateMixin": "base",
    "fit": "run",
    "open_embedding": "fitted_embedding",
    "predict": "run",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    return load_name(__name__, _HOME, name)


def __dir__():
    return __all__
