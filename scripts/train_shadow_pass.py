"""Rule train_shadow_pass: one pass by its seed with a shadow beside every feature, on the development part."""

from deepmapper.jobs import job

with job(snakemake):
    import torch

    from deepmapper.settings import to_config
    from deepmapper.shadows import train_shadow_pass
    from deepmapper.store import open_features

    torch.set_num_threads(snakemake.threads)
    features = open_features(snakemake.input.features)
    train_shadow_pass(
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
