"""Rule merge_shards: join the imported shards to expression.h5ad."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json
    from deepmapper.io.join_shards import join_shards

    rows = join_shards(
        snakemake.output.expression,
        dict(zip(snakemake.params.names, snakemake.input.shards, strict=True)),
        labels_table=next(iter(snakemake.input.table), None),
        duplicate_names=snakemake.params.duplicate_names,
        described=snakemake.params.described,
        progress=print,
    )
    write_json(rows, snakemake.output.shard_rows)
