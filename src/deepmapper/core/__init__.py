"""Foundations of every other package: atomic files, tables, schemas, row blocks, moments, random streams, ontologies.

May use: the standard library, numpy, scipy, scikit-learn and pandas; from this package only `errors`.
"""
