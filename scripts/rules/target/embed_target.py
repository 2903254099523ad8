"""Rule embed_target: project the samples without a label by an embedding that is fitted."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import warnings

    from deepmapper.errors import DeepMapperWarning
    from deepmapper.features.store import open_features
    from deepmapper.io.expression import open_expression
    from deepmapper.transfer.embedded import embed_target, missing_lines, open_run_embedding, write_embedded

    given, target = snakemake.input, open_features(snakemake.input.features)
    new = dict(zip(snakemake.params.paths, map(open_expression, given.new), strict=True))
    embedding = open_run_embedding(given.embedding)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeepMapperWarning)  # `prepare_target` gave these
        found = embed_target(embedding, open_expression(given.expression), new, target)
    print(*missing_lines(embedding.kind, found.about), sep="\n")
    write_embedded(found, target.samples, snakemake.output[0])
