"""Rule match_gene_sets: find the genes of the gene sets among the features, before anything is trained."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.aliases import alias_of
    from deepmapper.core.tables import read_table, write_table
    from deepmapper.enrichment.gene_sets import read_gene_sets
    from deepmapper.enrichment.matching import match_gene_sets, set_table

    names = read_table(snakemake.input.aliases)
    files = [
        match_gene_sets(file, names["feature"], alias_of(names)) for file in read_gene_sets(snakemake.input.gene_sets)
    ]
    print(*(file.statement for file in files), sep="\n")
    write_table(set_table(files), snakemake.output[0])
