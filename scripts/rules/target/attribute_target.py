"""Rule attribute_target: importances of the features for the labels of the target samples, and their error rates."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import torch

    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_table, write_table
    from deepmapper.core.target_schemas import TARGET_FEATURES
    from deepmapper.features.label_permutations import count_permutations
    from deepmapper.features.store import open_features
    from deepmapper.passes.result import PassFile
    from deepmapper.transfer import model_folder
    from deepmapper.transfer.target_features import target_features
    from deepmapper.transfer.target_significance import SignificanceOptions

    torch.set_num_threads(snakemake.threads)
    params, model, target = snakemake.params, model_folder.load(snakemake.input.model), snakemake.input.features
    target, samples = open_features(target), open_features(snakemake.input.reference).development_samples
    n_permutations = count_permutations(samples.labels, samples.group_codes, samples.strata_codes)
    found = target_features(
        model,
        target.X,
        read_table(snakemake.input.target_table),
        target.metadata["sources"],
        params.top_k,
        shadow_passes=[PassFile(path) for path in snakemake.input.shadows],
        test=SignificanceOptions(params.level, params.min_detected, n_permutations),
    )
    if "significant" in found:
        n = int(found["significant"].sum())
        print(f"{n} features are significant at a false discovery rate of {params.level:g}")
    else:
        print("No error rates: they need passes with shadows that kept their weights, and two labels.")
    aliases = alias_of(read_table(snakemake.input.aliases))
    write_table(add_aliases(found, aliases), snakemake.output[0], TARGET_FEATURES)
