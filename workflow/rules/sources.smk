# Reads that are not FASTQ files yet: runs of the SRA, and BAM files.


# What was fetched is kept: it may take hours.
rule fetch_reads:
    output:
        directory(f"{READS}/fetched/{{accession}}"),
    log:
        f"{RESULTS}/logs/fetch_reads/{{accession}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_reads/{{accession}}.tsv"
    wildcard_constraints:
        accession=r"[SED]RR\d+",
    conda:
        "../../envs/sra.yaml"
    threads: SETTINGS["resources"]["alignment_threads"]
    resources:
        mem_mb=grow(2000),
        runtime=grow(720),
    params:
        source=source_of("fetch_reads"),
    message:
        "Fetching {wildcards.accession} from the SRA"
    script:
        "../../scripts/rules/reads/fetch_reads.py"


rule extract_reads:
    input:
        lambda wildcards: BAM_FILES[wildcards.sample, wildcards.unit],
    output:
        temp(directory(f"{READS}/extracted/{{sample}}/{{unit}}")),
    log:
        f"{RESULTS}/logs/extract_reads/{{sample}}/{{unit}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/extract_reads/{{sample}}/{{unit}}.tsv"
    wildcard_constraints:
        unit=r"[\w.-]+",
    conda:
        "../../envs/alignment.yaml"
    threads: SETTINGS["resources"]["alignment_threads"]
    resources:
        mem_mb=grow(4000),
        runtime=grow(240),
    params:
        source=source_of("extract_reads"),
    message:
        "Extracting the reads of {wildcards.sample} from BAM"
    script:
        "../../scripts/rules/reads/extract_reads.py"
