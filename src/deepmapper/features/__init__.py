"""The feature store and what is decided before any training: labels, splits, confounders, permutations.

May use: core, io.
"""
