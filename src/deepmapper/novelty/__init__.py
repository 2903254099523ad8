"""From assembled contigs to novel transcripts: the screen against the reference, classes, names and read support.

May use `reads`, `io` and `core`.
"""
