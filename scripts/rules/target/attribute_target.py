"""Rule attribute_target: importances of the features for the labels of the target samples."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import torch

    from deepmapper.core.tables import read_table, write_table
    from deepmapper.features.store import open_features
    from deepmapper.transfer import model_folder
    from deepmapper.transfer.target_features import target_features

    torch.set_num_threads(snakemake.threads)
    model, target = model_folder.load(snakemake.input.model), open_features(snakemake.input.features)
    table = read_table(snakemake.input.target_table)
    sources = target.metadata["sources"]
    write_table(target_features(model, target.X, table, sources, snakemake.params.top_k), snakemake.output[0])
