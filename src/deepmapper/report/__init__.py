"""The pages that users read: the summary, and the result tables with sorting and search.

May use: core, accumulate.
"""
