"""Rule evaluate_ensemble: average the accepted passes' predictions on the test split, which is read here only."""

from deepmapper.jobs import job

with job(snakemake):
    import numpy as np
    import torch

    from deepmapper import accumulate, evaluate, findings
    from deepmapper.passes import PassResult
    from deepmapper.store import open_features, whole_file

    torch.set_num_threads(snakemake.threads)
    features = open_features(snakemake.input.features)
    results = (PassResult.load(path) for path in snakemake.input.passes)
    passes = [result for result in results if accumulate.accept_pass(result.accuracy, snakemake.params.min_accuracy)]
    judged = evaluate.judge_ensemble(
        [evaluate.predict(result, features.X, features.test) for result in passes],
        features.y[features.test],
        features.y[features.development],
        features.classes,
    )
    numbers, tables = findings.metrics(
        judged, snakemake.params.bins, snakemake.params.resamples, snakemake.params.split_seed
    )
    predictions, _ = findings.prediction_table(features, passes, np.array(judged.y_proba))
    embedding = evaluate.embed_ensemble(passes, features.X, np.arange(len(features.y)))
    print(f"test split: accuracy {numbers['accuracy']} from {len(passes)} passes, {numbers['n_test']} samples")
    findings.write_json(numbers, snakemake.output.metrics)
    for name, table in tables.items():
        findings.write_table(table, snakemake.output[name])
    findings.write_table(predictions, snakemake.output.predictions)
    coordinates, basis = evaluate.map_embedding(embedding)
    with whole_file(snakemake.output.embedding) as path:
        np.savez(path, embedding=embedding, map=coordinates, basis=np.array(basis))
