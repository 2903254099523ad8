"""Rules train_pass, train_permuted_pass, train_shadow_pass, train_half_pass: passes by their seeds."""

from deepmapper.jobs import job

with job(snakemake):
    from deepmapper.pass_jobs import train_seeds

    train_seeds(snakemake)
