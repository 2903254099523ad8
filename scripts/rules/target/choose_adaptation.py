"""Rule choose_adaptation: find out by reverse transfer whether a model gains from learning from the target cells."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import torch

    from deepmapper.config import to_config
    from deepmapper.core.tables import write_json
    from deepmapper.features.domains import read_domains
    from deepmapper.features.samples import with_target
    from deepmapper.features.store import open_features
    from deepmapper.passes.adaptation import N_SEEDS, choose_arm
    from deepmapper.workflow import devices

    params, resources = snakemake.params, snakemake.resources
    torch.set_num_threads(snakemake.threads)
    device = devices.for_job(resources.get("gpu", 0), resources.passes_per_gpu, print)
    samples = open_features(snakemake.input.features, snakemake.input.get("kinds")).development_samples
    target, domains = open_features(snakemake.input.target).X, snakemake.input.domains
    n = samples.X.shape[0] + target.shape[0]
    samples = with_target(samples, target, read_domains(domains, n) if domains else None)
    seeds = range(params.seed, params.seed + N_SEEDS)
    choice = choose_arm(samples, to_config(params.settings), seeds, print, device)
    print(choice["why"])
    write_json(choice, snakemake.output[0])
