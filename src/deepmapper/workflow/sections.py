"""Parts of the checked configuration that rules need: settings of one model, input files."""

from __future__ import annotations

import copy
import hashlib
import re
from collections import Counter

from ..backbones.registry import COMPONENTS, ENCODER
from ..core.prefixes import files_of_pattern, files_of_prefix
from ..errors import InputError
from ..io.symbols import is_symbol_table
from ..reads.chromosomes import RULES
from ..reads.references import names_genes
from .schema import list_words

# Keys of the section `novelty` that name databases (`novelty.homology.COLUMNS`, which no rule on a matrix depends on).
DATABASES = ("proteins", "domains", "rna_families", "kraken2_database")

GENES_UNKNOWN = (
    "`features.level` is gene, but the genes of the transcripts are unknown: give `reference.annotation`, or "
    "transcripts whose headers name their gene (Ensembl, GENCODE)."
)


def model_settings(settings: dict, name: str) -> dict:
    """Settings that determine a pass of one model, apart from its seed and features, and no others.

    Plain builtins in a fixed order, so that equal settings are equal Snakemake parameters.

    Raises
    ------
    InputError
        If there is no model of this name.
    """
    models = settings["models"]
    if name not in models:
        raise InputError(f"there is no model `{name}`; the configuration has {list_words(models)}.")
    model = copy.deepcopy(models[name])
    given = model.pop("input")
    if given == "pca":
        model["extra"][COMPONENTS] = settings["embeddings"]["pca"]["n_components"]
    elif given != "features":
        model["extra"][ENCODER] = {"kind": given, **settings["embeddings"][given]}
    model["extra"] = dict(sorted(model["extra"].items()))
    del model["chord_pixels"]  # decides which feature store a pass reads; the store has a digest
    return {**model, "test_size": settings["passes"]["test_size"]}


def starts_from_reads(settings: dict) -> bool:
    """Whether the run starts from reads, rather than from a matrix."""
    return bool(settings["sample_sheet"] or settings["samples"])


def has_genes(settings: dict) -> bool:
    """Whether the genes of the transcripts are known: from an annotation, or from the headers of the transcripts."""
    reference = settings["reference"]
    return bool(reference["annotation"]) or names_genes(reference["transcripts"])


def has_name_rule(settings: dict) -> bool:
    """Whether `reference.chromosome_names` is a rule, rather than the path of a table."""
    return settings["reference"]["chromosome_names"] in RULES


def described_by(settings: dict) -> list[str]:
    """Columns of the samples that the configuration names, which are no features even if they hold numbers."""
    labels, confounders = settings["labels"], settings["confounders"]
    named = [labels["column"], labels["group"], labels["domain"], *confounders["columns"], *confounders["numeric"]]
    named += confounders["composition"]["shares"]
    return sorted({name for name in named if name})


def symbol_table(settings: dict) -> str:
    """Path of the table of symbols; "" if symbols come from the matrix, or if there are none."""
    option = settings["features"]["symbols"]
    return option if is_symbol_table(option) else ""


def novelty_sources(settings: dict) -> tuple[str, ...]:
    """What novel transcripts are assembled from: "unaligned" and "aligned" reads; nothing if contigs are given."""
    reference = settings["reference"]
    if settings["assembly"]["fasta"]:
        return ()
    if settings["novelty"]["sources"]:
        return tuple(settings["novelty"]["sources"])
    return ("unaligned", "aligned") if reference["genome"] and reference["annotation"] else ("unaligned",)


def searched_databases(settings: dict) -> dict[str, str]:
    """Databases that novel transcripts are compared with, by their key in the section `novelty`."""
    return {kind: path for kind in DATABASES if (path := settings["novelty"][kind])}


def named_files(settings: dict) -> dict[str, str]:
    """Files and folders that the configuration names, by key, except those of samples; "" if none is given."""
    reference = settings["reference"]
    files = {
        "sample_sheet": settings["sample_sheet"],
        "reference.genome": reference["genome"],
        "reference.transcripts": reference["transcripts"],
        "reference.annotation": reference["annotation"],
        "reference.chromosome_names": "" if has_name_rule(settings) else reference["chromosome_names"],
        "assembly.fasta": settings["assembly"]["fasta"],
        "novelty.contaminants": settings["novelty"]["contaminants"],
        "novelty.rrna": "" if settings["novelty"]["rrna"] in ("included", "none") else settings["novelty"]["rrna"],
        **{f"novelty.{key}": settings["novelty"][key] for key in DATABASES},
        "matrix.path": settings["matrix"]["path"],
        "labels.table": settings["labels"]["table"],
        "labels.ontology.path": settings["labels"]["ontology"]["path"],
        "features.symbols": symbol_table(settings),
        "predict.model": settings["predict"]["model"],
    }
    if signatures := settings["confounders"]["composition"]["signatures"]:
        files["confounders.composition.signatures"] = signatures
    embeddings = enumerate(settings["predict"]["embeddings"], start=1)
    files |= {f"predict.embeddings (entry {i})": path for i, path in embeddings}
    gene_sets = enumerate(settings["enrichment"]["gene_sets"], start=1)
    files |= {f"enrichment.gene_sets (entry {i})": path for i, path in gene_sets}
    shards = enumerate(_shard_paths(settings), start=1)
    files |= {f"matrix.shards (file {i})": path for i, path in shards}
    new_samples = enumerate(settings["matrix"]["new_samples"], start=1)
    files |= {f"matrix.new_samples (entry {i})": path for i, path in new_samples}
    populations = enumerate(settings["matrix"]["populations"], start=1)
    return files | {f"matrix.populations.path (entry {i})": item["path"] for i, item in populations}


def has_target(settings: dict) -> bool:
    """Whether the run has target samples, which the models are to name."""
    return names_own_cells(settings) or bool(settings["matrix"]["new_samples"])


def names_own_cells(settings: dict) -> bool:
    """Whether cells of the matrix itself are among them."""
    return bool(settings["labels"]["unlabelled"] or settings["labels"]["missing"] == "unlabelled")


def reads_target(settings: dict, name: str) -> bool:
    """Whether the passes of a model learn from the target samples."""
    return has_target(settings) and _would_read_target(settings["models"][name])


def lacks_target(settings: dict, name: str) -> bool:
    """Whether they would, and there are none."""
    return not has_target(settings) and _would_read_target(settings["models"][name])


def _would_read_target(model: dict) -> bool:
    return model["kind"] == "scnym" and model["extra"].get("adapt", "auto") != "none"


def chooses_adaptation(settings: dict, name: str) -> bool:
    """Whether it is to be found out first whether that helps."""
    return reads_target(settings, name) and settings["models"][name]["extra"].get("adapt", "auto") == "auto"


def reads_domains(settings: dict, name: str) -> bool:
    """Whether the passes of a model may tell the domains of `labels.domain` apart."""
    adapt = settings["models"][name]["extra"].get("adapt", "auto")
    return bool(settings["labels"]["domain"]) and reads_target(settings, name) and adapt != "mixmatch"


def shares_folds(settings: dict) -> bool:
    """Whether consecutive passes have the folds of one partition out of bag."""
    folds = settings["transfer"]["folds"]
    return has_target(settings) if folds == "auto" else folds == "always"


def keeps_shadow_weights(settings: dict) -> bool:
    """Whether passes with shadows keep their weights, to perturb shadows or to attribute them in target samples."""
    return bool(settings["perturb"]["how"]) or shares_folds(settings)


def import_options(settings: dict) -> dict:
    """Options of `matrix` for reading one file, without the paths of other files."""
    return {name: value for name, value in settings["matrix"].items() if name not in ("new_samples", "shards")}


def shard_files(settings: dict) -> dict[str, str]:
    """Shards of the matrix, files or folders, by name; empty if it is in one piece.

    A shard has the name of its file, so that others added to it change nothing; if several files have this name, a hash
    of the path is appended.
    """
    paths = _shard_paths(settings)
    names = [path.rstrip("/").rpartition("/")[2].partition(".")[0] for path in paths]
    stems = [re.sub(r"[^\w-]", "_", name) or "shard" for name in names]
    shared = Counter(stems)
    return {
        stem if shared[stem] == 1 else f"{stem}-{hashlib.sha256(path.encode()).hexdigest()[:8]}": path
        for stem, path in zip(stems, paths, strict=True)
    }


def has_matrix(settings: dict) -> bool:
    """Whether a matrix is given, in one piece, in shards or as populations."""
    return any(settings["matrix"][key] for key in ("path", "shards", "populations"))


def _shard_paths(settings: dict) -> list[str]:
    """Paths of all shards, each once, sorted within a pattern."""
    return list(dict.fromkeys(path for given in settings["matrix"]["shards"] for path in files_of_pattern(given)))


def new_sample_files(settings: dict, number: int) -> list[str]:
    """Files and folders of one entry of `matrix.new_samples`."""
    path = settings["matrix"]["new_samples"][number]
    return [str(file) for file in files_of_prefix(path) or [path]]


def matrix_files(settings: dict) -> list[str]:
    """Files and folders of the matrix or the populations; those of 10x whose names start like a path stand for it."""
    matrix = settings["matrix"]
    paths = [matrix["path"]] if matrix["path"] else [population["path"] for population in matrix["populations"]]
    return [str(file) for path in paths for file in files_of_prefix(path) or [path]]
