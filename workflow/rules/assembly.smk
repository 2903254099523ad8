# From captured reads to contigs.

ASSEMBLY = SETTINGS["assembly"]
# Contigs have the strand of their transcripts only if all samples have the same strandedness.
STRANDEDNESS = {sample.strandedness for sample in SAMPLES.values()}
STRANDEDNESS = (
    STRANDEDNESS.pop() if STRANDEDNESS in ({"forward"}, {"reverse"}) else "unstranded"
)


rule pool_unaligned:
    input:
        expand(CAPTURED, sample=SAMPLES),
    output:
        directory(f"{READS}/pool"),
    log:
        f"{RESULTS}/logs/pool_unaligned.log",
    benchmark:
        f"{RESULTS}/benchmarks/pool_unaligned.tsv"
    conda:
        "../../envs/assembly.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(120),
    params:
        source=source_of("pool_unaligned"),
    message:
        "Pooling the captured reads of all samples"
    script:
        "../../scripts/rules/reads/pool_unaligned.py"


rule assemble_denovo:
    input:
        rules.pool_unaligned.output[0],
    output:
        f"{READS}/assembly/contigs.fa",
    log:
        f"{RESULTS}/logs/assemble_denovo.log",
    benchmark:
        f"{RESULTS}/benchmarks/assemble_denovo.tsv"
    conda:
        "../../envs/assembly.yaml"
    threads: SETTINGS["resources"]["assembly_threads"]
    resources:
        mem_mb=grow(1000 * ASSEMBLY["max_memory_gb"] + 2000),
        runtime=grow(int(60 * ASSEMBLY["max_hours"]) + 10),
    params:
        assembler=ASSEMBLY["assembler"],
        min_kmer_coverage=ASSEMBLY["min_kmer_coverage"],
        min_contig_length=ASSEMBLY["min_contig_length"],
        max_memory_gb=ASSEMBLY["max_memory_gb"],
        max_hours=ASSEMBLY["max_hours"],
        strandedness=STRANDEDNESS,
        source=source_of("assemble_denovo"),
    message:
        "Assembling the captured reads ({params.assembler})"
    script:
        "../../scripts/rules/reads/assemble_denovo.py"
