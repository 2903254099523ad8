# Counts of reference and novel transcripts with one index, and the matrices made from them.

QUANTIFICATION = SETTINGS["quantification"]


rule build_hybrid_reference:
    input:
        **(
            {"decoys": rules.prepare_genome.output[0]}
            if QUANTIFICATION["decoys"]
            else {}
        ),
        transcripts=(
            [] if ALIGNED_TO == "nothing" else rules.prepare_transcripts.output[0]
        ),
        denovo=rules.screen_novelty.output.denovo,
    output:
        fasta=f"{READS}/hybrid/hybrid.fa",
        decoys=f"{READS}/hybrid/decoys.txt",
    log:
        f"{RESULTS}/logs/build_hybrid_reference.log",
    benchmark:
        f"{RESULTS}/benchmarks/build_hybrid_reference.tsv"
    conda:
        "../../envs/quantification.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(60),
    params:
        source=source_of("build_hybrid_reference"),
    message:
        "Joining reference and novel transcripts"
    script:
        "../../scripts/rules/reads/build_hybrid_reference.py"


rule index_salmon:
    input:
        fasta=rules.build_hybrid_reference.output.fasta,
        decoys=rules.build_hybrid_reference.output.decoys,
    output:
        directory(f"{READS}/hybrid/salmon"),
    log:
        f"{RESULTS}/logs/index_salmon.log",
    benchmark:
        f"{RESULTS}/benchmarks/index_salmon.tsv"
    conda:
        "../../envs/quantification.yaml"
    threads: SETTINGS["resources"]["quantification_threads"]
    resources:
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        k=QUANTIFICATION["k"],
        source=source_of("index_salmon"),
    message:
        "Indexing the hybrid reference for Salmon"
    script:
        "../../scripts/rules/reads/index_salmon.py"


rule quantify_sample:
    input:
        reads=reads_of,
        index=rules.index_salmon.output[0],
        captured=[] if ALIGNED_TO == "nothing" else rules.align_reads.output.captured,
    output:
        directory(f"{READS}/quantification/{{sample}}"),
    log:
        f"{RESULTS}/logs/quantify_sample/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/quantify_sample/{{sample}}.tsv"
    conda:
        "../../envs/quantification.yaml"
    threads: SETTINGS["resources"]["quantification_threads"]
    resources:
        mem_mb=grow(8000),
        runtime=grow(120),
    params:
        **({"strandedness": "auto"} if ALIGNED_TO == "nothing" else {}),
        sample=lambda wildcards: SAMPLES[wildcards.sample].as_params(),
        trimmed=TRIM,
        # contigs may be on either strand, unless all samples have the same strandedness
        gc_bias=QUANTIFICATION["gc_bias"],
        seq_bias=QUANTIFICATION["seq_bias"],
        source=source_of("quantify_sample"),
    message:
        "Quantifying {wildcards.sample}"
    script:
        "../../scripts/rules/reads/quantify_sample.py"


rule tabulate_fragments:
    input:
        alignments=expand(rules.align_reads.output.captured, sample=SAMPLES),
        quantifications=expand(rules.quantify_sample.output[0], sample=SAMPLES),
        alignment=rules.tabulate_alignment.output[0],
    output:
        report(
            f"{READS}/fragments.tsv",
            caption="../report/fragments.rst",
            category="0 Reads",
            labels={"what": "where the fragments went, table"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_fragments.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_fragments.tsv"
    conda:
        "../../envs/references.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        source=source_of("tabulate_fragments"),
    message:
        "Tabulating where the fragments of every sample went"
    script:
        "../../scripts/rules/reads/tabulate_fragments.py"


rule plot_fragments:
    input:
        rules.tabulate_fragments.output[0],
    output:
        report(
            f"{READS}/fragments.svg",
            caption="../report/fragments.rst",
            category="0 Reads",
            labels={"what": "where the fragments went"},
        ),
    log:
        f"{RESULTS}/logs/plot_fragments.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_fragments.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        source=source_of("plot_fragments"),
    message:
        "Drawing where the fragments of every sample went"
    script:
        "../../scripts/rules/reads/plot_fragments.py"


rule build_expression:
    input:
        quantifications=expand(rules.quantify_sample.output[0], sample=SAMPLES),
        contigs=rules.screen_novelty.output.contigs,
        genes=(
            [] if ALIGNED_TO == "nothing" else rules.map_transcripts_to_genes.output[0]
        ),
        alignment=(
            [] if ALIGNED_TO == "nothing" else rules.tabulate_alignment.output[0]
        ),
    output:
        matrix=f"{RESULTS}/expression.h5ad",
        counts=f"{READS}/counts.tsv.gz",
        tpm=f"{READS}/tpm.tsv.gz",
    log:
        f"{RESULTS}/logs/build_expression.log",
    benchmark:
        f"{RESULTS}/benchmarks/build_expression.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        samples=[
            {"sample": sample.name, **sample.columns} for sample in SAMPLES.values()
        ],
        source=source_of("build_expression"),
    message:
        "Building the matrix of samples × transcripts"
    script:
        "../../scripts/rules/matrix/build_expression.py"


rule summarise_genes:
    input:
        quantifications=expand(rules.quantify_sample.output[0], sample=SAMPLES),
        expression=rules.build_expression.output.matrix,
        genes=rules.map_transcripts_to_genes.output[0],
    output:
        matrix=f"{RESULTS}/genes.h5ad",
        counts=f"{READS}/gene_counts.tsv.gz",
        tpm=f"{READS}/gene_tpm.tsv.gz",
    log:
        f"{RESULTS}/logs/summarise_genes.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise_genes.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        counts=QUANTIFICATION["gene_counts"],
        source=source_of("summarise_genes"),
    message:
        "Summing transcripts to genes"
    script:
        "../../scripts/rules/matrix/summarise_genes.py"
