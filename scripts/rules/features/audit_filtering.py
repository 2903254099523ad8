"""Rule audit_filtering: which features the usual choices would have kept, judged on the development part."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.audit import audit_features
    from deepmapper.blocks import Changed
    from deepmapper.matrix_files import open_expression
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    features = open_features(snakemake.input.features)
    expression = open_expression(snakemake.input.expression)
    there = expression.obs_names.get_indexer([features.samples[row] for row in features.development])
    table, notes = audit_features(
        features.X,
        features.names,
        rows=features.development,
        logarithms=features.about["normalization"] != "none",
        counts=Changed(expression.X, there),
        estimated=snakemake.params.estimated,
    )
    for column, note in notes.items():
        print(f"{column}: {note}")
    write_table(table, snakemake.output.table)
    write_json(notes, snakemake.output.notes)
