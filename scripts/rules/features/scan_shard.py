"""Rule scan_shard: sum the values and counts of one shard."""

from deepmapper.workflow.rule_script import job

with job(snakemake):
    import json
    from pathlib import Path

    from deepmapper.features.store import open_features
    from deepmapper.findings.scans import scan_samples, write_scan
    from deepmapper.io.expression import open_expression

    first, last = json.loads(Path(snakemake.input.shard_rows).read_text())[snakemake.wildcards.shard]
    scan = scan_samples(
        open_features(snakemake.input.features), open_expression(snakemake.input.expression), first, last
    )
    print(f"{scan.values.n} samples of the development part")
    write_scan(snakemake.output[0], scan)
