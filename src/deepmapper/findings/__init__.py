"""Many passes become findings: rankings, error rates, stability, metrics, and the tables of a model.

One module for each rule: `model_ranking`, `feature_join`, `model_calibration`, `model_evaluation`, `model_table`,
`baseline`, `panel`, `stability`, `convergence`, `audit`, `chord_ranking`, `annotate`. The other modules are the parts
that these are made of.

May use: core, io, features, passes, chords.
"""
