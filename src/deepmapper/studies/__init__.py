"""Published studies: their files, fetched and checked, and made into what the workflow reads.

May use simulate, io and core. Standard library, numpy, scipy, pandas and anndata; the last four on first use.
"""
