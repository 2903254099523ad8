"""Rule audit_filtering: find which features the usual filters would have kept on the development part."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.audit import audit_run
    from deepmapper.io.expression import open_expression

    audit = audit_run(
        open_features(snakemake.input.features),
        open_expression(snakemake.input.expression),
        snakemake.params.estimated,
    )
    print(*(f"{column}: {note}" for column, note in audit.notes.items()), sep="\n")
    write_table(audit.table, snakemake.output.audit_table)
    write_json(audit.notes, snakemake.output.audit_notes)
