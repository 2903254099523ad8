"""What the benchmarks share: a labelled matrix, and a model with the workflow's defaults."""

from pathlib import Path

import numpy as np

from deepmapper.config import to_config
from deepmapper.io import dataset, normalize
from deepmapper.io import labels as io_labels
from deepmapper.workflow import schema as workflow_schema
from deepmapper.workflow import sections, settings

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "resources/demo/matrix/pbmc68k_reduced.h5ad"


def add_matrix(parser):
    """Add the options that `read` takes; the demo's matrix is the default."""
    parser.add_argument("--matrix", type=Path, default=DEMO)
    parser.add_argument("--label", default="bulk_labels")
    parser.add_argument("--exclude", nargs="*", default=[])
    parser.add_argument("--normalization", default="log1p_median", help="of a matrix other than the demo's")


def read(options):
    """Values, label codes, classes, names of the features; a matrix other than the demo's is taken for counts."""
    data = dataset.load_h5ad(options.matrix, options.label, normalize=False)
    demo = options.matrix.resolve() == DEMO.resolve()
    X = data.X if demo else normalize.normalize_matrix(data.X, options.normalization)
    labels = np.array(data.label_names, dtype=object)[data.y]
    kept = ~np.isin(labels, options.exclude)
    codes, classes = io_labels.encode_labels(labels[kept])
    return X[kept], codes, classes, data.var_names


def configuration(name, passes=1, epochs=None, **training):
    """The workflow's defaults for a kind of network; with `epochs`, exactly so many, validated as always."""
    schema = workflow_schema.load_schema(ROOT / "workflow/schemas/config.schema.yaml")
    if epochs:
        training |= {"epochs": epochs, "min_epochs": epochs}
    chosen = {"matrix": {"path": "x.h5ad"}, "labels": {"column": "y"}, "models": {name: training}}
    config = to_config(sections.model_settings(settings.validate_config(chosen, schema), name))
    config.n_passes = passes
    return config
