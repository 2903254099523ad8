"""Rule prepare_features: normalise values, encode labels, set aside a test split if possible, and write the store."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.enrichment.gene_sets import read_gene_sets
    from deepmapper.features.prepare import describe_features, prepare_features
    from deepmapper.features.store import write_features
    from deepmapper.io.expression import open_expression

    options = {name: value for name, value in snakemake.params.items() if name != "source"}
    files = read_gene_sets(snakemake.input.signatures, "confounders.composition.signatures")
    signatures = {own.name: own.genes for file in files for own in file.sets}
    features = prepare_features(open_expression(snakemake.input.expression), **options, signatures=signatures)
    print(*describe_features(features), sep="\n")
    write_features(snakemake.output[0], features)
