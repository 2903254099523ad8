"""Rule fit_panel: a small model on the significant features, judged on the test split."""

from deepmapper.jobs import job

with job(snakemake):
    import numpy as np

    from deepmapper.panel import fit_panel
    from deepmapper.store import open_features
    from deepmapper.tables import read_table, write_json, write_table

    features, table = open_features(snakemake.input.features), read_table(snakemake.input.table)
    place = {name: i for i, name in enumerate(features.names)}
    significant = table.loc[table["significant"].astype(bool), "feature"] if "significant" in table else []
    products = features.X[:, features.n_features :] if features.chords else None
    if products is not None and not isinstance(products, np.ndarray):
        products = products.toarray()
    about, members = fit_panel(
        features.X,
        features.y,
        features.classes,
        features.names,
        np.array([place[name] for name in significant], dtype=np.int64),
        features.development,
        features.test,
        products=products,
        product_names=features.chords,
        groups=features.groups,
        n_resamples=snakemake.params.resamples,
        seed=snakemake.params.split_seed,
    )
    print(about["statement"])
    write_json(about, snakemake.output.about)
    write_table(members, snakemake.output.table)
