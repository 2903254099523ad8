"""Rule embed_cells: project the cells of a shard, or all, by an embedding that is fitted."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_json
    from deepmapper.features.store import open_features
    from deepmapper.findings.embedded_samples import embed_samples, rows_of_shard
    from deepmapper.findings.embedding_files import write_part
    from deepmapper.io.expression import open_expression
    from deepmapper.models.fitted_embedding import open_embedding

    features, given = open_features(snakemake.input.features), snakemake.input.get("expression")
    expression, rows = open_expression(given) if given else None, None
    if shard_rows := snakemake.input.get("shard_rows"):
        rows = rows_of_shard(features, expression, *read_json(shard_rows)[snakemake.wildcards.part])
    scores = embed_samples(open_embedding(snakemake.input.embedding), features, expression, rows)
    print(f"{len(scores)} samples")
    write_part(snakemake.output[0], scores)
