"""Rule annotate_expression: the matrix with everything found about its features and samples."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    import anndata
    import numpy as np

    from deepmapper import __version__, findings
    from deepmapper.blocks import Changed
    from deepmapper.matrix_files import open_expression, write_expression
    from deepmapper.store import open_features
    from deepmapper.tables import read_table

    features = open_features(snakemake.input.features)
    expression = open_expression(snakemake.input.expression)
    rows = expression.obs_names.get_indexer(features.samples)
    about = {
        "version": __version__,
        "settings": snakemake.params.settings,
        "features": features.about,
        "summary": json.loads(Path(snakemake.input.summary).read_text()),
        "metrics": json.loads(Path(snakemake.input.metrics).read_text()),
    }
    adata = findings.annotate(
        anndata.AnnData(obs=expression.obs, var=expression.var, uns=dict(expression.uns)),
        features,
        read_table(snakemake.input.table),
        read_table(snakemake.input.predictions),
        dict(np.load(snakemake.input.embedding, allow_pickle=False)),
        about,
    )
    matrices = {"X": expression.X} | {f"layers/{name}": layer for name, layer in expression.layers.items()}
    chosen = {name: Changed(matrix, rows) for name, matrix in matrices.items()}
    write_expression(snakemake.output[0], adata, chosen, tell=print)
