"""Rule record_run: record versions, settings and inputs of the run, and describe it as an RO-Crate."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import datetime
    import json
    from pathlib import Path

    from deepmapper import __version__
    from deepmapper.core.files import atomic_write
    from deepmapper.core.tables import read_json
    from deepmapper.workflow.run_crate import run_crate
    from deepmapper.workflow.run_record import record_run

    params = dict(snakemake.params.items())
    made = params.pop("made")
    record = record_run(
        params,
        [read_json(path)["n_passes_run"] for path in snakemake.input],
        version=__version__,
        resources=snakemake.config.get("resources", {}),
        results=Path(snakemake.output.record).parent,
    )
    crate = run_crate(record, made, published=datetime.date.today().isoformat())
    for path, content in ((snakemake.output.record, record), (snakemake.output.crate, crate)):
        with atomic_write(path) as file:
            file.write_text(json.dumps(content, indent=1) + "\n")
