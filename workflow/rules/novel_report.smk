# What users look at of novel transcripts: the first of every model beside the annotation.


# Only if the alignments are kept, since they are large.
rule measure_coverage:
    input:
        alignments=expand(f"{READS}/aligned/{{sample}}.bam", sample=SAMPLES),
        indices=expand(f"{READS}/aligned/{{sample}}.bam.bai", sample=SAMPLES),
        alignment=rules.tabulate_alignment.output[0],
        features=rules.join_features.output.features,
        places=rules.describe_novel.output.gtf,
    output:
        f"{RESULTS}/findings/{{model}}/novel_coverage.json",
    log:
        f"{RESULTS}/logs/measure_coverage/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_coverage/{{model}}.tsv"
    conda:
        "../../envs/alignment.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(60),
    params:
        samples=list(SAMPLES),
        source=source_of("measure_coverage"),
    message:
        "Measuring the coverage of the first novel transcripts of {wildcards.model}"
    script:
        "../../scripts/rules/novelty/measure_coverage.py"


rule plot_novel:
    input:
        **(
            {"coverage": rules.measure_coverage.output[0]}
            if KEEP_ALIGNMENTS and REFERENCE["genome"]
            else {}
        ),
        features=rules.prepare_features.output[0],
        features_table=rules.join_features.output.features,
        novel=rules.describe_novel.output.table,
        places=rules.describe_novel.output.gtf,
        neighbours=rules.describe_novel.output.neighbours,
    output:
        report(
            f"{RESULTS}/findings/{{model}}/plots/novel.svg",
            caption="../report/novel_figure.rst",
            category="3 Features",
            labels={"model": "{model}", "what": "novel transcripts"},
        ),
    log:
        f"{RESULTS}/logs/plot_novel/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_novel/{{model}}.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(30),
    params:
        source=source_of("plot_novel"),
    message:
        "Drawing the first novel transcripts of {wildcards.model}"
    script:
        "../../scripts/rules/novelty/plot_novel.py"
