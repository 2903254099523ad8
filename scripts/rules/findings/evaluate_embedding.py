"""Rule evaluate_embedding: join the embedded samples, and evaluate classifiers on them on the samples of the models."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import write_json
    from deepmapper.features.store import open_features
    from deepmapper.findings.embedding_evaluation import evaluate_embedding
    from deepmapper.findings.embedding_files import join_parts, write_embedding

    folder = snakemake.input.embedding
    features = open_features(snakemake.input.features, snakemake.input.get("kinds") or None)
    scores = join_parts(snakemake.input.parts, len(features.y))
    metrics, lines = evaluate_embedding(
        features,
        scores,
        folder,
        out_of_bag=snakemake.params.out_of_bag,
        draws=snakemake.params.draws,
        bins=snakemake.params.bins,
        n_resamples=snakemake.params.resamples,
        seed=snakemake.params.split_seed,
    )
    print(*lines, sep="\n")
    write_embedding(snakemake.output.embedding, scores, features, folder)
    write_json(metrics, snakemake.output.metrics)
