"""From FASTQ files to counts: trimming, alignment, de novo assembly, quantification.

May use: core.
"""
