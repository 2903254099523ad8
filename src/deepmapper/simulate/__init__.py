"""Simulated studies with known truth: reads, and count matrices.

May use: core, reads.
"""
