"""Rule audit_filtering: which features the usual choices would have kept, judged on the development part."""

from deepmapper.jobs import job

with job(snakemake):
    import anndata

    from deepmapper.audit import audit_features
    from deepmapper.findings import write_json, write_table
    from deepmapper.store import open_features

    features = open_features(snakemake.input.features)
    rows = features.development
    adata = anndata.read_h5ad(snakemake.input.expression)
    table, notes = audit_features(
        features.X[rows],
        features.names,
        logarithms=features.about["normalization"] != "none",
        counts=adata[[features.samples[row] for row in rows]].X,
        estimated=snakemake.params.estimated,
    )
    for column, note in notes.items():
        print(f"{column}: {note}")
    write_table(table, snakemake.output.table)
    write_json(notes, snakemake.output.notes)
