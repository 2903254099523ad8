"""Foundations of every other package: atomic files, tables and their schemas, row blocks, moments, random streams.

May use: the standard library, numpy, scipy, scikit-learn and pandas; from this package only `errors`.
"""
