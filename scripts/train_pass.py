"""Rules train_pass and train_permuted_pass: one pass by its seed, on the development part."""

from deepmapper.jobs import job

with job(snakemake):
    import torch

    from deepmapper.passes import train_pass
    from deepmapper.settings import to_config
    from deepmapper.store import open_features

    torch.set_num_threads(snakemake.threads)
    features = open_features(snakemake.input.features)
    train_pass(
        features.X,
        features.y,
        features.classes,
        to_config(snakemake.params.settings),
        seed=int(snakemake.wildcards.seed),
        rows=features.development,
        groups=features.groups,
        permute_labels=snakemake.params.permute_labels,
        tell=print,
    ).save(snakemake.output[0])
