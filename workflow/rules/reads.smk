# References, quality of the reads, and capture of the reads that do not align.
#
# A sample's jobs depend only on its own files, so adding a sample re-runs none of the others' jobs.


rule prepare_genome:
    input:
        REFERENCE["genome"],
    output:
        f"{READS}/reference/genome.fa",
    log:
        f"{RESULTS}/logs/prepare_genome.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_genome.tsv"
    conda:
        "../../envs/references.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        source=source_of("prepare_genome"),
    message:
        "Preparing the genome"
    script:
        "../../scripts/rules/reads/prepare_genome.py"


rule prepare_transcripts:
    input:
        **{name: REFERENCE[name] for name in TRANSCRIPT_SOURCES},
        **NAMES_TABLE,
    output:
        f"{READS}/reference/transcripts.fa",
    log:
        f"{RESULTS}/logs/prepare_transcripts.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_transcripts.tsv"
    conda:
        "../../envs/references.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        chromosome_names=REFERENCE["chromosome_names"],
        strip_versions=REFERENCE["strip_versions"],
        source=source_of("prepare_transcripts"),
    message:
        "Preparing the reference transcripts"
    script:
        "../../scripts/rules/reads/prepare_transcripts.py"


rule map_transcripts_to_genes:
    input:
        **{
            name: REFERENCE[name]
            for name in ("annotation", "transcripts")
            if REFERENCE[name]
        },
        cleaned=rules.prepare_transcripts.output[0],
    output:
        f"{READS}/reference/transcript_to_gene.tsv",
    log:
        f"{RESULTS}/logs/map_transcripts_to_genes.log",
    benchmark:
        f"{RESULTS}/benchmarks/map_transcripts_to_genes.tsv"
    conda:
        "../../envs/references.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        strip_versions=REFERENCE["strip_versions"],
        source=source_of("map_transcripts_to_genes"),
    message:
        "Looking up the gene of each transcript"
    script:
        "../../scripts/rules/reads/map_transcripts_to_genes.py"


rule extract_splice_sites:
    input:
        **(
            {
                name: REFERENCE[name]
                for name in ("annotation", "genome")
                if REFERENCE[name]
            }
            if REFERENCE["annotation"]
            else {}
        ),
        **NAMES_TABLE,
    output:
        splice_sites=f"{READS}/reference/splice_sites.tsv",
        annotation=f"{READS}/reference/annotation.gtf",
        chromosomes=report(
            f"{READS}/reference/chromosomes.tsv",
            caption="../report/chromosomes.rst",
            category="0 Reads",
            labels={"what": "chromosomes of annotation and genome"},
        ),
    log:
        f"{RESULTS}/logs/extract_splice_sites.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_splice_sites.tsv"
    conda:
        "../../envs/references.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        chromosome_names=REFERENCE["chromosome_names"],
        source=source_of("extract_splice_sites"),
    message:
        "Extracting known splice sites"
    script:
        "../../scripts/rules/reads/extract_splice_sites.py"


rule build_hisat2_index:
    input:
        (
            rules.prepare_transcripts.output[0]
            if ALIGNED_TO == "transcripts"
            else rules.prepare_genome.output[0]
        ),
    output:
        directory(f"{READS}/reference/hisat2"),
    log:
        f"{RESULTS}/logs/build_hisat2_index.log",
    benchmark:
        f"{RESULTS}/benchmarks/build_hisat2_index.tsv"
    conda:
        "../../envs/alignment.yaml"
    threads: SETTINGS["resources"]["alignment_threads"]
    resources:
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        source=source_of("build_hisat2_index"),
    message:
        f"Indexing the {ALIGNED_TO} for HISAT2"
    script:
        "../../scripts/rules/reads/build_hisat2_index.py"


rule trim_reads:
    input:
        lambda wildcards: SAMPLES[wildcards.sample].files,
    output:
        **({"trimmed": temp(directory(f"{READS}/trimmed/{{sample}}"))} if TRIM else {}),
        report=directory(f"{READS}/fastp/{{sample}}"),
    log:
        f"{RESULTS}/logs/trim_reads/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/trim_reads/{{sample}}.tsv"
    conda:
        "../../envs/alignment.yaml"
    threads: SETTINGS["resources"]["alignment_threads"]
    resources:
        mem_mb=grow(3000),
        runtime=grow(120),
    params:
        sample=lambda wildcards: SAMPLES[wildcards.sample].as_params(),
        source=source_of("trim_reads"),
    message:
        "Trimming the reads of {wildcards.sample}"
        if TRIM
        else "Checking the quality of {wildcards.sample}"
    script:
        "../../scripts/rules/reads/trim_reads.py"


# Alignments are needed until they are assembled, and kept on request.
KEEP_ALIGNMENTS = SETTINGS["reads"]["keep_alignments"]
ALIGNMENTS = {
    name: path if KEEP_ALIGNMENTS else temp(path)
    for name, path in (
        ("bam", f"{READS}/aligned/{{sample}}.bam"),
        ("bai", f"{READS}/aligned/{{sample}}.bam.bai"),
    )
    if KEEP_ALIGNMENTS or "aligned" in SOURCES
}


rule align_reads:
    input:
        reads=reads_of,
        index=HISAT2_INDEX,
        splice_sites=(
            rules.extract_splice_sites.output.splice_sites
            if ALIGNED_TO == "genome"
            else []
        ),
    output:
        **ALIGNMENTS,
        captured=directory(f"{READS}/unaligned/{{sample}}"),
    log:
        f"{RESULTS}/logs/align_reads/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/align_reads/{{sample}}.tsv"
    conda:
        "../../envs/alignment.yaml"
    threads: SETTINGS["resources"]["alignment_threads"]
    resources:
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        **({"spliced": False} if ALIGNED_TO == "transcripts" else {}),
        sample=lambda wildcards: SAMPLES[wildcards.sample].as_params(),
        trimmed=TRIM,
        index=REFERENCE["hisat2_index"],
        keep_half_mapped=SETTINGS["reads"]["keep_half_mapped"],
        # transcripts have no introns
        source=source_of("align_reads"),
    message:
        "Aligning {wildcards.sample} and capturing unaligned reads"
    script:
        "../../scripts/rules/reads/align_reads.py"


# Without a reference: all reads of a sample in place of those that do not align.
rule collect_reads:
    input:
        reads=reads_of,
    output:
        temp(directory(f"{READS}/collected/{{sample}}")),
    log:
        f"{RESULTS}/logs/collect_reads/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_reads/{{sample}}.tsv"
    conda:
        "../../envs/alignment.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(240),
    params:
        sample=lambda wildcards: SAMPLES[wildcards.sample].as_params(),
        trimmed=TRIM,
        source=source_of("collect_reads"),
    message:
        "Collecting the reads of {wildcards.sample}"
    script:
        "../../scripts/rules/reads/collect_reads.py"


rule tabulate_alignment:
    input:
        expand(rules.align_reads.output.captured, sample=SAMPLES),
    output:
        report(
            f"{READS}/alignment.tsv",
            caption="../report/alignment.rst",
            category="0 Reads",
            labels={"what": "reads aligned and captured"},
        ),
    log:
        f"{RESULTS}/logs/tabulate_alignment.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate_alignment.tsv"
    conda:
        "../../envs/references.yaml"
    threads: 1
    resources:
        mem_mb=grow(1000),
        runtime=grow(10),
    params:
        source=source_of("tabulate_alignment"),
    message:
        "Tabulating aligned and captured reads"
    script:
        "../../scripts/rules/reads/tabulate_alignment.py"


rule summarise_quality:
    input:
        fastp=expand(rules.trim_reads.output.report, sample=SAMPLES),
        alignments=(
            []
            if ALIGNED_TO == "nothing"
            else expand(rules.align_reads.output.captured, sample=SAMPLES)
        ),
        quantifications=expand(f"{READS}/quantification/{{sample}}", sample=SAMPLES),
        fragments=[] if ALIGNED_TO == "nothing" else f"{READS}/fragments.tsv",
    output:
        f"{READS}/qc/multiqc_report.html",
    log:
        f"{RESULTS}/logs/summarise_quality.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise_quality.tsv"
    conda:
        "../../envs/multiqc.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        source=source_of("summarise_quality"),
    message:
        "Writing the MultiQC report"
    script:
        "../../scripts/rules/reads/summarise_quality.py"
