# From contigs to novel transcripts: the screen against the reference.


# If contigs are given in `assembly.fasta`, no reads are pooled and the screen depends on no sample.
rule screen_novelty:
    input:
        **({"pool": rules.pool_unaligned.output[0]} if not ASSEMBLY["fasta"] else {}),
        **({"genome": rules.prepare_genome.output[0]} if REFERENCE["genome"] else {}),
        **({"annotation": REFERENCE["annotation"]} if REFERENCE["annotation"] else {}),
        **NAMES_TABLE,
        **(
            {"contaminants": SETTINGS["novelty"]["contaminants"]}
            if SETTINGS["novelty"]["contaminants"]
            else {}
        ),
        contigs=ASSEMBLY["fasta"] or rules.assemble_denovo.output[0],
        transcripts=rules.prepare_transcripts.output[0],
    output:
        denovo=f"{READS}/novelty/denovo.fa",
        contigs=report(
            f"{READS}/novelty/contigs.tsv",
            caption="../report/contigs.rst",
            category="0 Reads",
            labels={"what": "every contig, kept or not, and why"},
        ),
        support=f"{READS}/novelty/support.tsv",
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
            if name != "contaminants"
        },
        chromosome_names=REFERENCE["chromosome_names"],
        stranded=not ASSEMBLY["fasta"] and STRANDEDNESS != "unstranded",
        source=source_of("screen_novelty"),
    message:
        "Screening the contigs against the reference"
    script:
        "../../scripts/rules/novelty/screen_novelty.py"
