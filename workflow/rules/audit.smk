# Statistics of the features, and which of them the usual filters would have discarded; independent of the models.


if not STARTS_FROM_READS and SHARDS:

    # Sums of the samples of one shard, which are merged exactly.
    rule scan_shard:
        input:
            features=rules.prepare_features.output[0],
            expression=EXPRESSION,
            shard_rows=rules.merge_shards.output.shard_rows,
        output:
            temp(f"{RESULTS}/shards/{{shard}}.npz"),
        log:
            f"{RESULTS}/logs/scan_shard/{{shard}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/scan_shard/{{shard}}.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 1
        resources:
            mem_mb=grow(1500),
            runtime=grow(30),
        params:
            source=source_of("scan_shard"),
        message:
            "Scanning the shard {wildcards.shard}"
        script:
            "../../scripts/rules/features/scan_shard.py"


rule stream_statistics:
    input:
        **(
            {"scans": expand(rules.scan_shard.output[0], shard=SHARDS)}
            if not STARTS_FROM_READS and SHARDS
            else {}
        ),
        features=rules.prepare_features.output[0],
        expression=EXPRESSION,
    output:
        statistics_table=report(
            f"{RESULTS}/findings/statistics.tsv",
            caption="../report/statistics_table.rst",
            category="3 Features",
            labels={"what": "statistics of all features, table"},
        ),
        statistics_notes=f"{RESULTS}/findings/statistics.json",
    log:
        f"{RESULTS}/logs/stream_statistics.log",
    benchmark:
        f"{RESULTS}/benchmarks/stream_statistics.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(60),
    params:
        estimated=STARTS_FROM_READS,
        source=source_of("stream_statistics"),
    message:
        "Computing statistics of the features"
    script:
        "../../scripts/rules/features/stream_statistics.py"


rule audit_filtering:
    input:
        features=rules.prepare_features.output[0],
        # not read: its size tells how much memory the components need
        expression=EXPRESSION,
        statistics_table=rules.stream_statistics.output.statistics_table,
        statistics_notes=rules.stream_statistics.output.statistics_notes,
    output:
        audit_table=f"{RESULTS}/findings/audit_features.tsv",
        audit_notes=f"{RESULTS}/findings/audit_features.json",
    log:
        f"{RESULTS}/logs/audit_filtering.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit_filtering.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000, per_mb=25, max_extra=7000),
        runtime=grow(60),
    params:
        source=source_of("audit_filtering"),
    message:
        "Applying the usual filters to the features"
    script:
        "../../scripts/rules/features/audit_filtering.py"
