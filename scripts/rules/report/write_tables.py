"""Rules write_tables and write_shared_tables: write tables as pages with sorting and search."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import read_table
    from deepmapper.report.result_tables import result_page

    model = snakemake.wildcards.get("model", "")
    for name, source in snakemake.input.items():
        with atomic_write(snakemake.output[name]) as path:
            Path(path).write_text(result_page(name, read_table(source), source, model))
