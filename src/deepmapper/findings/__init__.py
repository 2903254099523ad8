"""Many passes become findings: rankings, error rates, stability, metrics, and the tables of a model.

Each rule has one module: `model_ranking`, `feature_join`, `model_q_values`, `model_evaluation`, `model_table`,
`baseline`, `panel`, `stability`, `convergence`, `audit`, `chord_ranking`, `annotate`. The others are their parts.

May use: core, io, features, passes, chords.
"""
