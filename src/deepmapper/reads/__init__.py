"""From FASTQ files to counts: alignment, capture, assembly, novelty screen, quantification.

May use: core.
"""
