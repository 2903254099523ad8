"""Rule fit_linear_baseline: logistic regression on the development part, judged as the passes are.

On the test split, or, where none was set aside, on what the draws of the first passes leave out of bag.
"""

from deepmapper.jobs import job

with job(snakemake):
    import pandas as pd

    from deepmapper import evaluate, findings, linear_baseline
    from deepmapper.store import open_features

    features = open_features(snakemake.input.features)
    development, test, why = features.development, features.test, features.about["why"]
    X, y, options = features.X, features.y, {"C": snakemake.params.C, "max_iter": snakemake.params.max_iter}
    clf, scaler, ranking = linear_baseline.fit(X[development], y[development], features.names, **options)
    if features.about["scheme"] == "repeated":
        average = linear_baseline.out_of_bag(
            X, y, snakemake.params.out_of_bag, snakemake.params.draws, features.groups, **options
        )
        judged = evaluate.judge_average(average, y, features.classes, features.groups, why)
    else:
        probability = clf.predict_proba(scaler.transform(X[test]))
        judged = evaluate.judge_ensemble([probability], y[test], y[development], features.classes, why)
    numbers, tables = findings.metrics(
        judged, snakemake.params.bins, snakemake.params.resamples, snakemake.params.split_seed, features.samples
    )
    print(why)
    print(f"accuracy {numbers['accuracy']:.3f}, {numbers['n_test']} samples judged")
    table = pd.DataFrame(ranking, columns=["feature", "importance"])
    table.insert(0, "rank", range(1, len(table) + 1))
    findings.write_table(table, snakemake.output.ranking)
    findings.write_json(numbers, snakemake.output.metrics)
    for name, table in tables.items():
        findings.write_table(table, snakemake.output[name])
