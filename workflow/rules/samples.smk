# Samples, references and programs for runs that start from reads.

from deepmapper.core import programs
from deepmapper.errors import BioToolUnavailable
from deepmapper.novelty.homology import SEARCH_PROGRAMS
from deepmapper.novelty.ribosomal import INCLUDED_PROFILES
from deepmapper.reads.alignment import index_prefix
from deepmapper.reads.samples import load_samples
from deepmapper.workflow.needed_programs import aligned_to, programs_by_rule
from deepmapper.workflow.sections import GENES_UNKNOWN, has_genes


def read_samples():
    """Load the samples of the sheet and the configuration, by name."""
    try:
        samples = load_samples(
            SETTINGS["sample_sheet"],
            SETTINGS["samples"],
            label_column=SETTINGS["labels"]["column"],
            group_column=SETTINGS["labels"]["group"],
            exclude=SETTINGS["labels"]["exclude"],
            missing=SETTINGS["labels"]["missing"],
            na_values=SETTINGS["labels"]["na_values"],
        )
        if SETTINGS["reference"]["hisat2_index"]:
            index_prefix(SETTINGS["reference"]["hisat2_index"])
    except InputError as error:
        refuse(error)
    return {sample.name: sample for sample in samples}


# scripts/setup.sh installs Trinity there.
os.environ.update(
    PATH=os.pathsep.join([str(ROOT / ".tools" / "bin"), os.environ.get("PATH", "")])
)

READS = f"{RESULTS}/reads"
REFERENCE = SETTINGS["reference"]
TRIM = SETTINGS["reads"]["trim"]
GIVEN_SAMPLES = read_samples()
BAM_FILES = {
    (sample.name, unit.name): unit.bam
    for sample in GIVEN_SAMPLES.values()
    for unit in sample.units
    if unit.bam
}
# Every sample as FASTQ: where its reads are given, or will be written by fetch_reads and extract_reads.
SAMPLES = {
    name: sample.in_folders(f"{READS}/fetched", f"{READS}/extracted")
    for name, sample in GIVEN_SAMPLES.items()
}

ALIGNED_TO = aligned_to(SETTINGS)
# Folder of the reads of a sample that are assembled.
CAPTURED = f"{READS}/unaligned/{{sample}}"
if ALIGNED_TO == "nothing":
    CAPTURED = f"{READS}/collected/{{sample}}"
# Without a FASTA, transcripts are extracted from the genome.
TRANSCRIPT_SOURCES = (
    ["transcripts"] if REFERENCE["transcripts"] else ["genome", "annotation"]
)
# A table of names that differ between the annotation and the genome.
NAMES_TABLE = (
    {} if has_name_rule(SETTINGS) else {"names": REFERENCE["chromosome_names"]}
)
# What novel transcripts are assembled from.
SOURCES = novelty_sources(SETTINGS)
# Databases that novel transcripts are compared with.
DATABASES = searched_databases(SETTINGS)
# Profiles of ribosomal RNA, which the screen searches for.
RRNA_PROFILES = {
    "included": str(INCLUDED_PROFILES),
    "none": "",
}.get(SETTINGS["novelty"]["rrna"], SETTINGS["novelty"]["rrna"])
HISAT2_INDEX = [] if REFERENCE["hisat2_index"] else f"{READS}/reference/hisat2"

# Programs of each rule, so that missing ones are reported before any job starts.
PROGRAMS = programs_by_rule(SETTINGS, GIVEN_SAMPLES.values())

# Targets made from reads; genes only if the transcripts can be mapped to them.
HAS_GENES = has_genes(SETTINGS)
TABLES = [
    f"{RESULTS}/expression.h5ad",
    *(
        [f"{READS}/alignment.tsv", f"{READS}/fragments.svg"]
        if ALIGNED_TO != "nothing"
        else []
    ),
    f"{READS}/novelty/contigs.tsv",
    f"{READS}/novelty/novel.tsv",
    f"{READS}/qc/multiqc_report.html",
    *([f"{RESULTS}/genes.h5ad"] if HAS_GENES else []),
]
DATA = "their reads"

# Files from which the summary page says what calls for caution in the reads.
SUMMARY_INPUTS = {
    **(
        {"chromosomes": f"{READS}/reference/chromosomes.tsv"}
        if ALIGNED_TO == "genome"
        else {}
    ),
    "quantifications": expand(f"{READS}/quantification/{{sample}}", sample=SAMPLES),
    **(
        {
            "alignment": f"{READS}/alignment.tsv",
            "fragments": f"{READS}/fragments.tsv",
            "error_rate": f"{READS}/novelty/error_rate.json",
        }
        if ALIGNED_TO != "nothing"
        else {}
    ),
}
SUMMARY_PARAMS = {"aligned_to": ALIGNED_TO}

if SETTINGS["features"]["level"] == "gene" and not HAS_GENES:
    refuse(GENES_UNKNOWN)


wildcard_constraints:
    sample="|".join(map(re.escape, SAMPLES)),
    database="|".join(SEARCH_PROGRAMS),


def reads_of(wildcards):
    """Input reads of a sample: its FASTQ files, or the folder of trimmed reads."""
    if TRIM:
        return f"{READS}/trimmed/{wildcards.sample}"
    return SAMPLES[wildcards.sample].files


def check_programs():
    """Report missing programs before the first job, if jobs run on this machine in this environment."""
    if snakemake_internals.runs_jobs_here(workflow):
        planned = snakemake_internals.planned_rules(workflow)
        needed = [
            name
            for rule, names in PROGRAMS.items()
            if rule in planned
            for name in names
        ]
        try:
            programs.require(*needed)
        except BioToolUnavailable as error:
            refuse(error)
