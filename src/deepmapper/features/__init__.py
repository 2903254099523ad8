"""The feature store and all that is fixed before training: labels, splits, confounders, permutations of the labels.

May use: core, io.
"""
