"""Rule audit_filtering: which features the usual choices would have kept, judged on the development part."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.audit import audit_run
    from deepmapper.matrix_files import open_expression
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    table, notes = audit_run(
        open_features(snakemake.input.features),
        open_expression(snakemake.input.expression),
        snakemake.params.estimated,
    )
    print(*(f"{column}: {note}" for column, note in notes.items()), sep="\n")
    write_table(table, snakemake.output.audit_table)
    write_json(notes, snakemake.output.audit_notes)
