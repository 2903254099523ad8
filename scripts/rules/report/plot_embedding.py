"""Rule plot_embedding: draw an embedding of the samples as a map."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.features.store import open_features
    from deepmapper.findings.ensemble import map_embedding
    from deepmapper.plots.sample_map import embedding

    features = open_features(snakemake.input.features)
    rows = features.labelled
    with np.load(snakemake.input.embedding, allow_pickle=False) as file:
        places, basis = map_embedding(file["scores"][rows], snakemake.params.seed)
    embedding(
        places,
        np.array(features.classes, dtype=object)[features.y[rows]],
        snakemake.output[0],
        test=np.isin(rows, features.test),
        basis=basis,
        title=f"{snakemake.wildcards.embedding}: embedding without labels",
    )
