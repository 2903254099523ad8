"""Rule stream_statistics: compute statistics of every feature on the development part."""

from pathlib import Path

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.scans import merge_scans, read_scan
    from deepmapper.findings.statistics import feature_statistics
    from deepmapper.io.expression import open_expression

    scans = snakemake.input.get("scans")
    statistics = feature_statistics(
        open_features(snakemake.input.features),
        open_expression(snakemake.input.expression),
        snakemake.params.estimated,
        Path(snakemake.output.statistics_table).parent,
        merge_scans(map(read_scan, scans)) if scans else None,
    )
    print(*(note for note in statistics.notes.values() if note), sep="\n")
    write_table(statistics.table, snakemake.output.statistics_table)
    write_json(statistics.notes, snakemake.output.statistics_notes)
