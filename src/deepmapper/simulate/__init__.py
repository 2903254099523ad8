"""Simulated data with known truth: RNA-seq reads, and count matrices.

May use: core, reads.
"""
