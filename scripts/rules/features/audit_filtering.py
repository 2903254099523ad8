"""Rule audit_filtering: which features the usual choices would have kept, judged on the development part."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.audit import audit_run
    from deepmapper.io.expression import open_expression

    table, notes = audit_run(
        open_features(snakemake.input.features),
        open_expression(snakemake.input.expression),
        snakemake.params.estimated,
    )
    print(*(f"{column}: {note}" for column, note in notes.items()), sep="\n")
    write_table(table, snakemake.output.audit_table)
    write_json(notes, snakemake.output.audit_notes)
