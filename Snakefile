include: "workflow/Snakefile"


# An included file does not set the target of a bare `snakemake`; this does.
snakemake_internals.set_default_target(workflow, "all")
