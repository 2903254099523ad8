"""Rule annotate_expression: the matrix with everything found about its features and samples."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    import anndata
    import numpy as np

    from deepmapper import __version__, findings
    from deepmapper.store import open_features, whole_file

    features = open_features(snakemake.input.features)
    about = {
        "version": __version__,
        "settings": snakemake.params.settings,
        "features": features.about,
        "summary": json.loads(Path(snakemake.input.summary).read_text()),
        "metrics": json.loads(Path(snakemake.input.metrics).read_text()),
    }
    adata = findings.annotate(
        anndata.read_h5ad(snakemake.input.expression),
        features,
        findings.read_table(snakemake.input.table),
        findings.read_table(snakemake.input.predictions),
        dict(np.load(snakemake.input.embedding, allow_pickle=False)),
        about,
    )
    with whole_file(snakemake.output[0]) as path:
        adata.write_h5ad(path, compression="gzip")
