"""Columns of a table of numbers that are neither features nor samples, known by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ..core.match_names import are_row_numbers
from ..core.preambles import GCT

# What programs write beside the counts of samples (`transpose`), without case and punctuation.
_ABOUT_FEATURES = frozenset(
    (
        *("length", "genelength", "transcriptlength", "effectivelength", "efflength", "width", "gccontent"),
        *("percentagegenegccontent", "entrezid", "entrezgene", "entrezgeneid", "ncbigeneid", "ncbigene"),
        # DESeq2, edgeR and limma
        *("basemean", "log2foldchange", "lfcse", "pvalue", "padj", "logfc", "logcpm", "aveexpr", "adjpval"),
    )
)

# Only if both are there, since either alone may be a sample.
_TOGETHER = ({"start", "end"}, {"basemean", "stat"})

# What scanpy, Seurat and others compute for cells, without case and punctuation.
_ABOUT_SAMPLES = frozenset(
    (
        *("ncounts", "ngenes", "ngenesbycounts", "totalcounts", "totalcountsmt", "pctcountsmt", "log1ptotalcounts"),
        *("log1pngenesbycounts", "ncountrna", "nfeaturerna", "percentmt", "percentmito", "numi", "numis", "sizefactor"),
        *("sizefactors", "doubletscore", "doubletscores", "sscore", "g2mscore", "seuratclusters", "leiden", "louvain"),
    )
)
_CLUSTERS = re.compile(r"(rna|sct|integrated)snnres\d+")

# How these names begin, so that the many names of features are passed over quickly.
_MAY_BE_KNOWN = re.compile(
    r"(gene|transcript|eff|len|width|gc|perc|pct|entrez|ncbi|base|log|lfc|p|adj|ave|n_?|total|size|doublet|s[._]|g2m|"
    r"seurat|leiden|louvain|rna|sct|integrated|stat|start|end)",
    re.IGNORECASE,
)

# Names that pandas and R give to a column that has none.
_NO_NAME = re.compile(r"|Unnamed: ?\d+(_level_\d+)?|\.*\d+|X|V1|index|level_0|row_?names?|rn", re.IGNORECASE)
_UNNAMED = re.compile(r"Unnamed: ?\d+")


def known_columns(header: Sequence[str], transpose: bool, kind: str = "") -> list[int]:
    """Find columns of numbers that describe the features (if `transpose`) or the samples.

    Parameters
    ----------
    header
        Names of the columns; the first is that of the row names.
    transpose
        Whether rows are features.
    kind
        `Layout.kind`: the second column of GCT describes the features, whatever it holds.
    """
    keys = [re.sub(r"[\W_]", "", name.lower()) if _MAY_BE_KNOWN.match(name) else "" for name in header]
    if transpose:
        names = _ABOUT_FEATURES.union(*(pair for pair in _TOGETHER if pair <= set(keys)))
        found = [i for i, key in enumerate(keys) if i and key in names]
        return sorted({1, *found}) if kind == GCT and len(header) > 1 else found
    return [i for i, key in enumerate(keys) if i and (key in _ABOUT_SAMPLES or _CLUSTERS.fullmatch(key))]


def columns_of_row_numbers(header: Sequence[str], sample: Sequence[Sequence[str]]) -> list[int]:
    """Find columns that pandas wrote as an index and read as values: ``Unnamed: 0`` with the numbers of the rows."""
    return [
        i
        for i, name in enumerate(header)
        if i
        and name.startswith("Unnamed")
        and _UNNAMED.fullmatch(name)
        and are_row_numbers([row[i] for row in sample if i < len(row)])
    ]


def column_of_names(
    header: Sequence[str], names: Sequence[str], texts: Mapping[int, Sequence[str]], asked: Collection[int] = ()
) -> int | None:
    """Find the column of names in a table whose first column is empty or holds only the numbers of the rows.

    Parameters
    ----------
    header
        Names of the columns.
    names
        The first column.
    texts
        Columns of text by position.
    asked
        Positions that are needed for something else.

    Returns
    -------
    int or None
        The first column of text with a different one in every row; None if the first column has names, or there is no
        such column.
    """
    is_empty = not any(names)
    if not is_empty and not (_NO_NAME.fullmatch(header[0]) and are_row_numbers(names)):
        return None
    for i, cells in texts.items():
        if i not in asked and len(set(cells)) == len(names) and all(cells):
            return i
    return None
