"""Rule plot_target: draw the samples without a label that a model named."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_table
    from deepmapper.plots.evaluation import calibration
    from deepmapper.plots.target import target_genes, target_map, target_verdicts

    model, inputs, output = snakemake.wildcards.model, snakemake.input, snakemake.output
    target_map(read_table(inputs.map_table), output.target_map, f"{model}: reference and target")
    target_verdicts(read_table(inputs.target_table), output.target_verdicts, f"{model}: labels and verdicts")
    title = f"{model}: confidence and accuracy, labelled cells out of bag"
    calibration(read_table(inputs.calibration_table), output.target_confidence, title)
    target_genes(read_table(inputs.genes_table), output.target_genes, f"{model}: genes behind the labels")
