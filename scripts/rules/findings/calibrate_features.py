"""Rule calibrate_features: z, p and q of every feature against shadow features, and intervals over the passes."""

from deepmapper.jobs import job

with job(snakemake):
    import pandas as pd

    from deepmapper import accumulate, calibration
    from deepmapper.controls import count_labelings
    from deepmapper.passes import PassFile
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    given, options = snakemake.input, snakemake.params
    features = open_features(given.features)
    accepted = [
        result
        for result in map(PassFile, given.passes)
        if accumulate.accept_pass(result.accuracy, options.min_accuracy)
    ]
    shadows = [PassFile(path) for path in given.shadows]
    table = pd.DataFrame({"feature": features.names})
    null, about = calibration.null_table(None), calibration.summarise(None)
    if accepted and shadows:
        mean_value, detected = calibration.feature_levels(features.X, features.development, features.n_features)
        groups, strata = (
            None if codes is None else codes[features.development] for codes in (features.groups, features.strata)
        )
        found = calibration.calibrate(
            accepted,
            shadows,
            mean_value,
            detected >= calibration.least_detected(options.min_detected, features.y[features.development]),
            options.level,
            count_labelings(features.y[features.development], groups, strata),
        )
        table = calibration.significance_table(found, features.names, features.classes)
        null, about = calibration.null_table(found), calibration.summarise(found)
        scores = calibration.votes(accepted, shadows, found)
    elif accepted:
        scores = calibration.importances(accepted)
    if accepted:
        ranks = calibration.rank_intervals(scores, options.resamples, options.seed)
        del scores  # as large as what comes next
        sizes = calibration.importance_intervals(calibration.importances(accepted), options.resamples, options.seed)
        table["importance_low"], table["importance_high"] = sizes
        table["rank_low"], table["rank_high"] = ranks
    print(about["statement"])
    write_table(table, snakemake.output.table)
    write_table(null, snakemake.output.null)
    write_json(about, snakemake.output.about)
