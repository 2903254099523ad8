"""Rule train_withheld_pass: train passes without the labels of one class each, and measure how much of it they find."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import torch

    from deepmapper.config import to_config
    from deepmapper.core.tables import write_table
    from deepmapper.features.store import open_features
    from deepmapper.transfer.withheld import withhold_classes
    from deepmapper.workflow import devices

    params, resources = snakemake.params, snakemake.resources
    torch.set_num_threads(snakemake.threads)
    device = devices.for_job(resources.get("gpu", 0), resources.passes_per_gpu, print)
    samples = open_features(snakemake.input.features, snakemake.input.get("kinds")).development_samples
    table = withhold_classes(samples, to_config(params.settings), params.seed, params.level, print, device)
    write_table(table, snakemake.output[0])
