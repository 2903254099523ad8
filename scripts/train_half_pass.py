"""Rule train_half_pass: one pass by its seed on half of the development part."""

from deepmapper.jobs import job

with job(snakemake):
    import torch

    from deepmapper.settings import to_config
    from deepmapper.stability import train_half_pass
    from deepmapper.store import open_features

    torch.set_num_threads(snakemake.threads)
    features = open_features(snakemake.input.features)
    train_half_pass(
        features.X,
        features.y,
        features.classes,
        to_config(snakemake.params.settings),
        seed=int(snakemake.wildcards.seed),
        rows=features.development,
        groups=features.groups,
        n_chords=len(features.chords),
        tell=print,
    ).save(snakemake.output[0])
