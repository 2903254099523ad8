"""What everything else stands on: atomic files, tables, row blocks, moments, random streams.

May use: the standard library, numpy and pandas; nothing of the package but `errors`.
"""
