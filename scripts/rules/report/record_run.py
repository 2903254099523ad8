"""Rule record_run: record versions, settings and inputs of the run, in one file."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import json
    from pathlib import Path

    from deepmapper import __version__
    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import read_json
    from deepmapper.workflow.run_record import record_run

    record = record_run(
        dict(snakemake.params.items()),
        [read_json(path)["n_passes_run"] for path in snakemake.input],
        version=__version__,
        resources=snakemake.config.get("resources", {}),
        results=Path(snakemake.output[0]).parent,
    )
    with atomic_write(snakemake.output[0]) as path:
        path.write_text(json.dumps(record, indent=1) + "\n")
