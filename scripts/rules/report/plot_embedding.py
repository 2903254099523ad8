"""Rule plot_embedding: draw an embedding of the samples as a map."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import numpy as np

    from deepmapper.features.store import open_features
    from deepmapper.findings.ensemble import map_embedding
    from deepmapper.plots.sample_map import embedding

    features = open_features(snakemake.input.features)
    rows = features.labelled
    scores = np.load(snakemake.input.embedding, allow_pickle=False)["scores"][rows]
    labels, test = np.array(features.classes, dtype=object)[features.y[rows]], np.isin(rows, features.test)
    if given := snakemake.input.get("target"):
        target = np.load(given, allow_pickle=False)["scores"]
        scores = np.vstack([scores, target])
        labels, test = np.append(labels, [None] * len(target)), np.append(test, [False] * len(target))
    places, basis = map_embedding(scores, snakemake.params.seed)
    embedding(
        places,
        labels,
        snakemake.output[0],
        test=test,
        basis=basis,
        title=f"{snakemake.wildcards.embedding}: embedding without labels",
    )
