"""Rule fit_linear_baseline: logistic regression on the development part, judged on the test split."""

from deepmapper.jobs import job

with job(snakemake):
    import pandas as pd

    from deepmapper import evaluate, findings, linear_baseline
    from deepmapper.store import open_features

    features = open_features(snakemake.input.features)
    development, test = features.development, features.test
    clf, scaler, ranking = linear_baseline.fit(
        features.X[development],
        features.y[development],
        features.names,
        C=snakemake.params.C,
        max_iter=snakemake.params.max_iter,
    )
    probability = clf.predict_proba(scaler.transform(features.X[test]))
    judged = evaluate.judge_ensemble([probability], features.y[test], features.y[development], features.classes)
    numbers, tables = findings.metrics(
        judged, snakemake.params.bins, snakemake.params.resamples, snakemake.params.split_seed
    )
    print(f"test split: accuracy {numbers['accuracy']:.3f}, {numbers['n_test']} samples")
    table = pd.DataFrame(ranking, columns=["feature", "importance"])
    table.insert(0, "rank", range(1, len(table) + 1))
    findings.write_table(table, snakemake.output.ranking)
    findings.write_json(numbers, snakemake.output.metrics)
    for name, table in tables.items():
        findings.write_table(table, snakemake.output[name])
