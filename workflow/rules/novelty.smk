# From contigs, and from reads that align where nothing is annotated, to novel transcripts.


# Part of the annotation is hidden, to see which of it comes back: the controls of the error rate.
rule hide_transcripts:
    input:
        rules.extract_splice_sites.output.annotation,
    output:
        annotation=f"{READS}/reference/controls.gtf",
        hidden=f"{READS}/reference/hidden.tsv",
    log:
        f"{RESULTS}/logs/hide_transcripts.log",
    benchmark:
        f"{RESULTS}/benchmarks/hide_transcripts.tsv"
    conda:
        "../../envs/references.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        source=source_of("hide_transcripts"),
    message:
        "Hiding some of the annotation, as controls of novelty"
    script:
        "../../scripts/rules/novelty/hide_transcripts.py"


rule assemble_models:
    input:
        controls=rules.hide_transcripts.output.annotation,
        bam=f"{READS}/aligned/{{sample}}.bam",
        annotation=rules.extract_splice_sites.output.annotation,
    output:
        directory(f"{READS}/models/{{sample}}"),
    log:
        f"{RESULTS}/logs/assemble_models/{{sample}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/assemble_models/{{sample}}.tsv"
    conda:
        "../../envs/models.yaml"
    threads: SETTINGS["resources"]["alignment_threads"]
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        strandedness=lambda wildcards: SAMPLES[wildcards.sample].strandedness,
        paired=lambda wildcards: SAMPLES[wildcards.sample].units[0].paired,
        min_isoform_share=SETTINGS["novelty"]["min_isoform_share"],
        source=source_of("assemble_models"),
    message:
        "Assembling transcript models from the aligned reads of {wildcards.sample}"
    script:
        "../../scripts/rules/novelty/assemble_models.py"


rule merge_models:
    input:
        models=expand(rules.assemble_models.output[0], sample=SAMPLES),
        annotation=rules.extract_splice_sites.output.annotation,
        controls=rules.hide_transcripts.output.annotation,
        genome=rules.prepare_genome.output[0],
    output:
        models=directory(f"{READS}/merged_models"),
        controls=directory(f"{READS}/merged_controls"),
    log:
        f"{RESULTS}/logs/merge_models.log",
    benchmark:
        f"{RESULTS}/benchmarks/merge_models.tsv"
    conda:
        "../../envs/models.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        samples=list(SAMPLES),
        min_isoform_share=SETTINGS["novelty"]["min_isoform_share"],
        min_length=SETTINGS["novelty"]["min_length"],
        source=source_of("merge_models"),
    message:
        "Merging the transcript models of all samples"
    script:
        "../../scripts/rules/novelty/merge_models.py"


# If contigs are given in `assembly.fasta`, nothing is assembled and the screen depends on no sample.
CONTIGS = {"contigs": ASSEMBLY["fasta"]} if ASSEMBLY["fasta"] else {}
if "unaligned" in SOURCES:
    CONTIGS = {
        "contigs": rules.assemble_denovo.output[0],
        "pool": rules.pool_unaligned.output[0],
    }


rule screen_novelty:
    input:
        **CONTIGS,
        **(
            {
                "models": rules.merge_models.output.models,
                "controls": rules.merge_models.output.controls,
                "hidden": rules.hide_transcripts.output.hidden,
            }
            if "aligned" in SOURCES
            else {}
        ),
        **({"genome": rules.prepare_genome.output[0]} if REFERENCE["genome"] else {}),
        **({"annotation": REFERENCE["annotation"]} if REFERENCE["annotation"] else {}),
        **NAMES_TABLE,
        **(
            {"contaminants": SETTINGS["novelty"]["contaminants"]}
            if SETTINGS["novelty"]["contaminants"]
            else {}
        ),
        **({"rrna": RRNA_PROFILES} if RRNA_PROFILES else {}),
        transcripts=(
            [] if ALIGNED_TO == "nothing" else rules.prepare_transcripts.output[0]
        ),
    output:
        denovo=f"{READS}/novelty/denovo.fa",
        places=f"{READS}/novelty/denovo.gtf",
        contigs=report(
            f"{READS}/novelty/contigs.tsv",
            caption="../report/contigs.rst",
            category="0 Reads",
            labels={"what": "every contig, kept or not, and why"},
        ),
        support=f"{READS}/novelty/support.tsv",
        error_rate=f"{READS}/novelty/error_rate.json",
    log:
        f"{RESULTS}/logs/screen_novelty.log",
    benchmark:
        f"{RESULTS}/benchmarks/screen_novelty.tsv"
    conda:
        "../../envs/novelty.yaml"
    threads: SETTINGS["resources"]["assembly_threads"]
    resources:
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        options={
            name: value
            for name, value in SETTINGS["novelty"].items()
            if name
            not in (
                "contaminants",
                "rrna",
                "sources",
                "min_isoform_share",
                *SEARCH_PROGRAMS,
            )
        },
        chromosome_names=REFERENCE["chromosome_names"],
        stranded=not ASSEMBLY["fasta"] and STRANDEDNESS != "unstranded",
        source=source_of("screen_novelty"),
    message:
        "Screening the contigs against the reference"
    script:
        "../../scripts/rules/novelty/screen_novelty.py"


# What novel transcripts are and resemble is said after they are counted on, so that no wording counts again.
rule search_homology:
    input:
        denovo=rules.screen_novelty.output.denovo,
        database=lambda wildcards: DATABASES[wildcards.database],
    output:
        f"{READS}/novelty/homology/{{database}}.json",
    log:
        f"{RESULTS}/logs/search_homology/{{database}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/search_homology/{{database}}.tsv"
    conda:
        "../../envs/homology.yaml"
    threads: SETTINGS["resources"]["assembly_threads"]
    resources:
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        source=source_of("search_homology"),
    message:
        "Comparing the novel transcripts with the database of novelty.{wildcards.database}"
    script:
        "../../scripts/rules/novelty/search_homology.py"


rule describe_novel:
    input:
        **{kind: f"{READS}/novelty/homology/{kind}.json" for kind in DATABASES},
        **({"genome": rules.prepare_genome.output[0]} if REFERENCE["genome"] else {}),
        **({"annotation": REFERENCE["annotation"]} if REFERENCE["annotation"] else {}),
        **NAMES_TABLE,
        denovo=rules.screen_novelty.output.denovo,
        contigs=rules.screen_novelty.output.contigs,
        places=rules.screen_novelty.output.places,
        counts=f"{READS}/counts.tsv.gz",
        genes=(
            [] if ALIGNED_TO == "nothing" else rules.map_transcripts_to_genes.output[0]
        ),
    output:
        table=report(
            f"{READS}/novelty/novel.tsv",
            caption="../report/novel.rst",
            category="0 Reads",
            labels={"what": "novel transcripts: alias, place, what they resemble"},
        ),
        gtf=f"{READS}/novelty/novel.gtf",
        bed=f"{READS}/novelty/novel.bed",
        neighbours=f"{READS}/novelty/neighbours.gtf",
    log:
        f"{RESULTS}/logs/describe_novel.log",
    benchmark:
        f"{RESULTS}/benchmarks/describe_novel.tsv"
    conda:
        "../../envs/python.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        databases=list(DATABASES),
        chromosome_names=REFERENCE["chromosome_names"],
        source=source_of("describe_novel"),
    message:
        "Describing the novel transcripts"
    script:
        "../../scripts/rules/novelty/describe_novel.py"
