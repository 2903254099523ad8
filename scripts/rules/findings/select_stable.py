"""Rule select_stable: stability selection on complementary halves of the development part."""

from deepmapper.jobs import job

with job(snakemake):
    import pandas as pd

    from deepmapper import stability
    from deepmapper.store import open_features
    from deepmapper.tables import write_json, write_table

    names = open_features(snakemake.input.features).names
    passes = [stability.HalfPass.load(path) for path in snakemake.input.halves]
    about, probability = stability.select(passes, snakemake.params.top_k, snakemake.params.threshold, names)
    print(about["statement"])
    write_table(pd.DataFrame({"feature": names, "stability": probability}), snakemake.output.table)
    write_json(about, snakemake.output.about)
