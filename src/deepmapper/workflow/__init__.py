"""What the Snakemake workflow needs: checked configuration, jobs, provenance, devices, the record of a run.

May use: everything above the figures and pages.
"""
