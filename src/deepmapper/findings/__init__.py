"""Many passes become statements: ranking, error rates, stability, metrics, and the tables of a model.

May use: core, io, features, passes, chords.
"""
