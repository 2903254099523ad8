"""The evidence ranking, from the values themselves: class comparisons, gene programmes, a learnt score, a panel.

May use: core, io, features, findings. Does not know chords or passes.
"""
