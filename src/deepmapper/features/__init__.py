"""The feature store and everything fixed before training: labels, splits, confounders, permutations of the labels.

May use: core, io.
"""
