"""Rule judge_target: name the samples without a label, and judge how sure that is."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd
    import torch

    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.core.target_schemas import TARGET_CALIBRATION, TARGET_CELLS
    from deepmapper.features.store import open_features
    from deepmapper.transfer import model_folder
    from deepmapper.transfer.answer import answer, write_annotated
    from deepmapper.transfer.embedded import add_embeddings, read_embedded

    torch.set_num_threads(snakemake.threads)
    model, target = model_folder.load(snakemake.input.model), open_features(snakemake.input.features)
    cells = read_table(snakemake.input.cells, TARGET_CELLS)
    found = answer(
        model,
        target.X,
        cells,
        target.metadata["sources"],
        level=snakemake.params.level,
        new_identities=snakemake.params.new_identities,
        align=snakemake.params.align,
        allowed_terms=snakemake.params.allowed_terms,
        seed=snakemake.params.seed,
    )
    embedded = {Path(path).stem: read_embedded(path) for path in snakemake.input.embeddings}
    found = add_embeddings(found, embedded)
    print(found.summary["statement"], found.summary["rate"], *found.summary["cautions"], sep="\n")
    write_table(found.table, snakemake.output.target_table)
    write_json(found.summary, snakemake.output.target_summary)
    aliases = alias_of(read_table(snakemake.input.aliases))
    write_table(add_aliases(found.identities, aliases, ["genes"]), snakemake.output.identities)
    write_table(add_aliases(found.genes, aliases, ["gene"]), snakemake.output.genes)
    write_table(pd.DataFrame(model.reliability, columns=TARGET_CALIBRATION.names()), snakemake.output.calibration)
    write_annotated(found, model, snakemake.output.annotated)
