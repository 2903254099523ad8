"""Rule calibrate_features: z, p and q of every feature against shadow features, and intervals over the passes."""

from deepmapper.jobs import job

with job(snakemake):
    import numpy as np
    import pandas as pd

    from deepmapper import accumulate, calibration
    from deepmapper.controls import count_labelings
    from deepmapper.findings import write_json, write_table
    from deepmapper.passes import PassResult
    from deepmapper.store import open_features

    given, options = snakemake.input, snakemake.params
    features = open_features(given.features)
    importances, accepted = [], []
    for path in given.passes:
        result = PassResult.load(path, weights=False)
        if accumulate.accept_pass(result.accuracy, options.min_accuracy):
            accepted.append(path)
            importances.append(result.importance)
    shadows = list(given.shadows)

    def read(paths):
        return (PassResult.load(path, weights=False) for path in paths)

    table = pd.DataFrame({"feature": features.names})
    null, about = calibration.null_table(None), calibration.summarise(None)
    if accepted and shadows:
        mean_value, detected = calibration.feature_levels(features.X, features.development, features.n_features)
        groups, strata = (
            None if codes is None else codes[features.development] for codes in (features.groups, features.strata)
        )
        found = calibration.calibrate(
            read(accepted),
            read(shadows),
            mean_value,
            detected >= calibration.least_detected(options.min_detected, features.y[features.development]),
            options.level,
            count_labelings(features.y[features.development], groups, strata),
        )
        table = calibration.significance_table(found, features.names, features.classes)
        null, about = calibration.null_table(found), calibration.summarise(found)
        scores = calibration.votes(read(accepted), read(shadows), found)
    elif accepted:
        scores = np.stack(importances)
    if accepted:
        ranks = calibration.rank_intervals(scores, options.resamples, options.seed)
        sizes = calibration.importance_intervals(np.stack(importances), options.resamples, options.seed)
        table["importance_low"], table["importance_high"] = sizes
        table["rank_low"], table["rank_high"] = ranks
    print(about["statement"])
    write_table(table, snakemake.output.table)
    write_table(null, snakemake.output.null)
    write_json(about, snakemake.output.about)
