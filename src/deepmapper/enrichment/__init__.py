"""Gene-set enrichment: which sets of genes the reported features and the rankings have more of than chance gives.

May use: features, reads, io, core. Reads the tables of findings and of the differential test, not their code.
"""
