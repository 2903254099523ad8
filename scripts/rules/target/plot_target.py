"""Rule plot_target: draw the samples without a label that a model named."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    from deepmapper.core.tables import read_table
    from deepmapper.plots.evaluation import calibration
    from deepmapper.plots.target import target_genes, target_map, target_verdicts
    from deepmapper.report.titles import FIGURES, TARGET_FIGURES

    inputs, output = snakemake.input, snakemake.output
    titles = {name: f"{snakemake.wildcards.model}: {FIGURES[name]}" for name in TARGET_FIGURES}
    target_map(read_table(inputs.map_table), output.target_map, titles["target_map"])
    target_verdicts(read_table(inputs.target_table), output.target_verdicts, titles["target_verdicts"])
    of_cells = f"{titles['target_confidence']}, of labelled cells out of bag"
    calibration(read_table(inputs.calibration_table), output.target_confidence, of_cells)
    target_genes(read_table(inputs.genes_table), output.target_genes, titles["target_genes"])
