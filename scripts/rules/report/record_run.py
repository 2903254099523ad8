"""Rule record_run: how the results were made, in one file."""

from deepmapper.jobs import job

with job(snakemake):
    import json
    from pathlib import Path

    from deepmapper import __version__
    from deepmapper.files import whole_file
    from deepmapper.provenance import PACKAGE
    from deepmapper.run_record import record_of

    params, first = snakemake.params, snakemake.params.passes["seed"]
    others = ("seeds", "files", "programs", "deployment", "source")
    settings = {name: value for name, value in params.items() if name not in others}
    n_passes = {Path(path).parent.name: json.loads(Path(path).read_text())["n_passes_run"] for path in snakemake.input}
    # as they were given; they change no result, and so do not count as a change of this rule either
    settings["resources"] = snakemake.config.get("resources", {})
    settings["results"] = str(Path(snakemake.output[0]).parent)
    record = record_of(
        version=__version__,
        settings=settings,
        seeds={"passes": {model: list(range(first, first + n)) for model, n in n_passes.items()}, **params.seeds},
        files=params.files,
        programs=params.programs,
        root=PACKAGE.parents[1],
        deployment=params.deployment,
    )
    with whole_file(snakemake.output[0]) as path:
        path.write_text(json.dumps(record, indent=1) + "\n")
