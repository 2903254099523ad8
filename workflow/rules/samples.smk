# The samples of the sheet, the references, and the programs that reads need.

from deepmapper.core import programs
from deepmapper.errors import BioToolUnavailable
from deepmapper.reads.alignment import index_prefix
from deepmapper.reads.references import names_genes
from deepmapper.reads.samples import load_samples


def read_samples():
    """The samples by name, from the sheet and from the configuration."""
    try:
        samples = load_samples(
            SETTINGS["sample_sheet"],
            SETTINGS["samples"],
            label_column=SETTINGS["labels"]["column"],
            group_column=SETTINGS["labels"]["group"],
            exclude=SETTINGS["labels"]["exclude"],
        )
        if SETTINGS["reference"]["hisat2_index"]:
            index_prefix(SETTINGS["reference"]["hisat2_index"])
    except InputError as error:
        raise WorkflowError(str(error))
    return {sample.name: sample for sample in samples}


# Where scripts/setup.sh puts Trinity.
os.environ.update(
    PATH=os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")])
)

READS = f"{RESULTS}/reads"
REFERENCE = SETTINGS["reference"]
TRIM = SETTINGS["reads"]["trim"]
SAMPLES = read_samples()

# Transcripts are cut from the genome where no FASTA holds them.
TRANSCRIPT_SOURCES = (
    ["transcripts"] if REFERENCE["transcripts"] else ["genome", "annotation"]
)
HISAT2_INDEX = [] if REFERENCE["hisat2_index"] else f"{READS}/reference/hisat2"

# What each rule runs, to say what is missing before anything starts.
PROGRAMS = {
    "prepare_transcripts": [] if REFERENCE["transcripts"] else ["gffread"],
    "trim_reads": ["fastp"],
    "build_hisat2_index": ["hisat2-build"],
    "align_reads": ["hisat2", "samtools"],
    "assemble_denovo": [
        {"trinity": "Trinity", "rnaspades": "rnaspades.py"}[
            SETTINGS["assembly"]["assembler"]
        ]
    ],
    "screen_novelty": ["minimap2"],
    "index_salmon": ["salmon"],
    "quantify_sample": ["salmon"],
    "summarise_quality": ["multiqc"],
}

# The tables made of reads, for the targets; genes where the transcripts can be mapped to them.
HAS_GENES = bool(REFERENCE["annotation"]) or names_genes(REFERENCE["transcripts"])
TABLES = [
    f"{RESULTS}/expression.h5ad",
    f"{READS}/alignment.tsv",
    f"{READS}/novelty/contigs.tsv",
    f"{READS}/qc/multiqc_report.html",
    *([f"{RESULTS}/genes.h5ad"] if HAS_GENES else []),
]
DATA = "their reads"

if SETTINGS["features"]["level"] == "gene" and not HAS_GENES:
    raise WorkflowError(
        "`features.level` is gene, but nothing maps transcripts to genes: give `reference.annotation`, or transcripts "
        "whose headers name their gene (Ensembl, GENCODE)."
    )


wildcard_constraints:
    sample="|".join(map(re.escape, SAMPLES)),


def reads_of(wildcards):
    """The reads of a sample: its own files, or the folder of the trimmed ones."""
    if TRIM:
        return f"{READS}/trimmed/{wildcards.sample}"
    return SAMPLES[wildcards.sample].files


def check_programs():
    """Name a missing program before the first job, where jobs run on this machine in this environment."""
    if snakemake_internals.runs_jobs_here(workflow):
        planned = snakemake_internals.planned_rules(workflow)
        programs.require(
            *(
                name
                for rule, names in PROGRAMS.items()
                if rule in planned
                for name in names
            )
        )
