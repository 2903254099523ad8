"""Differential expression: tests of single features between the classes, at any number of samples.

May use: features, io, core. Does not know passes, chords or evidence.
"""
