"""The pages people read: the summary and the sortable tables.

May use: core, accumulate.
"""
