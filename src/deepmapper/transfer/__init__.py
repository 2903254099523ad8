"""New samples named by trained models: model folders, calibrated probabilities, prediction sets, verdicts with rates.

May use: findings, passes, training, chords, features, io, core.
"""
