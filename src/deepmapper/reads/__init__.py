"""From FASTQ files to counts: trimming, alignment, de novo assembly, novelty screen, quantification.

May use: core.
"""
