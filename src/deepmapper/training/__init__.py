"""Training of any network on any objective: loop, optimiser, device, checkpoints, inference.

May use: core.
"""
