"""Rule audit_filtering: which features the usual choices would have kept, judged on the development part."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.audit import audit_features, drawn_rows
    from deepmapper.blocks import Changed
    from deepmapper.findings import write_json, write_table
    from deepmapper.matrix_files import open_expression
    from deepmapper.store import open_features

    features = open_features(snakemake.input.features)
    rows, said = drawn_rows(features.X, features.development)
    expression = open_expression(snakemake.input.expression)
    there = expression.obs_names.get_indexer([features.samples[row] for row in rows])
    table, notes = audit_features(
        features.X[rows],
        features.names,
        logarithms=features.about["normalization"] != "none",
        counts=Changed(expression.X, there, lambda block, _: block).whole(),
        estimated=snakemake.params.estimated,
    )
    if said:
        notes = {column: f"{note}; {said}" for column, note in notes.items()}
    for column, note in notes.items():
        print(f"{column}: {note}")
    write_table(table, snakemake.output.table)
    write_json(notes, snakemake.output.notes)
