"""Rule perturb_features: change features in the trained passes, and measure what they predict then."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import torch

    from deepmapper.chords.files import read_chords
    from deepmapper.core.aliases import add_aliases, alias_of
    from deepmapper.core.evaluation_schemas import PERTURBATION
    from deepmapper.core.tables import read_table, write_json, write_table
    from deepmapper.features.store import open_features
    from deepmapper.findings.perturbation import items_of, perturb_model
    from deepmapper.passes.result import PassFile

    torch.set_num_threads(snakemake.threads)
    params, features = snakemake.params, open_features(snakemake.input.features)
    asked, chords = params.perturb, read_chords(snakemake.input.chords)
    ranked = read_table(snakemake.input.features_table)["feature"].astype(str).tolist()
    items = items_of(features, asked["features"], ranked, asked["most"], chords if asked["chords"] else ())
    found = perturb_model(
        features,
        [PassFile(path) for path in snakemake.input.passes],
        [PassFile(path) for path in snakemake.input.shadows],
        items,
        asked["how"],
        min_accuracy=params.min_accuracy,
        min_detected=params.min_detected,
        n_samples=asked["n_samples"],
        seed=params.seed,
        level=params.level,
        pixel_chords=chords if params.reads_chords else (),
    )
    print(found.summary["statement"])
    table = add_aliases(found.table, alias_of(read_table(snakemake.input.aliases)), ["item"])
    write_table(table, snakemake.output.perturbation_table, PERTURBATION)
    write_json(found.summary, snakemake.output.perturbation_summary)
