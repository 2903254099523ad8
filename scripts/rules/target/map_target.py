"""Rule map_target: place the labelled and the named samples on one map."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import anndata
    import numpy as np

    from deepmapper.core.tables import read_table, write_table
    from deepmapper.features.store import open_features
    from deepmapper.transfer import model_folder
    from deepmapper.transfer.maps import map_target

    inputs = snakemake.input
    annotated = anndata.read_h5ad(inputs.annotated, backed="r")
    table = map_target(
        model_folder.load(inputs.model).members[0].space,
        open_features(inputs.features),
        read_table(inputs.target_table),
        np.asarray(annotated.obsm["X_deepmapper"]),
        snakemake.params.seed,
    )
    print(f"{len(table)} samples, {table['basis'].iloc[0]}")
    write_table(table, snakemake.output[0])
