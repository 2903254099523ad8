include: "workflow/Snakefile"


# An included file does not set the target of a bare `snakemake`; this does.
workflow.default_target = "all"
