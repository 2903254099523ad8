"""Counts of transcripts summed to genes, samples × genes.

pandas, anndata and pytximport are imported on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.counts import DETECTED_FROM
from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

_COUNTS = ("none", "scaled_tpm", "length_scaled_tpm")


def summarise_genes(
    quants: Mapping[str, Path], *, expression: AnnData, transcript_to_gene: Path, counts: str = "none"
) -> AnnData:
    """Sum transcripts to genes with pytximport. A transcript without a known gene is a gene of its own.

    A novel isoform counts for its annotated gene, and the transcripts of a new gene for that.

    Parameters
    ----------
    quants
        For each sample the folder that `quantify_sample` wrote.
    expression
        Result of `build_expression`; its ``obs`` is kept.
    transcript_to_gene
        Tab-separated, with the columns transcript_id and gene_id.
    counts
        ``none``: sums of the transcripts' counts. ``scaled_tpm``: sums of their abundances, scaled to the sample's
        number of reads. ``length_scaled_tpm``: the same sums times the gene's mean length, then scaled. The last two
        do not depend on which isoforms a sample expresses.

    Returns
    -------
    AnnData
        ``X``: counts, and ``layers["tpm"]``, both CSR float32, samples × genes in the order of their first transcripts.
        ``var``: ``is_denovo``, ``length`` (effective, weighted by abundance, mean over the samples), ``gene_name``,
        ``transcripts`` and ``novel_transcripts`` (their numbers), and ``novelty_class`` (of a new gene).

    Raises
    ------
    InputError
        If `counts` is unknown, no transcript has a gene, or pytximport is missing.

    Notes
    -----
    tximport: Soneson et al. 2015, F1000Research 4:1521.
    """
    import anndata
    import numpy as np
    import pandas as pd
    from scipy import sparse

    if counts not in _COUNTS:
        raise InputError(f"counts is '{counts}', expected one of {', '.join(_COUNTS)}. Set quantification.gene_counts.")
    transcripts = pd.Series(expression.var_names, index=expression.var_names)
    known = transcripts.map(read_genes(transcript_to_gene)["gene_id"])
    of_novel = expression.var["gene_id"].where(expression.var["is_denovo"] & (expression.var["gene_id"] != ""))
    if known.isna().all():
        raise InputError(
            f"{transcript_to_gene}: has no gene for any of {len(known)} transcripts, expected a table for them. Give "
            f"the annotation of these transcripts, or do without genes."
        )
    genes = known.fillna(of_novel).fillna(transcripts)
    files = [Path(quants[name], "quant.sf") for name in expression.obs_names]
    sums = _tximport(files, genes, None if counts == "none" else counts)
    order = pd.Index(genes.unique())
    first = expression.var.loc[genes.drop_duplicates().index]
    var = pd.DataFrame(
        {
            "is_denovo": first["is_denovo"].to_numpy(bool),
            "length": sums["length"].mean("file").sel(gene_id=order).to_numpy(),
            "gene_name": first["gene_name"].astype(str).to_numpy(),
            "transcripts": genes.value_counts().loc[order].to_numpy(),
            "novel_transcripts": expression.var["is_denovo"].groupby(genes).sum().loc[order].to_numpy("int64"),
            "novelty_class": first["novelty_class"].astype(str).to_numpy() if "novelty_class" in first else "",
        },
        index=order.rename(None),
    )

    values = sums["counts"].transpose("file", "gene_id").sel(gene_id=order).to_numpy()
    detected = values >= DETECTED_FROM  # as in `build_expression`; a sample without counted reads gives NaN when scaled
    of_gene = sparse.csr_matrix(
        (np.ones(len(genes), np.float32), (np.arange(len(genes)), order.get_indexer(genes))), (len(genes), len(order))
    )
    # not pytximport's, which includes the TPM that Salmon gives to transcripts without a fragment
    tpm = sparse.csr_matrix(expression.layers["tpm"]) @ of_gene

    return anndata.AnnData(
        sparse.csr_matrix(np.where(detected, values, 0).astype(np.float32)),
        obs=expression.obs.copy(),
        var=var,
        layers={"tpm": tpm.multiply(detected).tocsr().astype(np.float32)},
        uns={**expression.uns, "gene_counts": counts},
    )


def read_genes(path: Path) -> pd.DataFrame:
    """Read the genes of transcripts: a table by transcript, without those that have none."""
    import pandas as pd

    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3)
    return table[table["gene_id"] != ""].drop_duplicates("transcript_id").set_index("transcript_id")


def _tximport(files: list[Path], genes: pd.Series, counts_from_abundance: str | None) -> Any:
    """Sum to genes: an xarray Dataset of genes × samples with counts, abundance and length."""
    import pandas as pd

    try:
        from pytximport import tximport
    except ImportError as error:
        raise InputError(
            "pytximport: not installed, expected for counts per gene. Install it: pip install 'deepmapper[denovo]'."
        ) from error
    with redirect_stderr(StringIO()):  # a progress bar
        return tximport(
            files,
            data_type="salmon",
            transcript_gene_map=pd.DataFrame({"transcript_id": genes.index, "gene_id": genes.to_numpy()}),
            counts_from_abundance=counts_from_abundance,
            # pytximport's own reader fails where pyarrow is installed beside pandas 3
            custom_importer=_read_quant,
            # the names are clean already: dots and bars are part of them
            ignore_transcript_version=False,
            ignore_after_bar=False,
            output_type="xarray",
        )


def _read_quant(path: Path, **_: str) -> dict[str, Any]:
    """Read Salmon's counts in the form that pytximport works on."""
    import pandas as pd

    numbers = {"counts": "NumReads", "length": "EffectiveLength", "abundance": "TPM"}
    types = {"Name": "str", **dict.fromkeys(numbers.values(), "float64")}
    table = pd.read_csv(path, sep="\t", usecols=list(types), dtype=types, keep_default_na=False)
    columns = {name: table[column].to_numpy() for name, column in numbers.items()}
    return {"transcript_id": table["Name"].tolist(), "inferential_replicates": None, **columns}
