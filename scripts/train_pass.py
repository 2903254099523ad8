"""Rules train_pass and train_permuted_pass: one pass by its seed, on the development part."""

from deepmapper.jobs import job

with job(snakemake):
    import torch

    from deepmapper.controls import train_control
    from deepmapper.passes import train_pass
    from deepmapper.settings import to_config
    from deepmapper.store import open_features

    torch.set_num_threads(snakemake.threads)
    features = open_features(snakemake.input.features)
    train = train_control if snakemake.params.permute_labels else train_pass
    train(
        features.X,
        features.y,
        features.classes,
        to_config(snakemake.params.settings),
        seed=int(snakemake.wildcards.seed),
        rows=features.development,
        groups=features.groups,
        strata=features.strata,
        n_chords=len(features.chords),
        tell=print,
    ).save(snakemake.output[0])
