"""Rules train_pass, train_permuted_pass, train_shadow_pass, train_half_pass: train one pass per seed."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.workflow.pass_jobs import train_seeds

    train_seeds(snakemake)
