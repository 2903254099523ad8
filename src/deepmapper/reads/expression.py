"""Salmon counts of all samples as one matrix, samples × transcripts, and its tables.

pandas and anndata are imported on first use.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..core.counts import DETECTED_FROM
from ..core.files import atomic_write
from ..core.words import count, listed
from ..errors import DeepMapperWarning, InputError
from ..io.text import text_column
from .counted import fragment_places
from .denovo import PREFIX
from .fastq import gzip_writer
from .gene_expression import read_genes

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Columns about novel transcripts, by their names in the table of contigs.
_NOVELTY_TEXTS = {
    "source": "novelty_source",
    "class": "novelty_class",
    "class_code": "novelty_code",
    "gene": "novelty_gene",
    "genome_locus": "novelty_locus",
    "best_transcript": "nearest_transcript",
}

_NOVELTY_NUMBERS = {
    "transcript_identity": "nearest_identity",
    "longest_orf": "longest_orf",
    "gc": "gc",
    "supporting_reads": "supporting_reads",
    "supporting_samples": "supporting_samples",
}

_ALIGNMENT = {"rate": "aligned_rate", "captured_rate": "captured_rate"}

_FRAGMENTS = {
    "known": "counted_known",
    "novel": "counted_novel",
    "aligned_not_counted": "aligned_not_counted",
    "captured_not_counted": "captured_not_counted",
}

_QUANT_COLUMNS = ["Name", "Length", "TPM", "NumReads"]

# Features converted to text at a time, to bound the memory.
_FEATURES_PER_BLOCK = 5000


def build_expression(
    quants: Mapping[str, Path],
    *,
    samples: Sequence[Mapping[str, str]],
    denovo_table: Path | None = None,
    transcript_to_gene: Path | None = None,
    alignment: Path | None = None,
) -> AnnData:
    """Combine the counts of all samples into one matrix.

    Parameters
    ----------
    quants
        For each sample the folder that `quantify_sample` wrote.
    samples
        One mapping per row of the matrix, in order: ``sample`` and the other columns of the sample sheet.
    denovo_table
        ``contigs.tsv`` of the novelty screen.
    transcript_to_gene
        Tab-separated, with the columns transcript_id, gene_id and gene_name.
    alignment
        Table that `tabulate_alignment` wrote.

    Returns
    -------
    AnnData
        ``X``: Salmon's NumReads, and ``layers["tpm"]``, both CSR float32, samples × transcripts in the order of the
        reference; a transcript with a count below 0.5 is not detected, and both are 0. ``obs``: the columns of the
        sheet as text (empty cells are missing values); ``counted_layout``, ``counted_library``, ``counted_fragments``,
        ``counted_mapped`` and ``counted_rate`` (share that mapped to transcripts); if captured fragments were counted,
        four numbers that add up to all: ``counted_known``, ``counted_novel``, ``aligned_not_counted`` and
        ``captured_not_counted``; with `alignment` also ``aligned_rate`` and ``captured_rate`` (shares that aligned to
        the genome and that did not). ``var``: ``is_denovo``, ``length`` (nucleotides), ``gene_id`` and ``gene_name``
        ("" if unknown; of a novel transcript the annotated gene that it is an isoform of, or the new gene that the
        screen put it in); from the novelty screen ``novelty_source``, ``novelty_class``, ``novelty_code``,
        ``novelty_gene``, ``novelty_locus`` and ``nearest_transcript`` ("" for reference transcripts),
        ``nearest_identity``, ``longest_orf``, ``gc``, ``supporting_reads`` and ``supporting_samples`` (NaN for them).
        ``uns["quantification"]``: Salmon's version, and whether the counts are exactly repeatable.

    Raises
    ------
    InputError
        If a sample has no counts, or counts of other transcripts than the first sample; or if a column of the sheet has
        the name of a column that is added here.

    Warns
    -----
    DeepMapperWarning
        If all counts of a sample are zero, or transcripts that are not detected had a TPM above zero.
    """
    import anndata
    import numpy as np
    from scipy import sparse

    names = [row["sample"] for row in samples]
    if missing := [name for name in names if name not in quants]:
        raise InputError(f"{', '.join(missing)}: no counts, expected Salmon's folder for every sample.")
    tables = {name: _read_quant(Path(quants[name], "quant.sf")) for name in names}
    first = tables[names[0]]
    for name, table in tables.items():
        if not table.index.equals(first.index):
            raise InputError(
                f"{quants[name]}: holds other transcripts than {quants[names[0]]} ({len(table)} and {len(first)}), "
                f"expected the same. Count all samples with the same index."
            )
    _settle_low_counts(tables)
    records = [json.loads(Path(quants[name], "quantification.json").read_text()) for name in names]

    def matrix(column: str) -> Any:
        rows = [sparse.csr_matrix(table[column].to_numpy(np.float32)) for table in tables.values()]
        return sparse.vstack(rows, format="csr")

    return anndata.AnnData(
        matrix("NumReads"),
        obs=_describe_samples(samples, records, alignment),
        var=_describe_transcripts(first, denovo_table, transcript_to_gene),
        layers={"tpm": matrix("TPM")},
        uns={
            "quantification": {
                "salmon": ", ".join(sorted({record["salmon"] for record in records})),
                "repeatable": all(record["repeatable"] for record in records),
            }
        },
    )


def write_tables(adata: AnnData, counts: Path, tpm: Path) -> None:
    """Write counts and TPM as tab-separated tables, features × samples; gzipped if the name ends in ``.gz``."""
    from scipy import sparse

    for path, matrix in ((counts, adata.X), (tpm, adata.layers["tpm"])):
        columns = sparse.csc_matrix(matrix)
        with atomic_write(path) as tmp, _text_writer(tmp) as file:
            print("feature", *adata.obs_names, sep="\t", file=file)
            for start in range(0, adata.n_vars, _FEATURES_PER_BLOCK):
                block = columns[:, start : start + _FEATURES_PER_BLOCK].T.toarray()
                for name, values in zip(adata.var_names[start : start + _FEATURES_PER_BLOCK], block, strict=True):
                    print(name, *map(_format, values), sep="\t", file=file)


def _read_quant(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise InputError(f"{path}: not found, expected Salmon's counts. Quantify this sample.")
    try:
        table = pd.read_csv(
            path, sep="\t", usecols=_QUANT_COLUMNS, dtype={"Name": str}, index_col="Name", keep_default_na=False
        )
        return table.astype({"Length": int, "TPM": float, "NumReads": float})
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as Salmon's quant.sf ({error}). Quantify this sample again."
        ) from error


def _settle_low_counts(tables: Mapping[str, pd.DataFrame]) -> None:
    """Set counts below `DETECTED_FROM` and their TPM to zero, and name samples without any counts.

    Salmon divides fragments between similar transcripts, down to 0.001 of a fragment, and computes the TPM before it
    rounds. With an effective length of few nucleotides a transcript without reads can have a large TPM.
    """
    n_set, largest, where = 0, 0.0, ""
    for name, table in tables.items():
        low = table["NumReads"] < DETECTED_FROM
        phantom = low & (table["TPM"] > 0)
        if phantom.any():
            top = table["TPM"].where(phantom).idxmax()
            if table.at[top, "TPM"] > largest:
                largest, where = table.at[top, "TPM"], f"{top} of sample {name}"
            n_set += int(phantom.sum())
        table.loc[low, ["TPM", "NumReads"]] = 0.0
    if n_set:
        warnings.warn(
            f"Salmon gave {count(n_set, 'transcript')} with less than {DETECTED_FROM:g} reads a TPM above 0 (at most "
            f"{largest:.3g}, {where}); they count as not detected: count and TPM were set to 0.",
            DeepMapperWarning,
            stacklevel=3,
        )
    if empty := [name for name, table in tables.items() if not table["NumReads"].any()]:
        warnings.warn(
            f"all counts are zero in {len(empty)} of {len(tables)} samples ({listed(empty)}): no fragment maps "
            "to a transcript. Check that these are reads of RNA from this organism, or remove the samples.",
            DeepMapperWarning,
            stacklevel=3,
        )


def _describe_samples(
    samples: Sequence[Mapping[str, str]],
    records: Sequence[Mapping[str, Any]],
    alignment: Path | None,
) -> pd.DataFrame:
    import pandas as pd

    names = [row["sample"] for row in samples]
    sheet = pd.DataFrame([dict(row) for row in samples], index=names, dtype=object).drop(columns="sample")
    added = pd.DataFrame(
        {
            "counted_layout": [record["layout"] for record in records],
            "counted_library": [record["library_type"] for record in records],
            "counted_fragments": [record["fragments"] for record in records],
            "counted_mapped": [record["mapped"] for record in records],
            "counted_rate": [record["mapping_rate"] for record in records],
            **_fragment_columns(records),
        },
        index=names,
    )
    if alignment is not None:
        table = pd.read_csv(alignment, sep="\t", dtype={"sample": str}, index_col="sample")
        added = added.join(table[list(_ALIGNMENT)].rename(columns=_ALIGNMENT).astype(float))
    if both := sorted(set(sheet) & set(added)):
        raise InputError(f"sample sheet: column {both[0]} has the name of a column that is added here. Rename it.")
    return sheet.apply(text_column).join(added)


def _fragment_columns(records: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Where the fragments went, if that is known of all samples."""
    places = [fragment_places(record) for record in records]
    known = [place for place in places if place is not None]
    if len(known) < len(places):
        return {}
    return {column: [place[name] for place in known] for name, column in _FRAGMENTS.items()}


def _describe_transcripts(
    quant: pd.DataFrame, denovo_table: Path | None, transcript_to_gene: Path | None
) -> pd.DataFrame:
    import pandas as pd

    var = pd.DataFrame(index=pd.Index(quant.index.to_numpy(), dtype=object))
    var["is_denovo"] = var.index.str.startswith(PREFIX)
    var["length"] = quant["Length"].to_numpy("int64")
    genes = read_genes(transcript_to_gene) if transcript_to_gene is not None else None
    for column in ("gene_id", "gene_name"):
        var[column] = var.index.map(genes[column]).fillna("") if genes is not None else ""
    if denovo_table is None:
        return var
    table = pd.read_csv(denovo_table, sep="\t", dtype=str, keep_default_na=False)
    table = table[table["kept"] == "true"].set_index("name").reindex(var.index)
    of_gene = table["gene_id"].fillna("")
    var["gene_id"] = var["gene_id"].where(of_gene == "", of_gene)
    if genes is not None:
        names = genes.drop_duplicates("gene_id").set_index("gene_id")["gene_name"]
        var["gene_name"] = var["gene_name"].where(of_gene == "", of_gene.map(names).fillna(""))
    for source, column in _NOVELTY_TEXTS.items():
        var[column] = table[source].fillna("").astype(object)
    for source, column in _NOVELTY_NUMBERS.items():
        var[column] = pd.to_numeric(table[source], errors="coerce").astype("float64")
    return var


@contextmanager
def _text_writer(path: Path) -> Iterator[IO[str]]:
    """Open a text file for writing, gzipped if it ends in ``.gz``; equal content gives equal bytes."""
    if path.suffix != ".gz":
        with path.open("w") as plain:
            yield plain
        return
    with gzip_writer(path) as packed, TextIOWrapper(packed, write_through=True) as file:
        yield file


def _format(value: float) -> str:
    """Write a float32 with the fewest digits that identify it, without an exponent."""
    import numpy as np

    return np.format_float_positional(value, trim="-") if value else "0"
