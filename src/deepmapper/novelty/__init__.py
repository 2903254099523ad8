"""From assembled contigs to novel transcripts: the screen against the reference, classes, names and read support.

What novel transcripts are and resemble is said afterwards (`describe`, `homology`) and changes nothing that is counted.

May use `reads`, `io` and `core`.
"""
