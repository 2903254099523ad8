"""Rule evaluate_ensemble: average the passes' predictions on samples that they have not seen, and judge them.

A test split is read here only. Where none was set aside, the passes' out-of-bag predictions are judged.
"""

from deepmapper.jobs import job

with job(snakemake):
    import numpy as np
    import torch

    from deepmapper import accumulate, evaluate, findings
    from deepmapper.confounders import accuracy_alone
    from deepmapper.passes import PassFile
    from deepmapper.store import open_features, whole_file
    from deepmapper.tables import write_json, write_table

    torch.set_num_threads(snakemake.threads)
    device = "cpu"  # this job asks for no GPU
    features = open_features(snakemake.input.features)
    results = [PassFile(path) for path in snakemake.input.passes]
    passes = [result for result in results if accumulate.accept_pass(result.accuracy, snakemake.params.min_accuracy)]
    if features.about["scheme"] == "repeated":
        judged = evaluate.judge_out_of_bag(
            results, features.y, features.classes, features.groups, features.about["why"]
        )
        predictions, _ = findings.prediction_table(features, results, np.empty((0, len(features.classes))))
        if judged.not_judged:
            missed = [features.samples[row] for row in judged.not_judged]
            print(evaluate.not_judged_note(missed, len(results)))
    else:
        judged = evaluate.judge_ensemble(
            (evaluate.predict(result, features.X, features.test, device) for result in passes),
            features.y[features.test],
            features.y[features.development],
            features.classes,
            features.about["why"],
        )
        predictions, _ = findings.prediction_table(features, passes, np.array(judged.y_proba))
    numbers, tables = findings.metrics(
        judged, snakemake.params.bins, snakemake.params.resamples, snakemake.params.split_seed, features.samples
    )
    numbers["confounders"], numbers["confounders_accuracy"] = list(features.design_names), None
    if features.design is not None:
        numbers["confounders_accuracy"] = accuracy_alone(
            features.design, features.y, train=features.development, test=features.test, groups=features.groups
        )
    embedding = evaluate.embed_ensemble(passes, features.X, np.arange(len(features.y)), device=device)
    print(features.about["why"])
    print(f"accuracy {numbers['accuracy']} from {judged.n_passes} passes, {numbers['n_test']} samples judged")
    write_json(numbers, snakemake.output.metrics)
    for name, table in tables.items():
        write_table(table, snakemake.output[name])
    write_table(predictions, snakemake.output.predictions)
    coordinates, basis = evaluate.map_embedding(embedding)
    with whole_file(snakemake.output.embedding) as path:
        np.savez(path, embedding=embedding, map=coordinates, basis=np.array(basis))
