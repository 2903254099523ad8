"""Rule audit_filtering: find which features the usual filters would have kept on the development part."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_json, read_table, write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.audit import audit_run
    from deepmapper.findings.statistics import FeatureStatistics

    statistics = FeatureStatistics(
        read_table(snakemake.input.statistics_table), **read_json(snakemake.input.statistics_notes)
    )
    audit = audit_run(open_features(snakemake.input.features), statistics)
    print(*(f"{column}: {note}" for column, note in audit.notes.items()), sep="\n")
    write_table(audit.table, snakemake.output.audit_table)
    write_json(audit.notes, snakemake.output.audit_notes)
