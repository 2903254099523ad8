"""Rule fit_linear_baseline: logistic regression on the development part, judged as the passes are.

On the test split, or, where none was set aside, on what the draws of the first passes leave out of bag.
"""

from deepmapper.jobs import job

with job(snakemake):
    import pandas as pd

    from deepmapper import evaluate, findings, linear_baseline
    from deepmapper.store import open_features
    from deepmapper.table_schemas import BASELINE_FEATURES
    from deepmapper.tables import write_json, write_table

    features = open_features(snakemake.input.features)
    development, test, why = features.development, features.test, features.about["why"]
    X, y, options = features.X, features.y, {"C": snakemake.params.C, "max_iter": snakemake.params.max_iter}
    fitted = linear_baseline.fit_rows(X, y, development, features.names, **options, tell=print)
    if features.about["scheme"] == "repeated":
        average = linear_baseline.out_of_bag(
            X, y, snakemake.params.out_of_bag, snakemake.params.draws, features.groups, **options
        )
        judged = evaluate.judge_average(average, y, features.classes, features.groups, why)
    else:
        judged = evaluate.judge_ensemble([fitted.predict(X, test)], y[test], y[development], features.classes, why)
    numbers, tables = findings.metrics(
        judged, snakemake.params.bins, snakemake.params.resamples, snakemake.params.split_seed, features.samples
    )
    numbers["solver"] = fitted.solver
    print(why)
    print(fitted.solver)
    print(f"accuracy {numbers['accuracy']:.3f}, {numbers['n_test']} samples judged")
    table = pd.DataFrame(fitted.ranking, columns=["feature", "importance"])
    table.insert(0, "rank", range(1, len(table) + 1))
    write_table(table, snakemake.output.ranking, BASELINE_FEATURES)
    write_json(numbers, snakemake.output.metrics)
    for name, table in tables.items():
        write_table(table, snakemake.output[name])
