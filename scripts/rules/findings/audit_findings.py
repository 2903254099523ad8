"""Rule audit_findings: find which findings of a model the usual filters would have lost."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_json, read_table, write_table
    from deepmapper.findings.audit import audit_findings, chord_members

    table = read_table(snakemake.input.features_table)
    lost = audit_findings(
        table,
        read_table(snakemake.input.audit_table),
        read_json(snakemake.input.audit_notes),
        chord_members(read_table(snakemake.input.chords)),
        snakemake.params.top,
    )
    print(lost.to_string(index=False))
    write_table(add_aliases(lost, alias_of(read_table(snakemake.input.aliases)), ["lost"]), snakemake.output[0])
